// "/" search, "?" help, "n" new, "g" then a letter goes to a [data-go] link, "j"/"k" walk [data-rows] lists.
// Single keys can be switched off in the help dialog (WCAG 2.1.4): https://www.w3.org/WAI/WCAG22/Understanding/character-key-shortcuts
import { recall, remember } from "./storage.js";

const GO_WINDOW_MS = 1500;
let goUntil = 0;

// A person switches them off for themselves everywhere in the profile, or in one browser in the help.
const off = () => document.body.dataset.keys === "off" || recall("shortcuts") === "off";
const typing = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;

function focusSearch() {
  const field = document.querySelector("[data-search]");
  if (!field || field.offsetParent === null) return false;
  field.focus();
  field.select();
  return true;
}

function openHelp() {
  const dialog = document.getElementById("shortcuts");
  if (!dialog || dialog.open) return false;
  dialog.showModal();
  return true;
}

function go(letter) {
  const link = document.querySelector(`[data-go="${CSS.escape(letter)}"]`);
  if (!link) return false;
  link.click();
  return true;
}

/** The rows of the list that holds the focus, else of the first list on the page. */
function rowsInReach() {
  const list = document.activeElement?.closest("[data-rows]") ?? document.querySelector("main [data-rows]");
  return list ? [...list.querySelectorAll("[data-row]")] : [];
}

function step(by) {
  const rows = rowsInReach();
  if (rows.length === 0) return false;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at === -1 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
  const target = next.matches("a, button") ? next : next.querySelector("a[href], button:not([disabled])");
  target?.focus();
  next.scrollIntoView({ block: "nearest" });
  return target !== null;
}

/** The star of the row of a grid that has the focus. */
function star() {
  const button = document.activeElement?.closest("table[data-grid] tbody tr")?.querySelector("button.star");
  button?.click();
  return Boolean(button);
}

/** What the page is there to begin: a case, a note, an event. */
function press(selector) {
  const target = document.querySelector(selector);
  target?.click();
  return Boolean(target);
}

function handle(key) {
  if (Date.now() < goUntil) {
    goUntil = 0;
    return go(key);
  }
  if (key === "/") return focusSearch();
  if (key === "?") return openHelp();
  if (key === "j") return step(1);
  if (key === "k") return step(-1);
  if (key === "s") return star();
  if (key === "n") return press("main [data-new]");
  if (key === "g") {
    goUntil = Date.now() + GO_WINDOW_MS;
    return true;
  }
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (off() || typing(event.target) || document.querySelector("dialog[open]")) return;
  if (handle(event.key)) event.preventDefault();
});

const toggle = document.querySelector("[data-shortcuts-toggle]");
if (toggle) {
  toggle.checked = recall("shortcuts") !== "off";
  toggle.addEventListener("change", () => remember("shortcuts", toggle.checked ? null : "off"));
}
