// What the hub knows, kept up to date: one list of sites, changed by server-sent events.

export const STATES = ["Degraded", "Offline", "RolledBack", "Held", "Unknown", "OutOfSync", "Suspended", "Progressing", "Ready"];

export async function get(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) { location.assign("/login"); return new Promise(() => {}); }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.title || `the hub answered ${answer.status}`);
  return body;
}

// The state to show now: a report that is too old never counts as health, even where nothing is heard meanwhile.
export function stateOf(site, now) {
  return site.offlineAt && Date.parse(site.offlineAt) < now ? "Offline" : site.state;
}

export class Fleet extends EventTarget {
  constructor() {
    super();
    this.sites = new Map();
    this.ahead = 0; // milliseconds that the hub's clock is ahead of this one
    this.lost = null;
    this.pending = false;
  }

  now() { return Date.now() + this.ahead; }

  async load() {
    let cursor = "";
    const sites = new Map();
    do {
      const page = await get(`/v1/sites?limit=10000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      for (const site of page.items) sites.set(site.name, site);
      cursor = page.next;
      this.ahead = Date.parse(page.asOf) - Date.now();
    } while (cursor);
    this.sites = sites;
    this.changed();
  }

  listen() {
    const stream = new EventSource("/v1/stream");
    stream.addEventListener("open", () => {
      const missed = this.lost !== null;
      this.lost = null;
      this.dispatchEvent(new Event("link"));
      if (missed) this.load().catch(() => {}); // what changed meanwhile was not told
    });
    stream.addEventListener("error", () => {
      this.lost ??= Date.now();
      this.dispatchEvent(new Event("link"));
    });
    stream.addEventListener("sites", (message) => {
      const news = JSON.parse(message.data);
      this.ahead = Date.parse(news.asOf) - Date.now();
      for (const site of news.sites) this.sites.set(site.name, site);
      for (const name of news.gone) this.sites.delete(name);
      this.changed();
    });
    setInterval(() => this.changed(), 10000); // silence is news as well
  }

  changed() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.dispatchEvent(new Event("sites")); });
  }
}

// Label selectors, as the hub and kubectl read them: region=north,ring!=canary,!legacy
export function selector(text) {
  const tests = text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => {
    const match = /^(!?)([\w./-]+)(?:(==|=|!=)([\w.-]*))?$/.exec(part);
    if (!match) throw new Error("write labels as region=north,ring!=canary");
    const [, not, key, sign, value] = match;
    if (!sign) return (labels) => (key in labels) === !not;
    return (labels) => (labels[key] === value) === (sign !== "!=");
  });
  return (labels) => tests.every((test) => test(labels));
}
