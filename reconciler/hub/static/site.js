// One site: how it is, what it has, what happened.

import { REFUSED, get, stateOf } from "./api.js";
import { ago, badge, bar, card, commitLink, el, facts, number, plural, redraw, short, table, when } from "./dom.js";
import { OUTCOMES, bytes, changesOf, counted, findingsOf, say, shortType } from "./words.js";

const SYNCS = Object.keys(OUTCOMES).map((name) => `dev.wayside.${name}.v1`);
const PLANNED = "dev.wayside.sync.planned.v1";

export function sitePage(fleet, name) {
  const address = `/v1/sites/${encodeURIComponent(name)}`;
  const body = el("div", {}, el("p", { class: "faint" }, "Loading …"));
  let stopped = false;
  let seen = null;
  let shown = null;
  let drawn = null;
  let length = 50;

  async function load() {
    const known = JSON.stringify(fleet.sites.get(name) ?? null);
    if (known === seen) { if (shown && stale()) draw(); return; }
    seen = known;
    try {
      const types = encodeURIComponent([...SYNCS, PLANNED].join(","));
      const [site, syncs, events] = await Promise.all([
        get(address), get(`${address}/events?limit=20&type=${types}`), get(`${address}/events?limit=${length}`)]);
      shown = { site, syncs: syncs.items, events: events.items, older: events.next !== null };
      if (!stopped) draw();
    } catch (error) {
      shown = null;
      if (!stopped) redraw(body, [el("p", { role: "alert", class: "banner" }, error.message)]);
    }
  }

  // What is shown ages: its hours, and a site that falls silent. Nobody's selected text is taken away for that.
  function stale() {
    const now = fleet.now();
    if (stateOf({ ...shown.site, offlineAt: Date.parse(shown.site.offlineAt) }, now) !== drawn.state) return true;
    return now - drawn.at > 30000 && document.getSelection().isCollapsed;
  }

  function draw() {
    const now = fleet.now();
    drawn = { at: now, state: stateOf({ ...shown.site, offlineAt: Date.parse(shown.site.offlineAt) }, now) };
    const subjects = new Map(fleet.revisions.map((item) => [item.commit, item.subject]));
    redraw(body, siteNodes(shown, now, subjects, () => { length = Math.min(1000, length + 150); seen = null; load(); }));
  }

  fleet.addEventListener("sites", load);
  load();
  return {
    title: name,
    nodes: [el("p", { class: "crumbs" }, el("a", { href: "#/" }, "Fleet"), " / "), el("h1", {}, name), body],
    leave: () => { stopped = true; fleet.removeEventListener("sites", load); },
  };
}

const labelLink = ([key, value]) => el("li", {}, el("a", { href: `#/?labels=${encodeURIComponent(`${key}=${value}`)}` }, `${key}=${value}`));

function siteNodes({ site, syncs, events, older }, now, subjects, showOlder) {
  const at = { ...site, offlineAt: Date.parse(site.offlineAt) };
  const state = stateOf(at, now);
  const offline = state === "Offline";
  const labels = Object.entries(site.labels);
  const unhealthy = Object.entries(site.unhealthy);
  const sick = Math.min(unhealthy.length, site.resources);
  return [
    el("p", { class: "line big" }, badge(state), since(offline ? site.lastSeen : site.since, offline, now)),
    el("p", { class: "lede" }, offline ? `It was ${site.lastState} when it was last heard. What follows is what it said then.` : site.message),
    site.conflict ? el("p", { class: "banner", role: "alert" }, site.conflict) : null,
    labels.length ? el("ul", { class: "labels", "aria-label": "Labels" }, labels.map(labelLink)) : null,
    el("div", { class: "cards" }, revisionCard(site, now), resourcesCard(site, sick, state), linkCard(site, now, offline), agentCard(site)),
    site.findings.length ? el("h2", {}, `Why ${short(site.attempted)} ${{ denied: "is refused", held: "is held", failed: "failed", rolledback: "was taken back" }[site.attempt] ?? "is not applied"}`) : null,
    site.findings.length ? findings(site.findings) : null,
    unhealthy.length ? el("h2", {}, "Not healthy") : null,
    unhealthy.length ? table("Not healthy", ["Resource", "Why"], unhealthy.map(([resource, why]) => [el("code", {}, resource), why])) : null,
    site.drift.length ? el("h2", {}, "Changed by hand") : null,
    site.drift.length ? el("ul", {}, site.drift.map((resource) => el("li", {}, el("code", {}, resource)))) : null,
    el("h2", {}, "Last syncs"),
    ...syncNodes(syncs, now, subjects),
    el("h2", {}, "Timeline"),
    timeline(events, now),
    older ? el("button", { type: "button", onclick: showOlder }, "Show older") : null,
  ];
}

function since(at, offline, now) {
  if (!at) return null;
  return el("span", { class: "faint" }, offline ? "silent since " : "since ", when(at), ` (${ago(Date.parse(at), now)})`);
}

function revisionCard(site, now) {
  const lag = site.behind === null ? "nothing is applied" : site.behind === 0 ? "the newest" : `${plural(site.behind, "newer revision")} since`;
  return card("Revision",
    el("p", { class: "figure" }, commitLink(site.applied)),
    site.subject ? el("p", {}, site.subject) : null,
    facts([
      ["Lag", lag],
      site.appliedAt ? ["Applied", when(site.appliedAt, now)] : null,
      site.attempted && site.attempted !== site.applied ? [REFUSED.has(site.attempt) ? "Turned down" : "Looked at", commitLink(site.attempted)] : null,
    ]));
}

