// Revisions: what came when, how far it got, who refused it and why.

import { Cells, describe } from "./cells.js";
import { STATES, get, stateOf } from "./api.js";
import { bar, commitLink, el, number, plural, redraw, short, siteLink, table, when } from "./dom.js";

const HOW = { denied: "refused", held: "held", failed: "failed", rolledback: "went back" };

const PAUSE = 5000;

// Loads now, and again when `keyOf` says that something is another, and not more often than every five seconds.
function follow(fleet, keyOf, load) {
  let seen = null;
  let due = 0;
  const listen = () => {
    if (due) return;
    const key = keyOf();
    if (key === seen) return;
    seen = key;
    load();
    due = setTimeout(() => { due = 0; listen(); }, PAUSE);
  };
  fleet.addEventListener("sites", listen);
  listen();
  return () => { clearTimeout(due); due = 1; fleet.removeEventListener("sites", listen); };
}

export function revisionsPage(fleet) {
  const body = el("div", {}, el("p", { class: "faint" }, "Loading …"));
  let stopped = false;
  async function load() {
    try {
      const page = await get("/v1/revisions?limit=100");
      if (stopped) return;
      redraw(body, [page.items.length ? table("Revisions", ["Revision", "Subject", "First seen", "How far", "Sites"], page.items.map((item) => [
        commitLink(item.commit), item.subject, when(item.firstSeen, fleet.now()),
        [bar([["Ready", item.applied], ["Held", item.refused], ["rest", Math.max(0, fleet.sites.size - item.applied - item.refused)]])],
        `${plural(item.applied, "site")} ${item.applied === 1 ? "has" : "have"} it${item.refused ? `, ${number(item.refused)} turned it down` : ""}`,
      ])) : el("p", {}, "No site has reported a revision yet.")]);
    } catch (error) {
      if (!stopped) redraw(body, [el("p", { role: "alert", class: "banner" }, error.message)]);
    }
  }
  const leave = follow(fleet, () => JSON.stringify([fleet.newest, fleet.revisions.map((item) => [item.commit, item.applied, item.refused])]), load);
  return { title: "Revisions", nodes: [el("h1", {}, "Revisions"), body], leave: () => { stopped = true; leave(); } };
}

export function revisionPage(fleet, commit) {
  const body = el("div", {}, el("p", { class: "faint" }, "Loading …"));
  const readout = el("p", { class: "readout", "aria-hidden": "true" });
  let pointed = null;
  const point = (name) => {
    pointed = name;
    const site = name && fleet.sites.get(name);
    readout.textContent = site ? describe(site, stateOf(site, fleet.now()), fleet.now()) : "Point at a cell, or move there by Tab and the arrow keys.";
  };
  const cells = new Cells("Sites that have it", point);
  const none = el("p", { class: "faint" });
  const drawCells = () => {
    const now = fleet.now();
    const found = [];
    for (const site of fleet.sites.values()) if (site.applied === commit) found.push([stateOf(site, now), site]);
    const rank = new Map(STATES.map((state, place) => [state, place]));
    found.sort((a, b) => rank.get(a[0]) - rank.get(b[0]) || (a[1].name < b[1].name ? -1 : 1));
    cells.draw(found);
    none.textContent = found.length ? "" : "No site.";
    readout.hidden = !found.length;
    point(pointed);
  };
  let stopped = false;
  async function load() {
    try {
      const revision = await get(`/v1/revisions/${encodeURIComponent(commit)}`);
      if (!stopped) redraw(body, revisionNodes(revision, fleet.now(), [readout, cells.node, none]));
    } catch (error) {
      if (!stopped) redraw(body, [el("p", { role: "alert", class: "banner" }, error.message)]);
    }
  }
  const touched = (site) => site.applied === commit || site.attempted === commit;
  const leave = follow(fleet, () => JSON.stringify([fleet.newest,
    [...fleet.sites.values()].filter(touched).map((site) => [site.name, site.applied, site.attempt])]), load);
  fleet.addEventListener("sites", drawCells);
  drawCells();
  return {
    title: short(commit),
    nodes: [el("p", { class: "crumbs" }, el("a", { href: "#/revisions" }, "Revisions"), " / "), el("h1", {}, el("code", {}, short(commit))), body],
    leave: () => { stopped = true; leave(); fleet.removeEventListener("sites", drawCells); },
  };
}

// One cause that hits 300 sites is one line with 300 sites.
function causes(refused) {
  const found = new Map();
  for (const item of refused) {
    const first = item.findings[0] ?? {};
    const rule = first.rule ?? first.code ?? first.reason ?? item.reason ?? "";
    const message = first.message ?? item.message;
    const key = JSON.stringify([item.attempt, rule, message]);
    if (!found.has(key)) found.set(key, { how: HOW[item.attempt] ?? item.attempt, rule, message, hint: first.hint, location: first.location, sites: [] });
    found.get(key).sites.push(item.site);
  }
  return [...found.values()].sort((a, b) => b.sites.length - a.sites.length);
}

function causeNode(cause) {
  const names = cause.sites.slice(0, 12).flatMap((name, place) => [place ? ", " : "", siteLink(name)]);
  const rest = cause.sites.slice(12).flatMap((name, place) => [place ? ", " : "", siteLink(name)]);
  return el("li", {},
    el("p", { class: "line" }, el("strong", {}, plural(cause.sites.length, "site")), `${cause.how}`, el("code", { class: "rule" }, cause.rule),
      cause.location ? el("code", { class: "faint" }, cause.location) : null),
    el("p", {}, cause.message),
    cause.hint ? el("p", { class: "hint" }, cause.hint) : null,
    el("p", { class: "sites" }, names),
    rest.length ? el("details", { "data-key": JSON.stringify([cause.rule, cause.message]) }, el("summary", {}, `and ${number(rest.length / 2 + 0.5)} more`), el("p", { class: "sites" }, rest)) : null);
}

function revisionNodes(revision, now, has) {
  const waiting = revision.waiting.length + revision.underWay.length;
  const parts = [
    ["Ready", revision.applied.length, "have it"], ["Held", revision.refused.length, "turned it down"],
    ["Progressing", revision.underWay.length, "are at it"], ["rest", revision.waiting.length, "have an older one"],
    ["past", revision.beyond, "have a newer one"],
  ];
  return [
    el("p", { class: "lede" }, revision.subject || "no subject was reported"),
    el("p", { class: "faint" }, "first seen ", when(revision.firstSeen, now), ", ", when(revision.firstSeen)),
    bar(parts),
    el("ul", { class: "legend" }, parts.filter(([, count]) => count).map(([kind, count, words]) =>
      el("li", {}, el("span", { class: `mark m-${kind}`, "aria-hidden": "true" }), el("strong", {}, number(count)), ` ${words}`))),
    el("h2", {}, "Who turned it down, and why"),
    revision.refused.length ? el("ul", { class: "findings" }, causes(revision.refused).map(causeNode)) : el("p", { class: "faint" }, "Nobody."),
    el("h2", {}, "Who has it"),
    ...has,
    waiting ? el("h2", {}, "Who has not come to it") : null,
    waiting ? table("Who has not come to it", ["Site", "How it is", "Last heard"], [
      ...revision.underWay.map((item) => [siteLink(item.site), "at it now", ""]),
      ...revision.waiting.slice(0, 200).map((item) => [siteLink(item.site), item.state, when(item.lastSeen, now)]),
    ]) : null,
    revision.waiting.length > 200 ? el("p", { class: "faint" }, `and ${number(revision.waiting.length - 200)} more`) : null,
  ];
}
