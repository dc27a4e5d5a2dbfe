// After an htmx swap: what the reader had open, scrolled or focused is as before; new content may ask for focus or speech.
import { announce } from "./announce.js";

const kept = new WeakMap();

/** Open <details id>, scroll offsets of [id].scroll, and the focused id, inside `root`. */
function snapshot(root) {
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  return {
    focusId: focused?.id || null,
    open: [...root.querySelectorAll("details[id]")].map((one) => [one.id, one.open]),
    scroll: [...root.querySelectorAll(".scroll[id], pre[id]")].map((one) => [one.id, one.scrollTop, one.scrollLeft]).filter(([, top, left]) => top || left),
  };
}

function restore(state) {
  for (const [id, open] of state.open) {
    const one = document.getElementById(id);
    if (one instanceof HTMLDetailsElement) one.open = open;
  }
  for (const [id, top, left] of state.scroll) document.getElementById(id)?.scrollTo({ top, left, behavior: "instant" });
  const lost = document.activeElement === document.body || document.activeElement === null;
  if (lost && state.focusId) document.getElementById(state.focusId)?.focus({ preventScroll: true });
}

function focus(wanted) {
  if (!wanted.matches("a[href], button, input, select, textarea")) wanted.tabIndex = -1;
  wanted.focus();
}

/** On a narrow screen the row of tabs scrolls: bring the current one into sight, without moving the page. */
function show(link) {
  const nav = link.closest("nav");
  nav.scrollTo({ left: link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2, behavior: "instant" });
}

// Tabs that swap only their panel: the mark of the current one follows the address.
document.addEventListener("htmx:pushedIntoHistory", () => {
  for (const nav of document.querySelectorAll("nav.tabs")) {
    const here = [...nav.querySelectorAll("a")].find((link) => new URL(link.href).pathname === location.pathname);
    if (!here) continue;
    for (const link of nav.querySelectorAll("[aria-current]")) link.removeAttribute("aria-current");
    here.setAttribute("aria-current", "page");
    show(here);
  }
});
document.querySelectorAll("nav.tabs [aria-current]").forEach(show);

// A whole page may ask for it too: what was wrong with a form stands below the head of the case, out of sight on a phone.
const asks = document.querySelector("main [data-focus]");
if (asks && !location.hash && !document.querySelector("[autofocus]") && document.activeElement === document.body) focus(asks);

// As it is before anybody else prepares for the swap.
document.addEventListener("htmx:beforeSwap", (event) => kept.set(event.detail.xhr, snapshot(event.detail.target)), true);

document.addEventListener("htmx:afterSettle", (event) => {
  const state = kept.get(event.detail.xhr);
  if (state) {
    kept.delete(event.detail.xhr);
    restore(state);
  }
  const root = event.detail.elt;
  const wants = root.matches?.("[data-focus]") ? root : root.querySelector?.("[data-focus]");
  if (wants) focus(wants);
  const says = root.matches?.("[data-announce]") ? root : root.querySelector?.("[data-announce]");
  if (says) announce(says.dataset.announce);
});
