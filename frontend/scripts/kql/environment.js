// Monaco under `style-src 'self'` without a nonce: what it would write as <style> or style="…" goes through the CSSOM,
// which the policy allows. Imported before Monaco, which asks for its hooks while it loads.
// https://www.w3.org/TR/CSP3/#style-src-attr, https://microsoft.github.io/monaco-editor/typedoc/interfaces/Environment.html
const workers = {};

/** Stands where Monaco puts a <style>: its text becomes a constructed sheet of the document (or shadow root) it is in. */
class AdoptedStyle extends HTMLElement {
  sheet = new CSSStyleSheet();
  #root = null;

  get textContent() {
    return [...this.sheet.cssRules].map((rule) => rule.cssText).join("\n");
  }
  set textContent(css) {
    this.sheet.replaceSync(css);
  }
  get innerText() {
    return this.textContent;
  }
  set innerText(css) {
    this.textContent = css;
  }
  get innerHTML() {
    return this.textContent;
  }
  set innerHTML(css) {
    this.textContent = css;
  }
  appendChild(node) {
    this.textContent += node.textContent;
    return node;
  }
  connectedCallback() {
    this.#root = this.getRootNode();
    this.#root.adoptedStyleSheets = [...this.#root.adoptedStyleSheets, this.sheet];
  }
  disconnectedCallback() {
    this.#root.adoptedStyleSheets = this.#root.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet);
  }
}
customElements.define("adopted-style", AdoptedStyle);

const createElement = document.createElement;
document.createElement = function (name, options) {
  return String(name).toLowerCase() === "style" ? new AdoptedStyle() : createElement.call(this, name, options);
};

// Monaco builds lines as HTML text. Their style attributes travel as data-style and are set before the next paint.
const carried = (html) => html.replace(/(<[a-z]+(?:\s[^<>]*?)?) style="/g, '$1 data-style="');

function apply(node) {
  if (!(node instanceof HTMLElement)) return;
  for (const each of [node, ...node.querySelectorAll("[data-style]")]) {
    if (each.dataset.style === undefined) continue;
    each.style.cssText = each.dataset.style;
    delete each.dataset.style;
  }
}
new MutationObserver((changes) => {
  for (const change of changes) change.addedNodes.forEach(apply);
}).observe(document.body, { childList: true, subtree: true });

self.MonacoEnvironment = {
  createTrustedTypesPolicy(name, options) {
    const make = options.createHTML;
    return make ? { ...options, createHTML: (...given) => carried(make(...given)) } : options;
  },
  getWorker: (_module, label) => new Worker(label === "kusto" ? workers.language : workers.editor, { name: label }),
};

/** Where the two workers are: addresses of our own origin that the page's template wrote. */
export function useWorkers(language, editor) {
  Object.assign(workers, { language, editor });
}
