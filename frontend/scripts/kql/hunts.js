// The library's hunts offered as functions. No engine knows them, so that taking one also writes its definition above.
import * as monaco from "monaco-editor/esm/vs/editor/editor.api";

const schemas = new WeakMap();
const escaped = (text) => text.replace(/[\\$}]/g, "\\$&");

/** The hunts that this editor's text may call. */
export function offerHunts(model, hunts) {
  schemas.set(model, hunts);
}

/** A call stands where a table may: at the start of a statement, after an opening bracket, a comma, a `=` or `union`. */
function mayCall(model, position) {
  const word = model.getWordUntilPosition(position);
  const before = model.getValueInRange(new monaco.Range(1, 1, position.lineNumber, word.startColumn)).replace(/\/\/[^\n]*/g, "").trimEnd();
  return before === "" || /[;(,=]$|\bunion$/.test(before);
}

function suggestion(hunt, model, range) {
  const call = hunt.arguments.map(([, value], at) => `\${${at + 1}:${escaped(value)}}`).join(", ");
  const there = new RegExp(`\\blet\\s+${hunt.name}\\s*=`).test(model.getValue());
  return {
    label: { label: hunt.name, description: "hunt of the library" },
    kind: monaco.languages.CompletionItemKind.Function,
    detail: `${hunt.name}(${hunt.arguments.map(([name]) => name).join(", ")})`,
    documentation: `${hunt.title}. ${hunt.about} Its text is written above your query.`,
    insertText: `${hunt.name}(${call})`,
    insertTextRules: monaco.languages.CompletionItemInsertTextRule.InsertAsSnippet,
    additionalTextEdits: there ? [] : [{ range: new monaco.Range(1, 1, 1, 1), text: hunt.definition }],
    sortText: `~${hunt.name}`,
    range,
  };
}

monaco.languages.registerCompletionItemProvider("kusto", {
  provideCompletionItems(model, position) {
    const hunts = schemas.get(model) ?? [];
    if (!hunts.length || !mayCall(model, position)) return { suggestions: [] };
    const { startColumn, endColumn } = model.getWordUntilPosition(position);
    const range = new monaco.Range(position.lineNumber, startColumn, position.lineNumber, endColumn);
    return { suggestions: hunts.map((hunt) => suggestion(hunt, model, range)) };
  },
});
