// Our own check beside the language service's: what the case's engine cannot run, as warnings with a hint; and the list
// of everything found, which a keyboard and a screen reader reach without the squiggles.
import * as monaco from "monaco-editor/esm/vs/editor/editor.api";
import { post } from "./asking.js";
import { UNKNOWN } from "./language.js";

const PAUSE_MS = 600;
const SHOWN = 8;
const OURS = "ircase";
const { Error: ERROR, Warning: WARNING } = monaco.MarkerSeverity;

const words = ({ message, hint }) => [message, hint].filter(Boolean).join(" ");

function marker(found, model) {
  const end = Math.min(found.column + found.length, model.getLineMaxColumn(found.line));
  return {
    severity: WARNING,
    source: "IRCase",
    code: found.code,
    message: words(found),
    startLineNumber: found.line,
    startColumn: Math.min(found.column, Math.max(end - 1, 1)),
    endLineNumber: found.line,
    endColumn: end,
  };
}

/** The language service's own faults on a line say enough: ours would say them twice. */
function unsaid(model) {
  const lines = new Set(monaco.editor.getModelMarkers({ resource: model.uri, owner: "kusto" }).filter((m) => m.severity === ERROR).map((m) => m.startLineNumber));
  return (found) => !lines.has(found.line);
}

function line(found, editor) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "kql-problem" });
  button.dataset.tone = found.severity === ERROR ? "danger" : "warn";
  button.textContent = `${found.severity === ERROR ? "Error" : "Warning"}, line ${found.startLineNumber}: ${found.message}`;
  button.addEventListener("click", () => {
    const place = { lineNumber: found.startLineNumber, column: found.startColumn };
    editor.setPosition(place);
    editor.revealPositionInCenterIfOutsideViewport(place);
    editor.focus();
  });
  item.append(button);
  return item;
}

function told(errors, warnings) {
  const count = (number, word) => (number ? [`${number} ${word}${number === 1 ? "" : "s"}`] : []);
  return [...count(errors, "error"), ...count(warnings, "warning")].join(", ");
}

/** Where several things are said of one place, an unknown name is the cause of the others. */
function causes(markers) {
  const place = (m) => `${m.startLineNumber}:${m.startColumn}:${m.endLineNumber}:${m.endColumn}`;
  const first = new Map();
  for (const one of markers) {
    if (!first.has(place(one)) || UNKNOWN.test(one.message)) first.set(place(one), one);
  }
  return [...first.values()];
}

/** Keep `list` and `status` as the markers are. */
function showMarkers(editor, model, list, status) {
  const found = causes(monaco.editor.getModelMarkers({ resource: model.uri }).filter((m) => m.severity >= WARNING));
  found.sort((a, b) => b.severity - a.severity || a.startLineNumber - b.startLineNumber);
  list.replaceChildren(...found.slice(0, SHOWN).map((one) => line(one, editor)));
  const errors = found.filter((m) => m.severity === ERROR).length;
  const text = told(errors, found.length - errors);
  if (status.textContent !== text) status.textContent = text;
}

/** Check the text after each pause; `onConstants` gets what may be given as typed values. */
export function keepChecking({ editor, host, parts, onConstants }) {
  const model = editor.getModel();
  let findings = [];
  let timer = 0;
  let asking = new AbortController();

  const mark = () => monaco.editor.setModelMarkers(model, OURS, findings.filter((f) => f.line <= model.getLineCount()).filter(unsaid(model)).map((f) => marker(f, model)));

  async function ask() {
    asking.abort();
    asking = new AbortController();
    const version = model.getVersionId();
    const answer = await post(host, host.dataset.check, { kql: model.getValue(), source: parts.source() }, asking.signal);
    if (!answer?.ok || model.isDisposed() || model.getVersionId() !== version) return;
    findings = answer.body.findings;
    mark();
    if (answer.body.constants) onConstants(answer.body.constants);
  }

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  };
  const events = [
    model.onDidChangeContent(soon),
    monaco.editor.onDidChangeMarkers((changed) => {
      if (!changed.some((uri) => uri.toString() === model.uri.toString())) return;
      const shown = monaco.editor.getModelMarkers({ resource: model.uri, owner: OURS }).length;
      if (shown !== findings.filter(unsaid(model)).length) mark();
      showMarkers(editor, model, parts.list, parts.status);
    }),
  ];
  soon();
  return {
    soon,
    dispose() {
      clearTimeout(timer);
      asking.abort();
      for (const event of events) event.dispose();
    },
  };
}