function resourcesCard(site, sick, state) {
  const offline = state === "Offline";
  const fine = site.resources - sick;
  return card("Resources",
    el("p", { class: "figure" }, sick ? `${number(fine)} of ${number(site.resources)}` : number(site.resources)),
    el("p", {}, offline ? (sick ? "were healthy when it was last heard" : "objects when it was last heard") : sick ? "are healthy" : "objects"),
    // Neither a stale report nor one that does not tell counts as health.
    state === "Ready" || (state === "Degraded" && sick) ? bar([["Ready", fine], ["Degraded", sick]]) : null,
    facts([
      ["Changed by hand", site.drift.length ? number(site.drift.length) : "none"],
      site.faults.length ? ["Does not answer", site.faults.join(", ")] : null,
    ]));
}

function linkCard(site, now, offline) {
  const skew = site.clockSkew === null ? "not measured"
    : Math.abs(site.clockSkew) < 2 ? "right" : `${span(Math.abs(site.clockSkew))} ${site.clockSkew < 0 ? "slow" : "fast"}`;
  return card("Link",
    el("p", { class: "figure" }, when(site.lastSeen, now)),
    el("p", {}, offline ? "last heard; it counts as offline" : "last heard"),
    facts([
      ["Heartbeat", `every ${span(site.heartbeatInterval)}`],
      site.link.sent === undefined ? null : ["Sent", bytes(site.link.sent)],
      site.link.received === undefined ? null : ["Received", bytes(site.link.received)],
      ["Its clock", skew],
    ]));
}

function agentCard(site) {
  return card("Agent",
    el("p", { class: "figure" }, site.version || "unknown"),
    site.platform ? el("p", {}, `on ${site.platform}`) : null,
    facts([
      ["Events", number(site.events)],
      site.lostEvents ? ["Let go", number(site.lostEvents)] : null,
      ["First seen", when(site.firstSeen)],
    ]));
}

function span(seconds) {
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds >= size) return plural(Math.round(seconds / size), unit);
  }
  return plural(Math.round(seconds), "second");
}

function findings(items) {
  return el("ul", { class: "findings" }, items.map((item) => el("li", {},
    el("p", { class: "line" }, el("code", { class: "rule" }, item.rule ?? item.code ?? item.reason ?? ""),
      el("code", { class: "faint" }, item.location || item.resource || "")),
    el("p", {}, item.message ?? ""),
    item.location && item.resource ? el("p", { class: "faint" }, item.resource) : null,
    item.hint ? el("p", { class: "hint" }, item.hint) : null)));
}

// Each attempt with the plan it began with, which is the next older event of that kind.
function syncNodes(items, now, subjects) {
  const events = items.map((item) => item.event);
  const nodes = [];
  events.forEach((event, place) => {
    const outcome = OUTCOMES[shortType(event)];
    if (!outcome || nodes.length >= 8) return;
    const before = events[place + 1];
    const plan = before?.type === PLANNED && before.data.commit === event.data.commit ? before.data : null;
    const changes = changesOf(event.data).length ? changesOf(event.data) : changesOf(plan ?? {});
    const found = findingsOf(event.data);
    const [state, word] = outcome;
    const digest = event.data.digests?.verdict;
    nodes.push(el("details", { class: "sync", "data-key": `${event.id}` },
      el("summary", {}, el("span", { class: "line" }, el("span", { class: `state s-${state}` }, el("span", { class: `mark m-${state}`, "aria-hidden": "true" }), word),
        el("code", {}, short(event.data.commit)), el("span", { class: "subject" }, event.data.subject ?? plan?.subject ?? subjects.get(event.data.commit) ?? ""),
        el("span", { class: "faint" }, when(event.time, now)))),
      el("p", {}, say(event).text),
      plan ? el("p", { class: "faint" }, `Plan: ${counted(plan.counts)}`) : null,
      changes.length ? table(`Changes of sync ${event.id}`, ["What", "Resource", "Fields"], changes.map(changeRow)) : null,
      found.length ? findings(found) : null,
      el("p", { class: "faint" }, commitLink(event.data.commit), digest ? [" verdict ", el("code", {}, digest.slice(0, 26))] : null)));
  });
  return nodes.length ? nodes : [el("p", { class: "faint" }, "None yet.")];
}

function changeRow(change) {
  const fields = Array.isArray(change.fields) ? change.fields : [];
  return [change.action ?? "", el("code", {}, change.resource ?? ""),
    el("ul", { class: "plain" }, fields.map((field) => el("li", {}, el("code", {}, field.path ?? ""), " ", shorten(field.before), " → ", shorten(field.after))),
      change.moreFields ? el("li", {}, `and ${number(change.moreFields)} more`) : null)];
}

const shorten = (value) => { const text = typeof value === "string" ? value : JSON.stringify(value ?? null); return text.length > 80 ? `${text.slice(0, 79)}…` : text; };

// Heartbeats in a row that say the same are one line: a day of quiet is nothing to scroll past.
function timeline(items, now) {
  const lines = [];
  for (const { event } of items) {
    const last = lines.at(-1);
    const beat = shortType(event) === "agent.heartbeat";
    if (beat && last?.beats && last.event.data.state === event.data.state) { last.beats += 1; last.from = event.time; }
    else lines.push({ event, beats: beat ? 1 : 0, from: event.time });
  }
  if (!lines.length) return el("p", { class: "faint" }, "Nothing yet.");
  return el("ol", { class: "timeline" }, lines.map(({ event, beats, from }) => {
    const { kind, text } = say(event);
    const words = beats > 1 ? `${text}, ${number(beats)} times, the first ${ago(Date.parse(from), now)}` : text;
    return el("li", { class: `t-${kind}` }, el("span", { class: "faint" }, when(event.time)), el("span", {}, words));
  }));
}
