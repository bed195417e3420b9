// The fleet: how many sites are in which state, what needs a look, and each site as one cell.

import { Cells, describe } from "./cells.js";
import { FINE, STATES, selector, sinceOf, stateOf, worst } from "./api.js";
import { badge, bar, commitLink, el, keep, number, plural, siteLink, when } from "./dom.js";

const MOST_IN_LIST = 12;
const MOST_NAMES = 6;
const TOGETHER = 180000; // milliseconds: sites that fell silent within this of each other are shown as one outage

// What is wrong, each thing once with all the sites it has hit; the worst first, then what has hit the most.
function causes(found) {
  const known = new Map();
  const silent = [];
  for (const [state, site] of found) {
    if (site.conflict) join("Degraded", site, "Two agents report as this site, or its disk was copied.");
    else if (state === "Offline") silent.push(site);
    else if (!FINE.has(state)) join(state, site, site.message);
  }
  function join(state, site, why, key = `${state} ${why}`) {
    if (!known.has(key)) known.set(key, { key, state, why, sites: [], since: Infinity });
    const cause = known.get(key);
    cause.sites.push(site);
    cause.since = Math.min(cause.since, sinceOf(site, state) || Infinity);
  }
  silent.sort((a, b) => a.lastSeen - b.lastSeen);
  let first = null;
  let before = null;
  for (const site of silent) {
    if (!before || site.lastSeen - before.lastSeen > TOGETHER) first = site;
    before = site;
    join("Offline", site, "", `Offline ${first.name}`);
  }
  for (const cause of known.values()) {
    if (!Number.isFinite(cause.since)) cause.since = 0;
    if (cause.state === "Offline") {
      const were = [...new Set(cause.sites.map((site) => site.lastState))].sort((a, b) => STATES.indexOf(a) - STATES.indexOf(b));
      cause.why = `Silent. ${cause.sites.length > 1 ? "They were" : "It was"} ${were.join(" or ")} when last heard.`;
    }
  }
  return [...known.values()].sort((a, b) =>
    STATES.indexOf(a.state) - STATES.indexOf(b.state) || b.sites.length - a.sites.length || (a.key < b.key ? -1 : 1));
}

// The address holds the filters, so that a view can be sent to somebody.
export function readView(query) {
  const given = new URLSearchParams(query);
  return {
    search: given.get("search") ?? "",
    labels: given.get("labels") ?? "",
    by: given.get("by") ?? "",
    states: new Set((given.get("state") ?? "").split(",").filter((state) => STATES.includes(state))),
  };
}

function address(view) {
  const given = new URLSearchParams();
  for (const name of ["search", "labels", "by"]) if (view[name]) given.set(name, view[name]);
  if (view.states.size) given.set("state", [...view.states].join(","));
  const query = given.toString();
  return query ? `#/?${query}` : "#/";
}

