// The super-timeline: s stars, t tags and e takes the row in focus to the curated timeline; a drag over the bars narrows
// the time; empty fields stay out of the address. Without script bars are links and rows lead to pages that do the same.
import { recall } from "./storage.js";

const typing = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
const rowInFocus = () => document.activeElement?.closest?.("[data-super] [data-row]") ?? null;
let toTimeline = false;

const ACTS = {
  s: (row) => row.querySelector("button.star"),
  t: (row) => row.querySelector("[data-tag]"),
  e: (row) => {
    toTimeline = true;
    return row.querySelector("[data-open]");
  },
};

document.addEventListener("keydown", (event) => {
  const act = ACTS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (recall("shortcuts") === "off" || typing(event.target) || document.querySelector("dialog[open]")) return;
  const row = rowInFocus();
  const target = row && act(row);
  if (!target) return;
  event.preventDefault();
  target.click();
});

/** Who pressed e wants the form of the open row, not the row. */
document.addEventListener("htmx:afterSettle", (event) => {
  if (!toTimeline || event.detail.target?.id !== "drawer-body") return;
  toTimeline = false;
  // After swaps.js, which folds it as it was in the row that was open before.
  setTimeout(() => {
    const form = document.querySelector("#drawer-body details[id^='row-event']");
    if (!form) return;
    form.open = true;
    form.querySelector("input:not([type=hidden])")?.focus();
  });
});

/** Hundreds of rows that are about to be replaced go at once: htmx would say goodbye to each of their elements. */
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.shouldSwap) return;
  for (const rows of event.detail.target.querySelectorAll?.("[data-super]") ?? []) rows.replaceChildren();
});

/** After a star's button is swapped the focus stays on its row. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const row = event.detail.target?.matches?.("[data-super] button.star") ? event.detail.target.closest("[data-row]") : null;
  if (row && !row.contains(document.activeElement)) return;
  if (row) queueMicrotask(() => setTimeout(() => row.querySelector("button.star")?.focus(), 0));
});

// A list has hundreds of rows: one listener for all of them, since htmx would take a look at every element that it should know.
const plain = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
document.addEventListener("click", (event) => {
  const thing = event.target.closest?.("[data-super] :is(a[data-open], a[data-tag], button[data-star])");
  if (!thing || !plain(event)) return;
  event.preventDefault();
  if (thing.matches("[data-star]")) {
    const on = thing.getAttribute("aria-pressed") === "true" ? "0" : "1";
    window.htmx.ajax("POST", thing.dataset.star, { source: thing, target: thing, swap: "outerHTML", values: { on } });
    return;
  }
  const target = thing.matches("[data-open]") ? "#drawer-body" : "#modal-body";
  window.htmx.ajax("GET", thing.getAttribute("href"), { source: thing, target, swap: "innerHTML" });
});

/** Show `address` in place of the panel; the chart, which carries hx-push-url, takes the address into the history. */
const go = (address) => {
  window.htmx.ajax("GET", address.pathname + address.search, { source: document.getElementById("super-chart"), target: "#case-body", swap: "innerHTML" });
};
document.addEventListener("click", (event) => {
  const bar = event.target.closest?.("[data-brush] svg a");
  if (!bar || event.defaultPrevented || !plain(event)) return;
  event.preventDefault();
  go(spanOf(bar));
});

const spanOf = (link) => new URL(link.getAttribute("href"), location.href);
const barAt = (chart, x) => {
  const bars = [...chart.querySelectorAll("svg a")];
  return bars.reduce((best, bar) => {
    const box = bar.getBoundingClientRect();
    const far = Math.max(box.left - x, x - box.right, 0);
    return !best || far < best.far ? { bar, far } : best;
  }, null)?.bar;
};

let brush = null;
document.addEventListener("pointerdown", (event) => {
  const chart = event.target.closest?.("[data-brush] .chart");
  if (!chart || event.button !== 0 || !event.target.closest("svg")) return;
  brush = { chart, from: event.clientX, mark: null };
});

document.addEventListener("pointermove", (event) => {
  if (!brush || Math.abs(event.clientX - brush.from) < 6) return;
  event.preventDefault();
  const svg = brush.chart.querySelector("svg");
  const box = svg.getBoundingClientRect();
  if (!brush.mark) {
    brush.mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    brush.mark.setAttribute("class", "brush");
    svg.append(brush.mark);
  }
  const scale = svg.viewBox.baseVal.width / box.width;
  const [left, right] = [brush.from, event.clientX].sort((a, b) => a - b);
  for (const [name, value] of [["x", (left - box.left) * scale], ["y", 0], ["width", (right - left) * scale], ["height", svg.viewBox.baseVal.height]]) {
    brush.mark.setAttribute(name, value);
  }
});

document.addEventListener("pointerup", (event) => {
  const now = brush;
  brush = null;
  if (!now?.mark) return;
  now.mark.remove();
  const [left, right] = [now.from, event.clientX].sort((a, b) => a - b);
  const [first, last] = [barAt(now.chart, left), barAt(now.chart, right)];
  // The click that ends a drag would follow the bar below it.
  document.addEventListener("click", (click) => click.target.closest?.("svg a") && click.preventDefault(), { capture: true, once: true });
  if (!first || !last) return;
  const address = spanOf(first);
  address.searchParams.set("until", spanOf(last).searchParams.get("until"));
  go(address);
});
document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("[data-brush] svg")) event.preventDefault();
});

// Empty fields stay out of the request, and so out of the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches?.("[data-super-filters]")) return;
  const asked = event.detail.formData;
  for (const key of new Set(asked.keys())) {
    const values = asked.getAll(key).filter((value) => value !== "");
    asked.delete(key);
    for (const value of values) asked.append(key, value);
  }
});

/** What was pressed to narrow the list may be gone with the old one: then the list's heading takes the focus. */
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id !== "case-body") return;
  // After swaps.js, which gives the focus back to what is there again.
  setTimeout(() => {
    const lost = document.activeElement === document.body || document.activeElement === null;
    if (lost) document.getElementById("super-title")?.focus({ preventScroll: true });
  });
});
