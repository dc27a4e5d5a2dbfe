// The editor in the colours of tokens.css, in both themes. Monaco wants them as hex, so the browser is asked to mix them.
import * as monaco from "monaco-editor/esm/vs/editor/editor.api";

const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

/** The computed colour of a custom property as #rrggbbaa. */
function hex(probe, name) {
  probe.style.color = `var(${name})`;
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = getComputedStyle(probe).color;
  canvas.fillRect(0, 0, 1, 1);
  return `#${[...canvas.getImageData(0, 0, 1, 1).data].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

// Monaco's token -> token of ours. Words that Kusto's service tells apart later are coloured in editor.css.
const WORDS = {
  "": "--text",
  comment: "--muted",
  string: "--ok",
  number: "--high",
  keyword: "--accent",
  type: "--accent",
  "operator.sql": "--accent",
  "operator.scss": "--accent",
  function: "--series-6",
  variable: "--text",
  "variable.predefined": "--text",
  "variable.parameter": "--info",
  annotation: "--warn",
};
const PARTS = {
  "editor.background": "--surface",
  "editor.foreground": "--text",
  "editorLineNumber.foreground": "--muted",
  "editorLineNumber.activeForeground": "--text",
  "editorCursor.foreground": "--accent",
  "editor.lineHighlightBackground": "--surface",
  "editor.lineHighlightBorder": "--line",
  "editorIndentGuide.background1": "--line",
  "editorWidget.background": "--overlay",
  "editorWidget.foreground": "--text",
  "editorWidget.border": "--line-strong",
  "editorHoverWidget.background": "--overlay",
  "editorHoverWidget.foreground": "--text",
  "editorHoverWidget.border": "--line-strong",
  "editorSuggestWidget.background": "--overlay",
  "editorSuggestWidget.foreground": "--text",
  "editorSuggestWidget.border": "--line-strong",
  "editorSuggestWidget.highlightForeground": "--accent",
  "editorSuggestWidget.focusHighlightForeground": "--accent",
  "editorSuggestWidget.selectedBackground": "--accent-soft",
  "editorSuggestWidget.selectedForeground": "--text",
  "editorSuggestWidget.selectedIconForeground": "--text",
  "editorError.foreground": "--danger",
  "editorWarning.foreground": "--warn",
  "editorInfo.foreground": "--info",
  "quickInput.background": "--overlay",
  "quickInput.foreground": "--text",
  "quickInputList.focusBackground": "--accent-soft",
  "quickInputList.focusForeground": "--text",
  "pickerGroup.foreground": "--accent",
  "list.focusBackground": "--accent-soft",
  "list.focusForeground": "--text",
  "list.hoverBackground": "--raised",
  "list.highlightForeground": "--accent",
  "list.focusHighlightForeground": "--accent",
  "menu.background": "--overlay",
  "menu.foreground": "--text",
  "menu.selectionBackground": "--accent-soft",
  "menu.selectionForeground": "--text",
  "menu.border": "--line-strong",
  "input.background": "--surface",
  "input.foreground": "--text",
  "input.border": "--line-strong",
  "textLink.foreground": "--accent",
  "descriptionForeground": "--muted",
  "keybindingLabel.foreground": "--text",
  "focusBorder": "--accent",
  "widget.border": "--line",
};

const isDark = (host) => getComputedStyle(host).colorScheme.trim() === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);

function paint(host) {
  const probe = document.createElement("span");
  host.append(probe);
  const colours = Object.fromEntries(Object.entries(PARTS).map(([part, name]) => [part, hex(probe, name)]));
  const accent = hex(probe, "--accent").slice(0, 7);
  const rules = Object.entries(WORDS).map(([token, name]) => ({ token, foreground: hex(probe, name).slice(1, 7) }));
  probe.remove();
  Object.assign(colours, {
    "editor.selectionBackground": `${accent}40`,
    "editor.inactiveSelectionBackground": `${accent}26`,
    "editor.selectionHighlightBackground": "#00000000", // Kusto's mode marks the block around the cursor with it
    "editor.wordHighlightBackground": `${accent}26`,
    "editor.wordHighlightStrongBackground": `${accent}33`,
    "editorBracketMatch.background": `${accent}33`,
    "editorBracketMatch.border": accent,
  });
  monaco.editor.defineTheme("ircase", { base: isDark(host) ? "vs-dark" : "vs", inherit: true, rules, colors: colours });
  monaco.editor.setTheme("ircase");
}

/** Paint the editor and follow the theme; returns what stops following. */
export function followTheme(host) {
  paint(host);
  const again = () => paint(host);
  const watch = new MutationObserver(again);
  watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", again);
  return () => {
    watch.disconnect();
    system.removeEventListener("change", again);
  };
}
