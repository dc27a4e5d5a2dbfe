// A notebook's cells ([data-cell] in [data-cells]): keys where nobody types, focus after a cell is replaced, cells that
// move, and names of tables put into the query that was written last. Every key is also a button or a link of the cell.
import { recall } from "./storage.js";

const DELETE_WINDOW_MS = 800;
let deleteUntil = 0;
let lastHost = null;

const list = () => document.querySelector("[data-cells]");
const cells = () => [...document.querySelectorAll("[data-cells] > [data-cell]")];
const cell = (uuid) => document.getElementById(`cell-${uuid}`);
const act = (one, what) => one.querySelector(`[data-do="${what}"]`);

function step(one, by) {
  const all = cells();
  const next = all[all.indexOf(one) + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return Boolean(next);
}

function press(one, what) {
  const button = act(one, what);
  button?.click();
  return Boolean(button);
}

/** "d" twice, as in other notebooks: once alone must not take anything away. */
function remove(one) {
  const twice = Date.now() < deleteUntil;
  deleteUntil = twice ? 0 : Date.now() + DELETE_WINDOW_MS;
  return twice ? press(one, "delete") : true;
}

const KEYS = {
  Enter: (one) => press(one, "edit"),
  a: (one) => press(one, "above"),
  b: (one) => press(one, "below"),
  t: (one) => press(one, "text"),
  d: remove,
  j: (one) => step(one, 1),
  k: (one) => step(one, -1),
  ArrowDown: (one) => step(one, 1),
  ArrowUp: (one) => step(one, -1),
};

function combined(event, one) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return press(one, "run");
  if (event.key === "Enter" && event.shiftKey) return press(one, "run-next") || step(one, 1);
  if (event.key === "ArrowUp" && event.altKey) return press(one, "up");
  if (event.key === "ArrowDown" && event.altKey) return press(one, "down");
  return false;
}

document.addEventListener("keydown", (event) => {
  const one = event.target;
  if (event.defaultPrevented || event.isComposing || !one.matches?.("[data-cells] > [data-cell]")) return;
  const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
  const off = plain && event.key.length === 1 && recall("shortcuts") === "off";
  if (!off && (plain ? KEYS[event.key]?.(one) : combined(event, one))) event.preventDefault();
});

// Shift+Enter in a plain field; the editor has an action of its own for it.
document.addEventListener("keydown", (event) => {
  const onward = event.target.matches?.("[data-editing] textarea") && event.key === "Enter" && event.shiftKey && event.target.form?.querySelector("[data-run-next]");
  if (!onward || event.defaultPrevented) return;
  event.preventDefault();
  onward.click(); // htmx sends the name of a button that was clicked
});
document.addEventListener("cellFocus", ({ detail }) => cell(detail.cell)?.focus());
document.addEventListener("cellNext", ({ detail }) => {
  const one = cell(detail.cell);
  if (one && !step(one, 1)) document.querySelector("[data-add-last]")?.focus();
});
document.addEventListener("cellMoved", ({ detail }) => {
  const one = cell(detail.cell);
  if (!one) return;
  list().insertBefore(one, detail.before ? cell(detail.before) : null);
  one.focus();
  one.scrollIntoView({ block: "nearest" });
});

// A cell that opens for writing takes the cursor.
document.addEventListener("htmx:afterSettle", (event) => {
  const one = event.detail.elt;
  if (one.matches?.("[data-editing]")) one.querySelector("textarea")?.focus();
});

document.addEventListener("focusin", (event) => {
  const host = event.target.closest?.("[data-editing] [data-kql], [data-editing]");
  if (host) lastHost = host.matches("[data-kql]") ? host : host.querySelector("[data-kql]") ?? host;
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-insert]");
  if (!button) return;
  const host = lastHost?.isConnected ? lastHost : document.querySelector("[data-editing] [data-kql]");
  if (host) document.dispatchEvent(new CustomEvent("kql:insert", { detail: { host, text: button.dataset.insert } }));
  else navigator.clipboard?.writeText(button.dataset.insert);
});