export function fleetPage(fleet, query) {
  const view = readView(query);
  const headline = el("p", { class: "headline", role: "status" });
  const share = el("div", {});
  const revisions = el("ul", { class: "revisions", "aria-label": "Newest revisions" });
  const trouble = el("ul", { class: "trouble" });
  const troubleNone = el("p", { class: "fine" });
  const more = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => { all = !all; draw(); } });
  const said = el("p", { class: "faint said", role: "status" });
  const wrong = el("p", { class: "wrong-input", id: "labels-wrong", role: "alert" });
  const readout = el("p", { class: "readout", "aria-hidden": "true" });
  const board = el("div", {});
  const known = { revisions: new Map(), trouble: new Map(), groups: new Map() };
  let all = false;
  let pointed = null;

  const search = el("input", { type: "search", value: view.search, placeholder: "press /", autocomplete: "off", spellcheck: "false",
    oninput: () => change({ search: search.value }) });
  const labels = el("input", { type: "text", value: view.labels, placeholder: "region=north,ring!=canary", list: "known-labels",
    autocomplete: "off", spellcheck: "false", "aria-describedby": "labels-wrong", oninput: () => change({ labels: labels.value }) });
  const suggestions = el("datalist", { id: "known-labels" });
  const by = el("select", { onchange: () => change({ by: by.value }) }, el("option", { value: "" }, "nothing"));
  const clear = el("button", { type: "button", class: "quiet", onclick: () => {
    search.value = labels.value = "";
    change({ search: "", labels: "", states: new Set() });
    search.focus();
  } }, "Clear");
  const chips = new Map(STATES.map((state) => {
    const count = el("strong", {}, "0");
    const button = el("button", { type: "button", onclick: () => {
      const states = new Set(view.states);
      if (!states.delete(state)) states.add(state);
      change({ states });
    } }, el("span", { class: `mark m-${state}`, "aria-hidden": "true" }), count, el("span", {}, state));
    return [state, { node: el("li", {}, button), button, count }];
  }));
  const counts = el("ul", { class: "states", "aria-label": "Sites by state" }, [...chips.values()].map((chip) => chip.node));

  function change(changes) {
    Object.assign(view, changes);
    history.replaceState(null, "", address(view));
    draw();
  }

  function point(name) {
    pointed = name;
    const site = name && fleet.sites.get(name);
    readout.textContent = site ? describe(site, stateOf(site, fleet.now()), fleet.now()) : "Point at a cell, or move there by Tab and the arrow keys.";
  }

  function drawLabels() {
    const pairs = new Map();
    for (const site of fleet.sites.values()) for (const [key, value] of Object.entries(site.labels)) pairs.set(`${key}=${value}`, key);
    const keys = [...new Set(pairs.values())].sort();
    const now = keys.join();
    if (by.dataset.keys !== now) {
      by.dataset.keys = now;
      by.replaceChildren(el("option", { value: "" }, "nothing"), ...keys.map((key) => el("option", { value: key }, key)));
      suggestions.replaceChildren(...[...pairs.keys()].sort().slice(0, 200).map((pair) => el("option", { value: pair })));
    }
    if (view.by && !keys.includes(view.by)) by.append(el("option", { value: view.by }, view.by));
    by.value = view.by;
  }

  function draw() {
    const now = fleet.now();
    let fits = () => true;
    let problem = "";
    try { fits = selector(view.labels); } catch (error) { problem = error.message; }
    labels.setAttribute("aria-invalid", String(Boolean(problem)));
    wrong.textContent = problem;
    const wanted = view.search.trim().toLowerCase();
    const numbers = new Map(STATES.map((state) => [state, 0]));
    const found = [];
    let taken = 0;
    for (const site of fleet.sites.values()) {
      if ((wanted && !site.name.includes(wanted)) || !fits(site.labels)) continue;
      const state = stateOf(site, now);
      taken += 1;
      numbers.set(state, numbers.get(state) + 1);
      if (!view.states.size || view.states.has(state)) found.push([state, site]);
    }
    const rank = new Map(STATES.map((state, place) => [state, place]));
    found.sort((a, b) => rank.get(a[0]) - rank.get(b[0]) || (a[1].name < b[1].name ? -1 : 1));
    const bad = STATES.reduce((sum, state) => sum + (FINE.has(state) ? 0 : numbers.get(state)), 0);
    const whole = taken === fleet.sites.size ? "sites" : "sites that fit";
    headline.replaceChildren(...(taken === 0
      ? [fleet.sites.size ? "No site fits." : "No site has reported yet."]
      : bad ? [el("strong", {}, number(bad)), ` of ${number(taken)} ${whole} ${bad === 1 ? "needs" : "need"} a look`]
        : [el("strong", {}, "All is well"), ` at ${number(taken)} ${whole}`]));
    share.replaceChildren(bar(STATES.map((state) => [state, numbers.get(state)])));
    for (const [state, chip] of chips) {
      chip.count.textContent = number(numbers.get(state));
      chip.button.setAttribute("aria-pressed", String(view.states.has(state)));
      chip.button.classList.toggle("zero", numbers.get(state) === 0);
    }
    clear.hidden = !(view.search || view.labels || view.states.size);
    said.textContent = `${number(found.length)} of ${number(fleet.sites.size)} sites shown, the worst first`;
    drawLabels();
    drawRevisions(now);
    drawTrouble(found, now);
    drawBoard(found);
    point(pointed);
  }

  function drawRevisions(now) {
    keep(revisions, known.revisions, fleet.revisions.slice(0, 4), (item) => item.commit, (item) => {
      const amount = el("span", { class: "amount" });
      const share = el("div", {});
      const age = el("span", { class: "faint" });
      const node = el("li", {}, el("div", { class: "line" }, commitLink(item.commit), el("span", { class: "subject" }, item.subject), age), share, amount);
      return { node, amount, share, age };
    }, (held, item) => {
      const rest = Math.max(0, fleet.sites.size - item.applied - item.refused);
      held.age.replaceChildren(when(item.firstSeen, now));
      held.share.replaceChildren(bar([["Ready", item.applied], ["Held", item.refused], ["rest", rest]]));
      held.amount.textContent = `${plural(item.applied, "site")} ${item.applied === 1 ? "has" : "have"} it${item.refused ? `, ${number(item.refused)} refused it or went back` : ""}`;
    });
    revisions.hidden = !fleet.revisions.length;
  }

  function drawTrouble(found, now) {
    const listed = causes(found);
    keep(trouble, known.trouble, all ? listed.slice(0, 500) : listed.slice(0, MOST_IN_LIST), (cause) => cause.key, (cause) => {
      const amount = el("strong", {});
      const since = el("span", { class: "faint" });
      const lag = el("span", { class: "lag" });
      const names = el("p", { class: "names" });
      const node = el("li", {}, el("p", { class: "line" }, badge(cause.state), amount, since, lag), el("p", { class: "why" }, cause.why), names);
      return { node, amount, since, lag, names, named: "" };
    }, (held, cause) => {
      const many = cause.sites.length > 1;
      held.amount.textContent = many ? plural(cause.sites.length, "site") : "";
      held.since.replaceChildren(cause.since ? when(cause.since, now) : "");
      const lags = new Set(cause.sites.map((site) => site.behind));
      const [lag] = lags;
      held.lag.textContent = lags.size === 1 && lag ? `${number(lag)} behind` : "";
      const named = cause.sites.map((site) => site.name).join();
      if (named === held.named) return;
      held.named = named;
      held.names.replaceChildren(...cause.sites.slice(0, MOST_NAMES).map((site) => siteLink(site.name)),
        ...(cause.sites.length > MOST_NAMES ? [el("a", { href: `#/?state=${cause.state}` }, `and ${number(cause.sites.length - MOST_NAMES)} more`)] : []));
    });
    troubleNone.textContent = listed.length ? "" : found.length ? "Nothing." : "No site to look at.";
    more.hidden = listed.length <= MOST_IN_LIST;
    more.textContent = all ? "Show fewer" : `Show all ${number(listed.length)}`;
  }

  function drawBoard(found) {
    const groups = new Map();
    if (view.by) {
      for (const item of found) {
        const value = item[1].labels[view.by] ?? "";
        if (!groups.has(value)) groups.set(value, []);
        groups.get(value).push(item);
      }
    } else if (found.length) groups.set(null, found);
    const ordered = [...groups].map(([value, items]) => {
      const numbers = new Map();
      for (const [state] of items) numbers.set(state, (numbers.get(state) ?? 0) + 1);
      return { value, items, numbers, state: worst(numbers) };
    }).sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || (a.value < b.value ? -1 : 1));
    keep(board, known.groups, ordered, (group) => `${view.by}=${group.value}`, (group) => {
      const name = group.value === null ? "Sites" : group.value || `without ${view.by}`;
      const cells = new Cells(name, point);
      const state = el("span", {});
      const amount = el("span", { class: "faint" });
      const head = group.value === null ? null : el("h3", { class: "line" }, name, state, amount);
      return { node: el("section", { class: "group" }, head, cells.node), cells, state, amount };
    }, (held, group) => {
      held.state.replaceChildren(badge(group.state));
      held.amount.textContent = `${number(group.numbers.get("Ready") ?? 0)} of ${number(group.items.length)} ready`;
      held.cells.draw(group.items, found.length);
    });
  }

  fleet.addEventListener("sites", draw);
  draw();
  performance.mark("wayside-fleet");
  return {
    title: "Fleet",
    nodes: [
      el("h1", { class: "hidden" }, "Fleet"),
      el("div", { class: "top" }, el("div", { class: "summary" }, headline, share, counts), revisions),
      el("div", { class: "filters" }, el("label", {}, "Name", search), el("label", {}, "Labels", labels, suggestions),
        el("label", { class: "narrow" }, "Group by", by), clear),
      wrong,
      el("div", { class: "columns" },
        el("section", { class: "looks", "aria-labelledby": "looks" }, el("h2", { id: "looks" }, "Needs a look"), troubleNone, trouble, more),
        el("section", { class: "board", "aria-labelledby": "board" }, el("h2", { id: "board" }, "Sites"), said, readout, board)),
    ],
    leave: () => fleet.removeEventListener("sites", draw),
  };
}
