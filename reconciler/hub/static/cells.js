// Sites as cells, the worst first: one stop of the Tab key, arrows move inside, Enter opens.

import { FINE, sinceOf } from "./api.js";
import { ago, el, keep, siteAddress } from "./dom.js";

const FEW = 150;
const MANY = 1200;

export const describe = (site, state, now) => [
  site.name,
  FINE.has(state) ? state : `${state} since ${ago(sinceOf(site, state), now)}`.replace(" ago", ""),
  site.behind === 0 ? "newest revision" : site.behind ? `${site.behind} behind` : "nothing applied",
].join(" · ");

export class Cells {
  constructor(label, onpoint = () => {}) {
    this.node = el("ul", { class: "cells", "aria-label": label });
    this.known = new Map();
    this.point = onpoint;
    this.node.addEventListener("pointerover", (event) => this.tell(event.target));
    this.node.addEventListener("pointerleave", () => onpoint(null));
    this.node.addEventListener("focusin", (event) => this.stop(event.target));
    this.node.addEventListener("focusout", () => onpoint(null));
    this.node.addEventListener("keydown", (event) => this.move(event));
  }

  // Sites are pairs of state and site. Where there are few of them in all, each has room for its name.
  draw(found, inAll = found.length) {
    const named = inAll <= FEW;
    keep(this.node, this.known, found, ([, site]) => site.name, ([, site]) => {
      const link = el("a", { href: siteAddress(site.name), tabindex: "-1" });
      link.dataset.site = site.name;
      const node = document.createElement("li");
      node.append(link);
      return { node, link, state: "" };
    }, (held, [state, site]) => {
      if (named !== Boolean(held.link.firstChild)) held.link.replaceChildren(...(named ? [el("span", { "aria-hidden": "true" }, site.name)] : []));
      if (held.state === state) return;
      held.state = state;
      held.link.className = `m-${state}`;
      held.link.setAttribute("aria-label", `${site.name}: ${state}`);
    });
    this.node.classList.toggle("named", named);
    this.node.classList.toggle("dense", inAll > MANY);
    if (!this.stopped?.isConnected) this.stop(this.node.querySelector("a"), true);
  }

  tell(target) {
    const link = target.closest?.("a");
    if (link) this.point(link.dataset.site);
  }

  stop(link, quietly = false) {
    if (!link?.dataset?.site) return;
    this.stopped?.setAttribute("tabindex", "-1");
    link.setAttribute("tabindex", "0");
    this.stopped = link;
    if (!quietly) this.point(link.dataset.site);
  }

  move(event) {
    const links = [...this.node.querySelectorAll("a")];
    const here = links.indexOf(document.activeElement);
    if (here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = Math.max(1, links.findIndex((link) => link.offsetTop !== links[0].offsetTop));
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -here, End: links.length - 1 - here };
    if (!(event.key in steps)) return;
    event.preventDefault();
    links[Math.min(links.length - 1, Math.max(0, here + steps[event.key]))].focus();
  }
}
