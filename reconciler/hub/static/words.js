// What events say, in words.

import { FINE } from "./api.js";
import { number, plural, short } from "./dom.js";

export const counted = (counts) => Object.entries(counts ?? {}).filter(([, count]) => count)
  .map(([what, count]) => `${number(count)} ${{ create: "created", update: "updated", delete: "deleted" }[what] ?? what}`).join(", ") || "nothing to change";
export const bytes = (count) => (count >= 1e6 ? `${(count / 1e6).toFixed(1)} MB` : count >= 1e3 ? `${(count / 1e3).toFixed(1)} kB` : `${count} B`);

const total = (dropped) => Object.values(dropped ?? {}).reduce((sum, count) => sum + (Number(count) || 0), 0);
const list = (value) => (Array.isArray(value) ? value : []);

// For each type: what kind of news it is, and a sentence.
const WORDS = {
  "agent.started": ["note", (data) => `Agent started, version ${data.version || "unknown"}`],
  "agent.heartbeat": ["quiet", (data) => (data.state && !FINE.has(data.state) ? `Heartbeat: ${data.state}` : "Heartbeat")],
  "sync.planned": ["note", (data) => `Plan for ${short(data.commit)}: ${counted(data.counts)}`],
  "sync.applied": ["good", (data) => `Applied ${short(data.commit)}: ${counted(data.counts)}`],
  "sync.failed": ["bad", (data) => `Failed at ${short(data.commit)}: ${data.message ?? ""}`],
  "sync.denied": ["bad", (data) => `Refused ${short(data.commit)}: ${list(data.reasons)[0]?.message ?? ""}`],
  "sync.held": ["bad", (data) => `Held ${short(data.commit)}: ${list(data.holds)[0]?.message ?? ""}`],
  "sync.rolledback": ["bad", (data) => `Went back to ${short(data.to)} from ${short(data.commit)}: ${data.message ?? ""}`],
  "health.changed": ["note", (data) => [
    data.was && data.was !== data.state ? `${data.state}, was ${data.was}` : data.state,
    data.message, ...list(data.changes).slice(0, 5).map((change) => `${change.resource}: ${change.from} → ${change.to}`),
  ].filter(Boolean).join("; ")],
  "drift.detected": ["bad", (data) => `Changed by hand: ${list(data.changes).map((change) => change.resource).join(", ")}`],
  "drift.corrected": ["good", () => "What was changed by hand is as it should be again"],
  "drift.contested": ["bad", (data) => `${data.by ?? "Somebody"} keeps changing ${data.resource ?? "an object"}`],
  "facts.differ": ["bad", (data) => `The site is not what its site.yaml says: ${plural(Number(data.count) || 0, "difference")}`],
  "source.failed": ["bad", (data) => `The repository cannot be read: ${data.message ?? ""}`],
  "source.restored": ["good", () => "The repository can be read again"],
  "site.suspended": ["note", () => "Suspended"],
  "outbox.compacted": ["note", (data) => `${plural(total(data.dropped), "event")} let go while it was offline`],
};

export function say(event) {
  const [kind, words] = WORDS[event.type.split(".").slice(2, 4).join(".")] ?? ["note", () => event.type];
  return { kind, text: words(event.data ?? {}) };
}

export const OUTCOMES = {
  "sync.applied": ["Ready", "Applied"],
  "sync.failed": ["Degraded", "Failed"],
  "sync.denied": ["Held", "Refused"],
  "sync.held": ["Held", "Held"],
  "sync.rolledback": ["RolledBack", "Went back"],
};
export const shortType = (event) => event.type.split(".").slice(2, 4).join(".");
export const findingsOf = (data) => [...list(data.reasons), ...list(data.holds), ...list(data.failures)];
export const changesOf = (data) => list(data.changes);
