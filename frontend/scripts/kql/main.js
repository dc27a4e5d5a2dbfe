// The KQL editor over a plain text area, which stays the form's field and holds the text at every moment.
import { useWorkers } from "./environment.js";
import "monaco-editor/esm/vs/editor/edcore.main.js";
import * as monaco from "monaco-editor/esm/vs/editor/editor.api";
import { keepChecking } from "./checks.js";
import { offerHunts } from "./hunts.js";
import { soften, useSchema } from "./language.js";
import { followTheme } from "./themes.js";
import { keepValues } from "./values.js";
import "./editor.css";

const NARROW = 620; // px of the editor below which long lines wrap and the margin goes
const MIN_LINES = 8;
const LINE = 20;
const LATE_MS = 60_000;

const still = matchMedia("(prefers-reduced-motion: reduce)");

const OPTIONS = {
  language: "kusto",
  theme: "ircase",
  automaticLayout: true,
  fixedOverflowWidgets: true,
  minimap: { enabled: false },
  fontFamily: '"JetBrains Mono", ui-monospace, "Cascadia Mono", Consolas, monospace',
  fontLigatures: false,
  fontSize: 13,
  lineHeight: LINE,
  padding: { top: 8, bottom: 8 },
  scrollBeyondLastLine: false,
  scrollbar: { alwaysConsumeMouseWheel: false, verticalScrollbarSize: 10, horizontalScrollbarSize: 10 },
  overviewRulerLanes: 0,
  renderLineHighlight: "line",
  renderLineHighlightOnlyWhenFocus: true,
  selectionHighlight: false,
  stickyScroll: { enabled: false },
  glyphMargin: false,
  tabSize: 4,
  insertSpaces: true,
  wordBasedSuggestions: "off",
  unicodeHighlight: { ambiguousCharacters: true, invisibleCharacters: true, includeComments: true, includeStrings: true },
  occurrencesHighlight: "off",
  accessibilityPageSize: 50,
};

const calm = () => ({ cursorBlinking: still.matches ? "solid" : "blink", smoothScrolling: false });

/** Widgets that overflow live at the end of the page: a card would cut them off, a container query misplace them. */
function widgetHome() {
  const home = document.createElement("div");
  home.className = "monaco-editor kql-widgets";
  document.body.append(home);
  return home;
}

/** Height follows the text, between a few lines and half the window; long lines wrap where there is no room. */
function fit(editor, box) {
  const size = () => {
    const least = MIN_LINES * LINE + 16;
    const height = Math.min(Math.max(editor.getContentHeight(), least), Math.max(innerHeight * 0.55, least));
    box.style.blockSize = `${Math.round(height) + box.offsetHeight - box.clientHeight}px`;
    const narrow = box.clientWidth < NARROW;
    editor.updateOptions({ wordWrap: narrow ? "on" : "off", folding: !narrow, lineNumbersMinChars: narrow ? 2 : 3, lineDecorationsWidth: narrow ? 6 : 10 });
  };
  editor.onDidContentSizeChange(size);
  editor.onDidLayoutChange(size);
  size();
}

/** The label names the editor as it named the field, help and errors still describe it. */
function name(editor, area, label) {
  const input = editor.getDomNode().querySelector("textarea.inputarea, .native-edit-context");
  input.id = `${area.id}-editor`;
  for (const attribute of ["aria-describedby", "aria-invalid"]) {
    if (area.hasAttribute(attribute)) input.setAttribute(attribute, area.getAttribute(attribute));
  }
  if (label) label.htmlFor = input.id;
}

/** Escape, then Tab, leaves as in every field of code here; Monaco's own Ctrl+M does it for good. */
function letGo(box, isBusy) {
  let released = false;
  box.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Escape") released = !isBusy();
      else if (event.key === "Tab" && released) event.stopPropagation();
      else if (!["Tab", "Shift"].includes(event.key)) released = false;
    },
    true,
  );
  box.addEventListener("focusout", () => {
    released = false;
  });
}

const WIDGETS = ".suggest-widget.visible, .parameter-hints-widget.visible, .find-widget.visible, .rename-box, .monaco-hover:not(.hidden)";

function addActions(editor, form) {
  editor.addAction({
    id: "ircase.run",
    label: "Run this query",
    keybindings: [monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter],
    contextMenuGroupId: "navigation",
    run: () => form.requestSubmit(form.querySelector("button.primary")),
  });
  const onward = form.querySelector("[data-run-next]");
  if (onward) {
    editor.addAction({
      id: "ircase.runNext",
      label: "Run this query and move on",
      keybindings: [monaco.KeyMod.Shift | monaco.KeyCode.Enter],
      run: () => onward.click(), // htmx sends the name of a button that was clicked
    });
  }
  // Monaco has another key for it on Linux; the help names one.
  editor.addAction({
    id: "ircase.format",
    label: "Format this query",
    keybindings: [monaco.KeyMod.Shift | monaco.KeyMod.Alt | monaco.KeyCode.KeyF],
    run: () => editor.getAction("editor.action.formatDocument").run(),
  });
}

