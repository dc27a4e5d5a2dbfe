// A KQL field becomes the editor ([data-kql], templates/hunting/_editor.html). Its code is fetched only where it is used:
// once the page is idle (data-load="idle"), or with the field's first focus. Without it the field is a plain text area;
// so it is on touch screens, for whom the editor is not made, and for whoever prefers it.
import { announce } from "./announce.js";
import { recall, remember } from "./storage.js";

const touch = matchMedia("(hover: none) and (pointer: coarse)");
const running = new Map();

const wanted = () => recall("kql") ?? (touch.matches ? "plain" : "editor");

function show(host, state) {
  host.dataset.state = state;
  const button = host.querySelector("[data-kql-switch]");
  if (button) button.textContent = state === "ready" ? "Plain text" : "Use the editor";
}

function styled(address) {
  if (document.querySelector(`link[data-kql-style]`)) return Promise.resolve();
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: address });
  link.dataset.kqlStyle = "";
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => reject(new Error("The editor's styles did not load")));
    document.head.append(link);
  });
}

async function start(host) {
  if (host.dataset.state === "loading" || running.has(host)) return;
  show(host, "loading");
  try {
    const [{ mount }] = await Promise.all([import(host.dataset.script), styled(host.dataset.style)]);
    if (!host.isConnected) return;
    running.set(host, mount(host));
    show(host, "ready");
  } catch (error) {
    show(host, "plain");
    announce("The editor could not be loaded. The plain field works.");
    console.error(error);
  }
}

function stop(host) {
  running.get(host)?.dispose();
  running.delete(host);
  show(host, "plain");
}

const whenIdle = (act) => (window.requestIdleCallback ? requestIdleCallback(act, { timeout: 2000 }) : setTimeout(act, 200));

/** Leave those that a swap took away, meet those that it brought. */
function meet() {
  for (const host of [...running.keys()].filter((one) => !one.isConnected)) stop(host);
  for (const host of document.querySelectorAll("[data-kql]:not([data-state])")) {
    show(host, "plain");
    if (host.dataset.load === "idle" && wanted() === "editor") whenIdle(() => start(host));
  }
}

document.addEventListener("focusin", (event) => {
  const host = event.target.closest?.("[data-kql]");
  if (host && event.target.matches("textarea[data-code]") && wanted() === "editor") start(host);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-kql-switch]");
  const host = button?.closest("[data-kql]");
  if (!host || host.dataset.state === "loading") return;
  const plain = host.dataset.state === "ready";
  remember("kql", plain ? "plain" : "editor");
  if (plain) stop(host);
  else start(host);
});
// Text put where the person wrote last: { detail: { host, text } }; a plain field takes it at its cursor.
document.addEventListener("kql:insert", ({ detail: { host, text } }) => {
  if (running.has(host)) return running.get(host).insert(text);
  const area = host.querySelector("textarea");
  area.focus();
  document.execCommand("insertText", false, text);
});
document.addEventListener("htmx:afterSettle", meet);
meet();
