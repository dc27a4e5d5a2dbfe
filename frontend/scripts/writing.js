// Long texts ([data-writing]): a toolbar that writes markdown, keys for it, a preview drawn by the server, and people
// offered behind an @. All of it can be typed by hand.
import { announce } from "./announce.js";

const PREVIEW_MS = 700;
const OFFER_MS = 200;
const NAME = /(^|[^\w@./+-])@([\w.+-]{1,60})$/;
const offers = new WeakMap();

const partOf = (area, name) => document.getElementById(`${area.id}-${name}`);
const areaOf = (node) => node.closest("[data-writing]")?.querySelector("textarea");

// execCommand keeps the browser's undo history, which setting .value would drop.
function put(area, from, to, text, select = [text.length, text.length]) {
  area.focus();
  area.setSelectionRange(from, to);
  if (text) document.execCommand("insertText", false, text);
  else if (from !== to) document.execCommand("delete");
  area.setSelectionRange(from + select[0], from + select[1]);
}

/** Marks around the selection, or taken off where they are there already. */
function around(area, before, after = before, instead = "text") {
  const { selectionStart: from, selectionEnd: to, value } = area;
  const inside = value.slice(from, to);
  if (value.slice(from - before.length, from) === before && value.slice(to, to + after.length) === after) {
    put(area, from - before.length, to + after.length, inside, [0, inside.length]);
    return;
  }
  const word = inside || instead;
  put(area, from, to, before + word + after, [before.length, before.length + word.length]);
}

/** A mark before every line of the selection, or taken off where every line has it. */
function lines(area, mark) {
  const from = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
  const end = area.value.indexOf("\n", Math.max(area.selectionEnd - 1, from));
  const to = end === -1 ? area.value.length : end;
  const before = area.value.slice(from, to).split("\n");
  const there = before.every((line) => line.startsWith(mark));
  const after = before.map((line) => (there ? line.slice(mark.length) : mark + line)).join("\n");
  put(area, from, to, after, [0, after.length]);
}

function block(area, text) {
  const at = area.selectionEnd;
  const gap = at === 0 || area.value.slice(0, at).endsWith("\n\n") ? "" : area.value[at - 1] === "\n" ? "\n" : "\n\n";
  put(area, at, at, gap + text);
}

function code(area) {
  const inside = area.value.slice(area.selectionStart, area.selectionEnd);
  if (inside.includes("\n")) around(area, "```kql\n", "\n```");
  else around(area, "`", "`", "code");
}

const TOOLS = {
  bold: (area) => around(area, "**"),
  italic: (area) => around(area, "*"),
  heading: (area) => lines(area, "## "),
  link: (area) => around(area, "[", "](https://)", "words"),
  code,
  quote: (area) => lines(area, "> "),
  list: (area) => lines(area, "- "),
  tasks: (area) => lines(area, "- [ ] "),
  table: (area) => block(area, "| When | What |\n|---|---|\n|  |  |\n"),
  image: (area) => around(area, "![", "](E-1)", "what it shows"),
  preview: (area, button) => preview(area, button),
};
const KEYS = { b: "bold", i: "italic", k: "link" };

// --- preview -----------------------------------------------------------------------------------------------------------
let previewTimer = 0;

function draw(area) {
  const home = area.closest("[data-writing]");
  window.htmx.ajax("POST", home.dataset.previewUrl, { source: partOf(area, "preview"), target: partOf(area, "preview"), swap: "innerHTML", values: { text: area.value } });
}

function preview(area, button) {
  const pane = partOf(area, "preview");
  pane.hidden = !pane.hidden;
  button.setAttribute("aria-pressed", String(!pane.hidden));
  if (!pane.hidden) draw(area);
}

// --- people ------------------------------------------------------------------------------------------------------------
function close(area) {
  const list = partOf(area, "offer");
  if (!list) return;
  list.hidden = true;
  list.replaceChildren();
  area.removeAttribute("aria-activedescendant");
  area.removeAttribute("aria-controls");
  offers.delete(area);
}

