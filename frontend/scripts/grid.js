// [data-grid]: arrow keys walk the cells, Enter or a click opens the row's details at that cell, pinned columns stay in
// sight. Without script the row's number leads to the same details.
const KEYS = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-15, 0],
  PageDown: [15, 0],
};

const cellOf = (target) => target.closest?.("table[data-grid] tbody td") ?? null;

/** One cell of the grid is in the tab order: the one that had the focus last. */
function enter(cell) {
  const table = cell.closest("table");
  for (const other of table.querySelectorAll("td[tabindex]")) other.removeAttribute("tabindex");
  cell.tabIndex = 0;
  cell.focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** The details of the cell's row, opened at the cell's column. */
function open(cell) {
  const link = cell.parentElement.querySelector(".rowhead a[hx-get]");
  const head = cell.closest("table").tHead.rows[0].cells[cell.cellIndex];
  if (!link || !window.htmx) return;
  const address = new URL(link.getAttribute("hx-get"), location.href);
  if (head.dataset.column) address.searchParams.set("column", head.dataset.column);
  window.htmx.ajax("GET", `${address.pathname}${address.search}`, { source: link, target: link.getAttribute("hx-target") });
}

function step(cell, rows, columns) {
  const body = cell.closest("tbody");
  const row = Math.min(Math.max(cell.parentElement.sectionRowIndex + rows, 0), body.rows.length - 1);
  const cells = body.rows[row].cells;
  return cells[Math.min(Math.max(cell.cellIndex + columns, 1), cells.length - 1)];
}

document.addEventListener("keydown", (event) => {
  const cell = cellOf(event.target);
  if (!cell || event.target !== cell || event.altKey || event.metaKey || event.shiftKey) return;
  const [rows, columns] = KEYS[event.key] ?? [];
  if (rows !== undefined && !event.ctrlKey) enter(step(cell, rows, columns));
  else if (event.key === "Home") enter(event.ctrlKey ? cell.closest("tbody").rows[0].cells[1] : step(cell, 0, -Infinity));
  else if (event.key === "End") enter(event.ctrlKey ? step(cell, Infinity, Infinity) : step(cell, 0, Infinity));
  else if (event.key === "Enter") open(cell);
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const cell = cellOf(event.target);
  // Who selects text wants to copy it.
  if (!cell || event.defaultPrevented || String(getSelection())) return;
  enter(cell);
  open(cell);
});

/** Pinned columns stand one beside the other: how far from the edge is known only once they are laid out. */
function pin(table) {
  const count = Number(table.dataset.pins);
  const heads = [...table.tHead.rows[0].cells];
  const first = heads.findIndex((head) => head.dataset.column !== undefined);
  let offset = heads[0].offsetWidth;
  for (let place = first; place < first + count && place < heads.length; place += 1) {
    for (const row of table.rows) {
      row.cells[place].classList.add("pinned");
      row.cells[place].style.insetInlineStart = `${offset}px`;
    }
    offset += heads[place].offsetWidth;
  }
}

function prepare(root) {
  for (const table of root.querySelectorAll("table[data-grid]")) {
    table.setAttribute("role", "grid");
    const first = table.querySelector("tbody td");
    if (first && !table.querySelector("td[tabindex]")) first.tabIndex = 0;
    if (table.dataset.pins) pin(table);
  }
}

/** Who stars an open row sees it in the grid behind: the server's answer says which row and what became of it. */
document.addEventListener("starred", ({ detail }) => {
  const button = document.getElementById(`star-${detail.number}`);
  if (!button?.matches("button.star")) return;
  button.setAttribute("aria-pressed", String(detail.on));
  button.value = detail.on ? "0" : "1";
  button.setAttribute("hx-vals", JSON.stringify({ on: button.value }));
});

document.addEventListener("htmx:afterSettle", () => prepare(document));
prepare(document);
