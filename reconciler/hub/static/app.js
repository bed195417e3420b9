// Finds the page that the address names, and says whether what is shown is live.

import { Fleet } from "./api.js";
import { fleetPage } from "./fleet.js";
import { revisionPage, revisionsPage } from "./revisions.js";
import { sitePage } from "./site.js";

const fleet = new Fleet();
const main = document.getElementById("main");
const live = document.getElementById("live");
let page = null;

function decode(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function show(first) {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decode);
  page?.leave();
  if (parts[0] === "sites" && parts[1]) page = sitePage(fleet, parts[1]);
  else if (parts[0] === "revisions" && parts[1]) page = revisionPage(fleet, parts[1]);
  else if (parts[0] === "revisions") page = revisionsPage(fleet);
  else page = fleetPage(fleet, query);
  document.title = `${page.title} - Wayside`;
  main.replaceChildren(...page.nodes);
  for (const link of document.querySelectorAll("header nav a")) {
    const here = link.hash === (parts[0] === "revisions" ? "#/revisions" : "#/");
    if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  if (!first) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
}

fleet.addEventListener("link", () => {
  live.classList.toggle("lost", fleet.lost !== null);
  live.textContent = fleet.lost === null ? "live" : `not connected since ${new Date(fleet.lost).toLocaleTimeString()}: what is shown is old`;
});
addEventListener("hashchange", () => { if (location.hash !== "#main") show(false); });
document.addEventListener("keydown", (event) => {
  const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
    const search = main.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  }
});

try {
  await fleet.load();
} catch (error) {
  main.replaceChildren(Object.assign(document.createElement("p"), { textContent: `The fleet cannot be loaded: ${error.message}`, role: "alert" }));
  throw error;
}
show(true);
fleet.listen();
