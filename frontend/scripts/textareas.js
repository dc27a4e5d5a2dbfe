// Growing text areas, and Tab inside [data-code] (Escape, then Tab, leaves the field).
const INDENT = "    ";
const grows = CSS.supports("field-sizing", "content");
const released = new WeakSet();

function grow(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

// execCommand keeps the browser's undo history, which setting .value would drop.
const insert = (text) => document.execCommand("insertText", false, text);

/** Add or remove one indent on every line that the selection touches. */
function indentLines(area, add) {
  const from = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
  const to = Math.max(area.selectionEnd, from);
  const lines = area.value.slice(from, to).split("\n");
  const changed = lines.map((line) => (add ? INDENT + line : line.replace(/^( {1,4}|\t)/, ""))).join("\n");
  if (changed === lines.join("\n")) return;
  area.setSelectionRange(from, to);
  insert(changed);
  area.setSelectionRange(from, from + changed.length);
}

function onTab(event, area) {
  event.preventDefault();
  const several = area.value.slice(area.selectionStart, area.selectionEnd).includes("\n");
  if (several || event.shiftKey) indentLines(area, !event.shiftKey);
  else insert(INDENT);
}

document.addEventListener("keydown", (event) => {
  const area = event.target;
  if (!area.matches?.("textarea[data-code]") || area.readOnly) return;
  if (event.key === "Escape") released.add(area);
  else if (event.key === "Tab" && !released.has(area) && !event.ctrlKey && !event.altKey) onTab(event, area);
  else if (event.key !== "Tab" && event.key !== "Shift") released.delete(area);
  // Ctrl+Enter (Cmd+Enter) submits, as in the portals.
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) area.form?.requestSubmit();
});
document.addEventListener("focusout", (event) => released.delete(event.target));

if (!grows) {
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("textarea:not([data-code])")) grow(event.target);
  });
}
