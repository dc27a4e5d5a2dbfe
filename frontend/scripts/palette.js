// Ctrl+K opens the command palette. The focus stays in its field; the arrows move aria-activedescendant over the list:
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
const dialog = () => document.getElementById("palette");
const field = () => dialog()?.querySelector('[role="combobox"]');
const lines = () => [...(dialog()?.querySelectorAll('[role="option"]') ?? [])];

function choose(line) {
  for (const one of lines()) one.setAttribute("aria-selected", String(one === line));
  if (line) {
    field().setAttribute("aria-activedescendant", line.id);
    line.scrollIntoView({ block: "nearest" });
  } else field()?.removeAttribute("aria-activedescendant");
}

const chosen = () => lines().find((line) => line.getAttribute("aria-selected") === "true");

function open() {
  const box = dialog();
  if (!box || box.open || document.querySelector("dialog[open]")) return false;
  const inView = location.pathname.match(/^\/cases\/(IR-[^/]+)\//);
  box.querySelector('[name="case"]').value = inView ? inView[1] : "";
  field().value = "";
  box.showModal();
  field().focus();
  window.htmx?.trigger(field(), "palette:open");
  return true;
}

function step(by) {
  const all = lines();
  if (all.length === 0) return;
  const at = all.indexOf(chosen());
  choose(all[(at + by + all.length) % all.length]);
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    // A query's editor and a browser's own field keep their key where the palette is not on the page.
    if (dialog() && (dialog().open || open())) event.preventDefault();
    return;
  }
  if (event.target !== field() || event.isComposing) return;
  if (event.key === "ArrowDown") step(1);
  else if (event.key === "ArrowUp") step(chosen() ? -1 : 0);
  else if (event.key === "Enter") (chosen() ?? lines()[0])?.click();
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-palette]");
  if (opener && !event.ctrlKey && !event.metaKey && open()) event.preventDefault();
  else if (event.target === dialog()) dialog().close();
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "palette-list") choose(lines()[0]);
});
