// Constants of the text as typed fields beside it: `let device = "ws01"`, {DeviceName}. A field writes its literal where
// the constant stands; the server checks the value and spells the literal, the text stays the whole truth.
import { post } from "./asking.js";

let count = 0;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A field for one constant, with its places kept as decorations so that they move along with the text. */
function field(constant, editor, host) {
  const model = editor.getModel();
  const id = `kql-value-${(count += 1)}`;
  const places = editor.createDecorationsCollection(
    constant.places.map(([from, to]) => {
      const [start, end] = [model.getPositionAt(from), model.getPositionAt(to)];
      return { range: { startLineNumber: start.lineNumber, startColumn: start.column, endLineNumber: end.lineNumber, endColumn: end.column }, options: {} };
    }),
  );
  const input = element(constant.many ? "textarea" : "input", { id, value: constant.value, autocomplete: "off", spellcheck: false });
  const error = element("p", { className: "errorlist", id: `${id}-error`, hidden: true });
  const help = element("p", { className: "help", id: `${id}-help`, textContent: [`${constant.kindLabel}.`, constant.help].filter(Boolean).join(" ") });
  input.setAttribute("aria-describedby", `${help.id} ${error.id}`);
  const known = element("datalist", { id: `${id}-known` }, ...constant.known.map((value) => element("option", { value })));
  if (!constant.many) input.setAttribute("list", known.id);

  input.addEventListener("change", async () => {
    const answer = await post(host, host.dataset.value, { kind: constant.kind, value: input.value });
    error.hidden = answer?.ok ?? false;
    error.textContent = answer?.ok ? "" : answer?.body.error ?? "The server did not answer. Change the value in the text.";
    input.setAttribute("aria-invalid", String(!answer?.ok));
    if (!answer?.ok || model.isDisposed()) return;
    editor.pushUndoStop();
    editor.executeEdits("values", places.getRanges().map((range) => ({ range, text: answer.body.literal })));
    editor.pushUndoStop();
  });
  // Enter means "this value", as leaving the field does; the form is sent by its buttons.
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || constant.many) return;
    event.preventDefault();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  const label = element("label", { htmlFor: id, textContent: constant.label });
  return { node: element("div", { className: "field" }, label, input, known, help, error), input, places };
}

/** Shows `constants` in `panel`, and leaves the fields alone while they are the same or one of them is being filled in. */
export function keepValues({ editor, host, panel }) {
  let shown = "";
  let fields = [];
  return (constants) => {
    const key = JSON.stringify(constants);
    const filling = fields.some(({ input }) => input === document.activeElement && input.value !== input.defaultValue);
    if (key === shown || filling) return;
    shown = key;
    const focused = fields.findIndex(({ input }) => input === document.activeElement);
    for (const { places } of fields) places.clear();
    fields = constants.map((constant) => field(constant, editor, host));
    panel.querySelector("[data-kql-fields]").replaceChildren(...fields.map(({ node }) => node));
    panel.hidden = fields.length === 0;
    fields[focused]?.input.focus();
  };
}
