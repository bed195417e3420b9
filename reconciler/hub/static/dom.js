// Making and renewing nodes. Everything from outside becomes text by textContent, never HTML.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Makes a node's children those of `items`, in order. Nodes are kept by key, so that focus and open parts stay.
export function keep(parent, known, items, keyOf, make, renew) {
  const wanted = new Set();
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    wanted.add(key);
    let held = known.get(key);
    if (!held) known.set(key, (held = make(item)));
    renew(held, item);
    if (place && place !== held.node && place.nextSibling === held.node) {
      // The one that stood here comes later, or not at all: without it, all that follow stay where they are.
      place.remove();
      place = held.node;
    }
    if (place === held.node) place = place.nextSibling;
    else parent.insertBefore(held.node, place);
  }
  for (const [key, held] of known) if (!wanted.has(key)) { held.node.remove(); known.delete(key); }
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

// Puts new nodes into a part of a page, and gives back focus and what was open.
export function redraw(body, nodes) {
  const focused = body.contains(document.activeElement) ? marks(body).indexOf(markOf(document.activeElement)) : -1;
  const mark = focused >= 0 ? markOf(document.activeElement) : null;
  const open = new Map([...body.querySelectorAll("details[data-key]")].map((part) => [part.dataset.key, part.open]));
  body.replaceChildren(...nodes.filter(Boolean));
  for (const part of body.querySelectorAll("details[data-key]")) {
    if (open.has(part.dataset.key)) part.open = open.get(part.dataset.key);
  }
  if (mark !== null) body.querySelectorAll(FOCUSABLE)[marks(body).indexOf(mark)]?.focus({ preventScroll: true });
}

const FOCUSABLE = "a, button, summary, [tabindex]";
const markOf = (node) => `${node.tagName} ${node.getAttribute("href") ?? node.textContent}`;
const marks = (body) => [...body.querySelectorAll(FOCUSABLE)].map(markOf);

export const number = (count) => count.toLocaleString("en");
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
export const short = (commit) => (commit ? commit.slice(0, 10) : "none");
export const siteAddress = (name) => `#/sites/${encodeURIComponent(name)}`;
export const siteLink = (name) => el("a", { href: siteAddress(name) }, name);
export const commitLink = (commit) => commit
  ? el("a", { href: `#/revisions/${encodeURIComponent(commit)}` }, el("code", {}, short(commit)))
  : el("span", { class: "faint" }, "none");
export const badge = (state) => el("span", { class: `state s-${state}` }, el("span", { class: `mark m-${state}`, "aria-hidden": "true" }), state);

const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function ago(at, now) {
  const seconds = Math.max(0, (now - at) / 1000);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const count = Math.floor(seconds / size);
    if (count) return `${plural(count, unit)} ago`;
  }
  return "just now";
}

// A time, in words that a person wants; the exact one is in its title.
export function when(at, now) {
  const moment = typeof at === "string" ? Date.parse(at) : at;
  if (!moment) return "never";
  const date = new Date(moment);
  return el("time", { datetime: date.toISOString(), title: FULL.format(date) }, now ? ago(moment, now) : FULL.format(date));
}

export function table(caption, heads, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));
}

// A bar in parts, each as wide as its share; the words beside it say the same.
export function bar(parts) {
  const node = el("div", { class: "bar", "aria-hidden": "true" });
  for (const [kind, count] of parts) {
    if (!count) continue;
    const part = el("span", { class: `m-${kind}` });
    part.style.flexGrow = count;
    node.append(part);
  }
  return node;
}

export const card = (name, ...content) => el("section", { class: "card" }, el("h2", {}, name), ...content);
export const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(Boolean)
  .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
