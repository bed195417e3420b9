// The pages. Everything from outside becomes text by textContent, never HTML.

import { STATES, get, selector, stateOf } from "./api.js";

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const short = (commit) => (commit ? commit.slice(0, 10) : "none");
const siteLink = (name) => el("a", { href: `#/sites/${encodeURIComponent(name)}` }, name);
const commitLink = (commit) => commit
  ? el("a", { href: `#/revisions/${encodeURIComponent(commit)}` }, el("code", {}, short(commit)))
  : el("span", { class: "faint" }, "none");
const when = (text) => (text ? el("time", { datetime: text, title: text }, new Date(text).toLocaleString()) : "never");
const badge = (state) => el("span", { class: "state" }, el("span", { class: `dot s-${state}`, "aria-hidden": "true" }), state);

function ago(text, now) {
  if (!text) return "never";
  const seconds = Math.max(0, (now - Date.parse(text)) / 1000);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const count = Math.floor(seconds / size);
    if (count) return `${count} ${unit}${count > 1 ? "s" : ""} ago`;
  }
  return "just now";
}

function table(caption, heads, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));
}

const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null)
  .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));

// The fleet: how many sites are in which state, and each of them as one cell.
export function fleetPage(fleet, kept) {
  const counts = el("ul", { class: "states", "aria-label": "Sites by state" });
  const grid = el("ul", { class: "grid", "aria-label": "Sites" });
  const said = el("p", { class: "faint", role: "status" });
  const trouble = el("div", {});
  const search = el("input", { type: "search", value: kept.search, oninput: () => { kept.search = search.value; draw(); } });
  const labels = el("input", { type: "text", value: kept.labels, placeholder: "region=north,ring!=canary", spellcheck: "false",
    oninput: () => { kept.labels = labels.value; draw(); } });
  const cells = new Map();
  const chips = new Map(STATES.map((state) => {
    const count = el("strong", {}, "0");
    const button = el("button", { type: "button", "aria-pressed": String(kept.states.has(state)), onclick: () => {
      if (!kept.states.delete(state)) kept.states.add(state);
      button.setAttribute("aria-pressed", String(kept.states.has(state)));
      draw();
    } }, el("span", { class: `dot s-${state}`, "aria-hidden": "true" }), count, ` ${state}`);
    counts.append(el("li", {}, button));
    return [state, { button, count }];
  }));

  function draw() {
    const now = fleet.now();
    let fits = () => true;
    let wrong = "";
    try { fits = selector(kept.labels); } catch (error) { wrong = error.message; }
    labels.setAttribute("aria-invalid", String(Boolean(wrong)));
    const wanted = kept.search.trim().toLowerCase();
    const found = [];
    const numbers = Object.fromEntries(STATES.map((state) => [state, 0]));
    let newest = 0;
    for (const site of fleet.sites.values()) {
      if ((wanted && !site.name.includes(wanted)) || !fits(site.labels)) continue;
      const state = stateOf(site, now);
      numbers[state] += 1;
      if (site.behind === 0) newest += 1;
      if (!kept.states.size || kept.states.has(state)) found.push([state, site]);
    }
    found.sort((a, b) => STATES.indexOf(a[0]) - STATES.indexOf(b[0]) || (a[1].name < b[1].name ? -1 : 1));
    for (const [state, chip] of chips) chip.count.textContent = numbers[state];
    const shown = new Set();
    let place = grid.firstChild;
    for (const [state, site] of found) {
      shown.add(site.name);
      let cell = cells.get(site.name);
      if (!cell) {
        const link = el("a", { href: `#/sites/${encodeURIComponent(site.name)}` });
        cell = { item: el("li", {}, link), link, text: "" };
        cells.set(site.name, cell);
      }
      const text = `${site.name}: ${state}${state === "Offline" ? ` since ${ago(site.lastSeen, now)}` : ""}`;
      if (cell.text !== text) {
        cell.text = text;
        cell.link.className = `s-${state}`;
        cell.link.title = text;
        cell.link.setAttribute("aria-label", text);
      }
      if (place === cell.item) place = place.nextSibling;
      else grid.insertBefore(cell.item, place);
    }
    for (const [name, cell] of cells) if (!shown.has(name)) { cell.item.remove(); cells.delete(name); }
    said.textContent = wrong || `${found.length} of ${fleet.sites.size} sites shown; ${newest} have the newest revision`;
    const bad = found.filter(([state]) => !["Ready", "Progressing", "Suspended"].includes(state)).slice(0, 50);
    trouble.replaceChildren(...(bad.length ? [
      el("h2", {}, "What needs a look"),
      table("What needs a look", ["Site", "State", "Since", "Why"], bad.map(([state, site]) => [
        siteLink(site.name), badge(state), state === "Offline" ? ago(site.lastSeen, now) : ago(site.since, now),
        state === "Offline" ? `silent; it was ${site.lastState} when it was last heard` : site.message,
      ])),
    ] : []));
  }
  fleet.addEventListener("sites", draw);
  draw();
  return {
    title: "Fleet",
    nodes: [el("h1", {}, "Fleet"), counts, el("div", { class: "filters" },
      el("label", {}, "Name", search), el("label", {}, "Labels", labels)), said, grid, trouble],
    leave: () => fleet.removeEventListener("sites", draw),
  };
}