function bar(host, editor) {
  const acts = { format: "editor.action.formatDocument", comment: "editor.action.commentLine", commands: "editor.action.quickCommand", suggest: "editor.action.triggerSuggest" };
  const click = (event) => {
    const act = acts[event.target.closest("[data-kql-do]")?.dataset.kqlDo];
    if (!act) return;
    editor.focus();
    editor.trigger("bar", act, null);
  };
  host.addEventListener("click", click);
  return () => host.removeEventListener("click", click);
}

/** The form's choice of sources: a list, or boxes of which several may be ticked; then the first one's schema is meant. */
function sourcesOf(form) {
  const all = [...form.querySelectorAll('[name="source"]')];
  const one = () => (all[0]?.type === "checkbox" ? all.find((box) => box.checked) ?? all[0] : all[0]);
  return { value: () => one()?.value ?? "", each: (act) => all.forEach(act) };
}

/** Turn the text area inside `host` into the editor. `dispose()` gives the text area back. */
export function mount(host) {
  const area = host.querySelector("textarea[data-code]");
  const form = area.form;
  const label = form.querySelector(`label[for="${CSS.escape(area.id)}"]`);
  const chooser = sourcesOf(form);
  const help = document.getElementById(`${area.id}_helptext`);
  const helpText = help?.textContent;
  useWorkers(host.dataset.languageWorker, host.dataset.editorWorker);

  const focused = document.activeElement === area;
  const [from, to] = [area.selectionStart, area.selectionEnd];
  const box = document.createElement("div");
  box.className = "kql-box";
  area.after(box);
  const home = widgetHome();
  const stopTheme = followTheme(host);
  const model = monaco.editor.createModel(area.value, "kusto");
  model.setEOL(monaco.editor.EndOfLineSequence.LF);
  const editor = monaco.editor.create(box, { ...OPTIONS, ...calm(), model, ariaLabel: label?.textContent ?? "KQL", overflowWidgetsDomNode: home });
  const required = area.required;
  Object.assign(area, { hidden: true, required: false });
  if (help) help.textContent = host.dataset.help;
  name(editor, area, label);
  fit(editor, box);
  letGo(box, () => home.querySelector(WIDGETS) !== null || box.querySelector(WIDGETS) !== null);
  addActions(editor, form);
  const stopBar = bar(host, editor);

  let complete = false;
  let gone = false;
  const checking = keepChecking({
    editor,
    host,
    parts: { source: chooser.value, list: host.querySelector("[data-kql-problems]"), status: host.querySelector("[data-kql-status]") },
    onConstants: keepValues({ editor, host, panel: host.querySelector("[data-kql-values]") }),
  });
  const softening = soften(model, () => complete);
  const changed = model.onDidChangeContent(() => {
    area.value = model.getValue();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const onReset = () => setTimeout(() => model.setValue(area.value));

  async function learn() {
    const chosen = chooser.value();
    try {
      const known = (host.dataset.parameters ?? "").split(" ").filter(Boolean);
      const address = `${host.dataset.schema}${host.dataset.schema.includes("?") ? "&" : "?"}source=${encodeURIComponent(chosen)}`;
      const schema = await useSchema(model, address, known);
      if (chosen !== chooser.value() || gone) return;
      complete = schema.complete;
      offerHunts(model, schema.hunts);
      host.dataset.schemaOf = chosen;
    } catch (error) {
      console.error(error); // completion then knows the language alone
    }
    if (!gone) checking.soon();
  }
  chooser.each((one) => one.addEventListener("change", learn));
  form.addEventListener("reset", onReset);
  learn();

  if (focused) {
    const [start, end] = [model.getPositionAt(from), model.getPositionAt(to)];
    editor.setSelection({ startLineNumber: start.lineNumber, startColumn: start.column, endLineNumber: end.lineNumber, endColumn: end.column });
    editor.focus();
  }

  return {
    insert(text) {
      editor.focus();
      editor.executeEdits("insert", [{ range: editor.getSelection(), text, forceMoveMarkers: true }]);
    },
    focus: () => editor.focus(),
    dispose() {
      chooser.each((one) => one.removeEventListener("change", learn));
      form.removeEventListener("reset", onReset);
      gone = true;
      for (const part of [checking, softening, changed, editor]) part.dispose();
      // The language service's worker may still answer about the text, and then asks for it without looking.
      setTimeout(() => model.dispose(), LATE_MS);
      stopTheme();
      stopBar();
      home.remove();
      box.remove();
      Object.assign(area, { hidden: false, required });
      host.querySelector("[data-kql-values]").hidden = true;
      host.querySelector("[data-kql-problems]").replaceChildren();
      host.querySelector("[data-kql-status]").textContent = "";
      if (help) help.textContent = helpText;
      if (label) label.htmlFor = area.id;
    },
  };
}
