// What the hub knows, kept up to date: one compact answer at first, then what changed, by server-sent events.

export const STATES = ["Degraded", "Offline", "RolledBack", "Held", "Unknown", "OutOfSync", "Suspended", "Progressing", "Ready"];
export const FINE = new Set(["Ready", "Progressing", "Suspended"]);
export const REFUSED = new Set(["denied", "held", "failed", "rolledback"]);

export async function get(path) {
  const answer = await fetch(path);
  if (answer.status === 401) { location.assign("/login"); return new Promise(() => {}); }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.title || `the hub answered ${answer.status}`);
  return body;
}

// The state to show now: a report that is too old never counts as health, even where nothing is heard meanwhile.
export function stateOf(site, now) {
  return site.offlineAt && site.offlineAt < now ? "Offline" : site.state;
}

export const worst = (states) => STATES.find((state) => states.get(state)) ?? "Unknown";

// Since when a site is as it is: where it is silent, since it was last heard.
export const sinceOf = (site, state) => (state === "Offline" ? site.lastSeen : site.since);

export class Fleet extends EventTarget {
  constructor() {
    super();
    this.sites = new Map();
    this.revisions = [];
    this.newest = null;
    this.ahead = 0; // milliseconds that the hub's clock is ahead of this one
    this.lost = null;
    this.pending = false;
    this.stale = 0;
  }

  now() { return Date.now() + this.ahead; }

  async load() {
    const told = await get("/v1/overview");
    const sites = new Map();
    for (const row of told.rows) {
      const site = Object.fromEntries(told.fields.map((field, place) => [field, row[place]]));
      site.labels = told.labels[site.labels];
      site.applied = told.commits[site.applied];
      site.attempted = told.commits[site.attempted];
      site.since = Date.parse(site.since) || 0;
      sites.set(site.name, site);
    }
    this.sites = sites;
    this.revisions = told.revisions;
    this.newest = told.newest;
    this.ahead = told.asOf - Date.now();
    this.changed();
  }

  listen() {
    const stream = new EventSource("/v1/stream");
    stream.addEventListener("open", () => {
      const missed = this.lost !== null;
      this.lost = null;
      this.dispatchEvent(new Event("link"));
      if (missed) this.reload(Math.random() * 1000); // what changed meanwhile was not told
    });
    stream.addEventListener("error", () => {
      this.lost ??= Date.now();
      this.dispatchEvent(new Event("link"));
      // The browser gives up after some answers, such as "busy"; this does not, and asks meanwhile.
      if (stream.readyState !== EventSource.CLOSED) return;
      setTimeout(() => this.listen(), 5000 + Math.random() * 10000);
      this.reload(1000);
    });
    stream.addEventListener("sites", (message) => this.hear(JSON.parse(message.data)));
    this.watch ??= setInterval(() => this.changed(), 10000); // silence is news as well
  }

  hear(news) {
    this.ahead = Date.parse(news.asOf) - Date.now();
    let moved = news.newest !== this.newest;
    for (const item of news.sites) {
      const before = this.sites.get(item.name);
      moved ||= before?.applied !== item.applied || before?.attempt !== item.attempt;
      this.sites.set(item.name, {
        ...item,
        since: Date.parse(item.since) || 0,
        lastSeen: Date.parse(item.lastSeen) || 0,
        offlineAt: Date.parse(item.offlineAt) || 0,
      });
    }
    for (const name of news.gone) this.sites.delete(name);
    this.changed();
    if (moved) this.reload(); // how far everybody is behind has changed, too
  }

  // Load all anew, once for whatever asks for it in the next seconds.
  reload(wait = 5000) {
    if (this.stale) return;
    this.stale = setTimeout(() => { this.stale = 0; this.load().catch(() => this.reload()); }, wait);
  }

  changed() {
    if (this.pending) return;
    this.pending = true;
    // A page that nobody sees gets no frames, and yet shall be right when somebody looks.
    (document.hidden ? queueMicrotask : requestAnimationFrame)(() => {
      this.pending = false;
      this.dispatchEvent(new Event("sites"));
    });
  }
}

// Label selectors, as the hub and kubectl read them: region=north,ring!=canary,tier in (a, b),!legacy
export function selector(text) {
  const tests = [];
  const term = /\s*(?:!\s*([\w./-]+)|([\w./-]+)(?:\s*(==|=|!=)\s*([\w.-]*)|\s+(in|notin)\s*\(([\w.,\s-]*)\))?)\s*(?:,|$)/y;
  while (term.lastIndex < text.trimEnd().length) {
    const match = term.exec(text);
    if (!match) throw new Error("Write labels as region=north, ring!=canary, tier in (a, b) or !legacy.");
    const [, absent, key, sign, value, set, values] = match;
    if (absent) tests.push((labels) => !(absent in labels));
    else if (set) {
      const wanted = new Set(values.split(",").map((one) => one.trim()));
      tests.push((labels) => wanted.has(labels[key]) === (set === "in"));
    } else if (sign) tests.push((labels) => (labels[key] === value) === (sign !== "!="));
    else tests.push((labels) => key in labels);
  }
  return (labels) => tests.every((test) => test(labels));
}