const WORDS = {
  "dev.wayside.agent.started.v1": (data) => `the agent started, version ${data.version ?? "unknown"}`,
  "dev.wayside.agent.heartbeat.v1": () => "heartbeat",
  "dev.wayside.sync.planned.v1": (data) => `plan for ${short(data.commit)}: ${numbers(data.counts)}`,
  "dev.wayside.sync.applied.v1": (data) => `applied ${short(data.commit)}: ${numbers(data.counts)}`,
  "dev.wayside.sync.failed.v1": (data) => `failed ${short(data.commit)}: ${data.message ?? ""}`,
  "dev.wayside.sync.denied.v1": (data) => `refused ${short(data.commit)}: ${data.reasons?.[0]?.message ?? ""}`,
  "dev.wayside.sync.held.v1": (data) => `held ${short(data.commit)}: ${data.holds?.[0]?.message ?? ""}`,
  "dev.wayside.sync.rolledback.v1": (data) => `went back to ${short(data.to)}: ${data.message ?? ""}`,
  "dev.wayside.health.changed.v1": (data) => `${data.state ?? ""}: ${data.message ?? ""}`,
  "dev.wayside.drift.detected.v1": (data) => `changed by hand: ${(data.changes ?? []).map((change) => change.resource).join(", ")}`,
  "dev.wayside.drift.corrected.v1": () => "what was changed by hand is as it should be again",
  "dev.wayside.source.failed.v1": (data) => `the repository cannot be read: ${data.message ?? ""}`,
  "dev.wayside.source.restored.v1": () => "the repository can be read again",
  "dev.wayside.site.suspended.v1": () => "suspended",
  "dev.wayside.outbox.compacted.v1": (data) => `${total(data.dropped)} events were let go while it was offline`,
};
const numbers = (counts) => Object.entries(counts ?? {}).filter(([, count]) => count).map(([what, count]) => `${count} ${what}`).join(", ") || "nothing to do";
const total = (dropped) => Object.values(dropped ?? {}).reduce((sum, count) => sum + count, 0);
const bytes = (count) => (count > 1e6 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e3).toFixed(1)} kB`);

const finding = (item) => [item.rule ?? item.code ?? item.reason ?? "", item.resource || item.location || "", item.message ?? "", item.hint ?? ""];
const findingsTable = (items) => table("Findings", ["Rule", "Where", "What", "What to do"], items.map(finding));

// One site: how it is, what it has, what happened.
export function sitePage(fleet, name) {
  const body = el("div", {}, el("p", {}, "Loading …"));
  let stopped = false;
  let seen = "";
  async function draw() {
    const known = JSON.stringify(fleet.sites.get(name) ?? null);
    if (known === seen) return;
    seen = known;
    try {
      const [site, events] = await Promise.all([
        get(`/v1/sites/${encodeURIComponent(name)}`), get(`/v1/sites/${encodeURIComponent(name)}/events?limit=50`)]);
      if (!stopped) body.replaceChildren(...siteNodes(site, events.items, fleet.now()));
    } catch (error) {
      if (!stopped) body.replaceChildren(el("p", { role: "alert" }, error.message));
    }
  }
  fleet.addEventListener("sites", draw);
  draw();
  return { title: name, nodes: [el("h1", {}, name), body], leave: () => { stopped = true; fleet.removeEventListener("sites", draw); } };
}

function siteNodes(site, events, now) {
  const state = stateOf(site, now);
  const labels = Object.entries(site.labels).map(([key, value]) => `${key}=${value}`).join(", ");
  const syncs = events.filter(({ event }) => /^dev\.wayside\.sync\.(applied|failed|denied|held|rolledback)\./.test(event.type)).slice(0, 5);
  const unhealthy = Object.entries(site.unhealthy);
  return [
    site.conflict ? el("p", { class: "banner", role: "alert" }, site.conflict) : null,
    facts([
      ["State", badge(state)],
      [state === "Offline" ? "Offline since" : "Since", when(state === "Offline" ? site.lastSeen : site.since)],
      ["Why", state === "Offline" ? `silent; it was ${site.lastState} when it was last heard` : site.message],
      ["Applied", el("span", {}, commitLink(site.applied), ` ${site.subject}`)],
      ["Newer revisions", site.behind === null ? "unknown" : String(site.behind)],
      ["Looked at last", el("span", {}, commitLink(site.attempted), ` ${site.attempt}`)],
      ["Last heard", when(site.lastSeen)],
      ["Labels", labels || "none"],
      ["Resources", String(site.resources)],
      ["Agent", `${site.version || "unknown"}${site.platform ? ` on ${site.platform}` : ""}`],
      ["Clock", site.clockSkew === null ? "not measured" : `${Math.abs(site.clockSkew)} s ${site.clockSkew < 0 ? "behind" : "ahead"}`],
      ["Reports over the link", site.link.sent === undefined ? "not measured" : `${bytes(site.link.sent)} sent, ${bytes(site.link.received ?? 0)} received`],
      ["Events let go", site.lostEvents ? String(site.lostEvents) : null],
      ["Does not work", site.faults.length ? site.faults.join(", ") : null],
    ].filter(Boolean)),
    site.findings.length ? el("h2", {}, `Why ${short(site.attempted)} is ${site.attempt}`) : null,
    site.findings.length ? findingsTable(site.findings) : null,
    unhealthy.length ? el("h2", {}, "Not healthy") : null,
    unhealthy.length ? table("Not healthy", ["Resource", "Why"], unhealthy) : null,
    site.drift.length ? el("h2", {}, "Changed by hand") : null,
    site.drift.length ? el("ul", {}, site.drift.map((resource) => el("li", {}, resource))) : null,
    el("h2", {}, "Last syncs"),
    syncs.length ? table("Last syncs", ["When", "Revision", "What", "Verdict"], syncs.map(({ event }) => [
      when(event.time), commitLink(event.data.commit), (WORDS[event.type] ?? (() => event.type))(event.data),
      el("code", {}, short((event.data.digests?.verdict ?? "").replace("sha256:", ""))),
    ])) : el("p", { class: "faint" }, "none yet"),
    el("h2", {}, "Timeline"),
    el("ol", { class: "timeline" }, events.map(({ event }) =>
      el("li", {}, el("span", { class: "faint" }, when(event.time)), (WORDS[event.type] ?? (() => event.type))(event.data ?? {})))),
  ].filter(Boolean);
}

// Revisions: what came when, and how far it got.
export function revisionsPage(fleet) {
  const body = el("div", {}, el("p", {}, "Loading …"));
  let stopped = false;
  async function draw() {
    try {
      const page = await get("/v1/revisions?limit=100");
      if (stopped) return;
      body.replaceChildren(page.items.length ? table("Revisions", ["Revision", "Subject", "First seen", "Sites that have it", "Sites that refused it"],
        page.items.map((item) => [commitLink(item.commit), item.subject, when(item.firstSeen), String(item.applied), String(item.refused)]))
        : el("p", {}, "No site has reported a revision yet."));
    } catch (error) {
      if (!stopped) body.replaceChildren(el("p", { role: "alert" }, error.message));
    }
  }
  draw();
  return { title: "Revisions", nodes: [el("h1", {}, "Revisions"), body], leave: () => { stopped = true; } };
}

// One revision: who has it, who refused it, and why.
export function revisionPage(fleet, commit) {
  const body = el("div", {}, el("p", {}, "Loading …"));
  let stopped = false;
  get(`/v1/revisions/${encodeURIComponent(commit)}`).then((revision) => {
    if (stopped) return;
    body.replaceChildren(
      facts([["Subject", revision.subject || "unknown"], ["First seen", when(revision.firstSeen)],
        ["Sites that have it", String(revision.applied.length)], ["Sites that refused it", String(revision.refused.length)]]),
      el("h2", {}, "Refused by"),
      revision.refused.length ? table("Refused by", ["Site", "How", "Why"], revision.refused.map((item) => [
        siteLink(item.site), item.attempt, item.findings[0]?.message ?? item.message])) : el("p", { class: "faint" }, "nobody"),
      el("h2", {}, "Applied at"),
      revision.applied.length ? table("Applied at", ["Site", "State", "When"], revision.applied.map((item) => [
        siteLink(item.site), badge(item.state), when(item.at)])) : el("p", { class: "faint" }, "no site"));
  }, (error) => { if (!stopped) body.replaceChildren(el("p", { role: "alert" }, error.message)); });
  return { title: short(commit), nodes: [el("h1", {}, "Revision ", el("code", {}, short(commit))), body], leave: () => { stopped = true; } };
}