function choose(area, to) {
  const list = partOf(area, "offer");
  const all = [...list.children];
  const at = (to + all.length) % all.length;
  all.forEach((one, n) => one.setAttribute("aria-selected", String(n === at)));
  area.setAttribute("aria-activedescendant", all[at].id);
  all[at].scrollIntoView({ block: "nearest" });
  offers.set(area, at);
}

function show(area, people) {
  close(area);
  if (people.length === 0 || document.activeElement !== area) return;
  const list = partOf(area, "offer");
  people.forEach((person, n) => {
    const item = document.createElement("li");
    item.id = `${list.id}-${n}`;
    item.setAttribute("role", "option");
    item.dataset.username = person.username;
    item.append(Object.assign(document.createElement("b"), { textContent: person.name }), ` @${person.username}`);
    list.append(item);
  });
  list.hidden = false;
  area.setAttribute("aria-controls", list.id);
  choose(area, 0);
  announce(`${people.length} ${people.length === 1 ? "person" : "people"}: arrow keys choose, Enter takes`);
}

function take(area, username) {
  const upTo = area.value.slice(0, area.selectionStart);
  const found = NAME.exec(upTo);
  close(area);
  if (found) put(area, upTo.length - found[2].length, upTo.length, `${username} `);
}

async function offer(area) {
  const found = area.selectionStart === area.selectionEnd ? NAME.exec(area.value.slice(0, area.selectionStart)) : null;
  if (!found) {
    close(area);
    return;
  }
  const url = `${area.closest("[data-writing]").dataset.peopleUrl}?q=${encodeURIComponent(found[2])}`;
  try {
    const reply = await fetch(url, { redirect: "manual", headers: { Accept: "application/json" } });
    const now = NAME.exec(area.value.slice(0, area.selectionStart));
    if (reply.ok && now?.[2] === found[2]) show(area, (await reply.json()).people);
  } catch {
    close(area); // offline: names can be typed
  }
}

function walk(event, area) {
  const at = offers.get(area);
  if (at === undefined) return false;
  const list = partOf(area, "offer");
  if (event.key === "ArrowDown") choose(area, at + 1);
  else if (event.key === "ArrowUp") choose(area, at - 1);
  else if (event.key === "Enter" || event.key === "Tab") take(area, list.children[at].dataset.username);
  else if (event.key === "Escape") close(area);
  else return false;
  return true;
}

// --- listening -----------------------------------------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-writing] [data-tool]");
  if (button) TOOLS[button.dataset.tool]?.(areaOf(button), button);
});
document.addEventListener("pointerdown", (event) => {
  const item = event.target.closest?.("[data-writing] .offer [role=option]");
  if (!item) return;
  event.preventDefault();
  take(areaOf(item), item.dataset.username);
});
document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (target.matches?.("[data-writing] textarea")) {
    if (event.isComposing) return;
    const tool = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && KEYS[event.key.toLowerCase()];
    if (tool) TOOLS[tool](target);
    if (tool || walk(event, target)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) target.form?.requestSubmit();
  } else if (target.matches?.("[data-writing] [data-tool]")) rove(event, target);
});

/** One stop for Tab; the arrow keys walk the toolbar. */
function rove(event, button) {
  const all = [...button.parentElement.querySelectorAll("[data-tool]")];
  const to = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const edge = { Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined && edge === undefined) return;
  event.preventDefault();
  const next = all[edge ?? (all.indexOf(button) + to + all.length) % all.length];
  for (const one of all) one.tabIndex = one === next ? 0 : -1;
  next.focus();
}

document.addEventListener("input", (event) => {
  const area = event.target;
  if (!area.matches?.("[data-writing] textarea")) return;
  clearTimeout(area.offerTimer);
  area.offerTimer = setTimeout(() => offer(area), OFFER_MS);
  if (partOf(area, "preview").hidden) return;
  clearTimeout(previewTimer);
  previewTimer = setTimeout(() => draw(area), PREVIEW_MS);
});
document.addEventListener("focusout", (event) => {
  if (event.target.matches?.("[data-writing] textarea")) close(event.target);
});
