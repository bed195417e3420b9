// Finds the page that the address names, and says whether what is shown is live.

import { Fleet } from "./api.js";
import { fleetPage, revisionPage, revisionsPage, sitePage } from "./pages.js";

const fleet = new Fleet();
const kept = { search: "", labels: "", states: new Set() };
const main = document.getElementById("main");
const live = document.getElementById("live");
let page = null;

function show(first) {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  page?.leave();
  if (parts[0] === "sites" && parts[1]) page = sitePage(fleet, parts[1]);
  else if (parts[0] === "revisions" && parts[1]) page = revisionPage(fleet, parts[1]);
  else if (parts[0] === "revisions") page = revisionsPage(fleet);
  else page = fleetPage(fleet, kept);
  document.title = `${page.title} - Wayside`;
  main.replaceChildren(...page.nodes);
  for (const link of document.querySelectorAll("header nav a")) {
    const here = link.hash === `#/${parts[0] === "revisions" ? "revisions" : ""}`;
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
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    const search = main.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); }
  }
});

try {
  await fleet.load();
} catch (error) {
  main.textContent = `The fleet cannot be loaded: ${error.message}`;
  throw error;
}
show(true);
fleet.listen();
