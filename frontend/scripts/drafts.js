// What is typed into a [data-draft] form is not lost: kept on this device at once, on the server every few seconds, and
// offered again after a crash, a sign-out or a lost connection. The page says what is kept where, and since when.
// Before such a form is sent, it is asked whether the session still stands; if not, the text stays here.
import { announce } from "./announce.js";
import { recall } from "./storage.js";

const PREFIX = "ircase.draft.";
const DEVICE_MS = 400;
const SERVER_MS = 4000;
const ASK_MS = 8000;
const OLDEST_MS = 30 * 24 * 3600 * 1000;
const KEEPALIVE_BYTES = 60_000; // browsers send no more while a page goes away
const FORGET = "drafts.forget";

const states = new WeakMap();
let sessionEnded = false;

const fieldsOf = (form) =>
  [...form.elements].filter((one) => one.name && (one.tagName === "TEXTAREA" || (one.tagName === "INPUT" && one.type === "text")));
const texts = (form) => Object.fromEntries(fieldsOf(form).map((one) => [one.name, one.value]));
const plain = (text) => (text ?? "").replaceAll("\r\n", "\n");
const changed = (form) => fieldsOf(form).some((one) => plain(one.value) !== plain(one.defaultValue));
const differs = (form, fields) => fieldsOf(form).some((one) => one.name in fields && plain(fields[one.name]) !== plain(one.value));
const keyOf = (form) => `${PREFIX}${form.dataset.draftPerson}.${form.dataset.draft}.${form.dataset.draftVersion}`;
const placeOf = (person, place) => `${PREFIX}${person}.${place}.`;
const version = (form) => Number.parseInt(form.elements.namedItem("version")?.value ?? form.dataset.draftVersion, 10) || 0;
const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const moment = (ms) => (Date.now() - ms < 20 * 3600 * 1000 ? clock(ms) : new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));

// --- this device -----------------------------------------------------------------------------------------------------
/** Whether the browser really kept it: it may be full, or forbidden to. */
function keepHere(key, value) {
  try {
    localStorage.setItem(key, value);
    return localStorage.getItem(key) === value;
  } catch {
    return false;
  }
}

function keysHere(prefix) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}

function forgetHere(prefix) {
  for (const key of keysHere(prefix)) localStorage.removeItem(key);
}

function readHere(key) {
  try {
    const found = JSON.parse(localStorage.getItem(key));
    return found && typeof found.fields === "object" && found.fields ? found : null;
  } catch {
    return null;
  }
}

/** The last text kept here for this form, whatever version it was written against. */
function newestHere(form) {
  const found = keysHere(placeOf(form.dataset.draftPerson, form.dataset.draft)).map(readHere).filter(Boolean);
  return found.sort((one, other) => other.at - one.at)[0] ?? null;
}

// --- the line below the form -------------------------------------------------------------------------------------------
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function stateOf(form) {
  let state = states.get(form);
  if (!state) {
    state = { here: 0, there: 0, sent: "", problem: "", line: element("p", "draft-state small muted") };
    (form.querySelector(".form-actions") ?? form).after(state.line);
    states.set(form, state);
  }
  return state;
}

function say(form, problem = "") {
  const state = stateOf(form);
  const kept = [];
  if (state.here) kept.push(`on this device at ${clock(state.here)}`);
  if (state.there) kept.push(`on the server at ${clock(state.there)}`);
  const words = kept.length ? `Kept ${kept.join(" and ")}.` : "";
  const fault = state.here === 0 && state.failedHere ? "This browser does not let pages keep texts." : "";
  state.line.replaceChildren([problem, words, fault].filter(Boolean).join(" "));
  state.line.classList.toggle("warn", Boolean(problem));
  if (sessionEnded && problem) {
    const link = element("a", "link", "Sign in in a new tab");
    link.href = document.body.dataset.signInUrl;
    link.target = "_blank";
    link.rel = "noopener";
    state.line.append(" ", link, ", then come back and save.");
  }
  if (problem && problem !== state.problem) announce(`${problem} ${words}`);
  state.problem = problem;
}

// --- keeping -----------------------------------------------------------------------------------------------------------
function keepOnDevice(form) {
  const state = stateOf(form);
  const kept = keepHere(keyOf(form), JSON.stringify({ version: version(form), fields: texts(form), at: Date.now() }));
  state.failedHere = !kept;
  state.here = kept ? Date.now() : 0;
}

const csrf = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";

async function keepOnServer(form, leaving = false) {
  const state = stateOf(form);
  const body = JSON.stringify({ version: version(form), fields: texts(form) });
  if (state.sending || state.refused || body === state.sent || (leaving && body.length > KEEPALIVE_BYTES)) return;
  state.sending = new AbortController();
  try {
    const reply = await fetch(form.dataset.draftUrl, {
      method: "PUT", body, redirect: "manual", keepalive: leaving, signal: state.sending.signal,
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
    });
    if (reply.ok) {
      state.sent = body;
      state.there = Date.now();
      say(form);
    } else if (reply.type === "opaqueredirect" || reply.status === 401) ended(form);
    else if (reply.status === 403) await renewed(form);
    else state.refused = reply.status < 500;
  } catch (error) {
    if (error.name !== "AbortError") say(form, "No connection to the server.");
  } finally {
    state.sending = null;
  }
}

function ended(form) {
  sessionEnded = true;
  say(form, "Your session has ended.");
}

/** 403: a new session has a new token, which we can ask for; else the person may not write here any more. */
async function renewed(form) {
  const before = csrf();
  const session = await ask(form);
  if (session !== "good" || csrf() === before) stateOf(form).refused = true;
}

function typed(form) {
  const state = stateOf(form);
  clearTimeout(state.hereTimer);
  state.hereTimer = setTimeout(() => {
    if (!form.isConnected || state.saving) return;
    keepOnDevice(form);
    say(form, sessionEnded ? "Your session has ended." : "");
  }, DEVICE_MS);
  state.thereTimer ??= setTimeout(() => {
    state.thereTimer = null;
    if (form.isConnected && !state.saving && changed(form)) keepOnServer(form);
  }, SERVER_MS);
}

// --- bringing back -----------------------------------------------------------------------------------------------------
function offer(form, found, where) {
  if (!form.isConnected || !differs(form, found.fields) || form.querySelector(".draft-offer")) return;
  const bar = element("div", "notice draft-offer");
  bar.dataset.tone = "info";
  bar.setAttribute("role", "status");
  const words = element("div");
  words.append(element("p", "title", `A text of yours was not saved: ${where}, ${moment(found.at)}`));
  if (found.version !== version(form)) words.append(element("p", "", "What it was written on was saved since. Bring it back and save: you then merge the two."));
  const acts = element("div", "actions");
  const back = element("button", "btn primary", "Bring it back");
  const away = element("button", "btn", "Throw it away");
  back.type = away.type = "button";
  back.addEventListener("click", () => restore(form, found, bar));
  away.addEventListener("click", () => discard(form, bar));
  acts.append(back, away);
  bar.append(words, acts);
  form.prepend(bar);
}

function restore(form, found, bar) {
  for (const one of fieldsOf(form)) if (one.name in found.fields) one.value = found.fields[one.name];
  const against = form.elements.namedItem("version");
  if (against) against.value = found.version;
  bar.remove();
  const area = form.querySelector("textarea");
  area?.focus();
  area?.dispatchEvent(new Event("input", { bubbles: true }));
  announce("Your text is back. It is not saved yet.");
}

function discard(form, bar) {
  bar.remove();
  forgetHere(placeOf(form.dataset.draftPerson, form.dataset.draft));
  fetch(form.dataset.draftUrl, { method: "DELETE", redirect: "manual", headers: { "X-CSRFToken": csrf() } }).catch(() => {});
  form.querySelector("textarea")?.focus();
}

async function lookOnServer(form) {
  const state = stateOf(form);
  if (state.asked) return;
  state.asked = true;
  try {
    const reply = await fetch(form.dataset.draftUrl, { redirect: "manual", headers: { Accept: "application/json" } });
    const found = reply.ok ? (await reply.json()).draft : null;
    if (found) offer(form, { ...found, at: Date.parse(found.saved_at) }, "kept on the server");
  } catch {
    // Offline: what is kept on this device was offered already.
  }
}

function scan(root) {
  for (const form of root.querySelectorAll("form[data-draft]")) {
    const here = newestHere(form);
    if (here) offer(form, here, "kept on this device");
    if (form.hasAttribute("data-draft-load") && !form.querySelector(".draft-offer")) lookOnServer(form);
  }
}

// --- saving ------------------------------------------------------------------------------------------------------------
/** "good", "ended", "other" (somebody else is signed in here now) or "none" (no answer). The token is renewed. */
async function ask(form) {
  try {
    const reply = await fetch(form.dataset.draftSession, { redirect: "manual", signal: AbortSignal.timeout(ASK_MS), cache: "no-store" });
    if (!reply.ok) return "none";
    const said = await reply.json();
    if (!said.person) return "ended";
    if (said.person !== form.dataset.draftPerson) return "other";
    sessionEnded = false;
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": said.csrf }));
    for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = said.csrf;
    return "good";
  } catch {
    return "none";
  }
}

const REASONS = {
  ended: "Your session has ended; nothing was sent.",
  other: "Somebody else is signed in in this browser now; nothing was sent. Sign in as yourself.",
  none: "No connection to the server; nothing was sent. Press the button again when it is back.",
};

function mark(form) {
  const there = form.querySelector("input[name=draft]") ?? form.appendChild(element("input"));
  Object.assign(there, { type: "hidden", name: "draft", value: form.dataset.draft });
}

async function send(form, submitter) {
  const state = stateOf(form);
  if (state.saving) return;
  state.saving = true;
  keepOnDevice(form);
  const session = await ask(form);
  state.saving = false;
  if (!form.isConnected) return;
  if (session !== "good") {
    sessionEnded = session === "ended" || session === "other";
    say(form, REASONS[session]);
    return;
  }
  state.sending?.abort();
  clearTimeout(state.thereTimer);
  clearTimeout(state.hereTimer);
  mark(form);
  form.dataset.draftAsked = "";
  if (submitter?.isConnected) form.requestSubmit(submitter);
  else form.requestSubmit();
  delete form.dataset.draftAsked; // where the browser found a field wanting, nothing was sent
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!form.matches("form[data-draft]") || form.dataset.draftAsked !== undefined) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    send(form, event.submitter);
  },
  true,
);

/** The server says by a cookie which form it has saved. */
function saved() {
  const place = /(?:^|; )ircase_saved=([a-z0-9.-]+)/.exec(document.cookie)?.[1];
  if (!place) return;
  document.cookie = "ircase_saved=; path=/; max-age=0; samesite=lax";
  for (const key of keysHere(PREFIX)) if (key.slice(PREFIX.length).split(".").slice(1, -1).join(".") === place) localStorage.removeItem(key);
}

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-draft]");
  if (form && fieldsOf(form).includes(event.target)) typed(form);
});
document.addEventListener("focusin", (event) => {
  const form = event.target.closest?.("form[data-draft]");
  if (form && event.target.matches("textarea") && !changed(form)) lookOnServer(form);
});
document.addEventListener("htmx:afterRequest", (event) => event.detail.successful && saved());
document.addEventListener("htmx:afterSettle", (event) => {
  saved(); // before what was just sent is offered again
  scan(event.detail.elt.parentElement ?? document);
});
document.addEventListener("visibilitychange", async () => {
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const state = states.get(form);
    if (!state || state.saving || form.dataset.sending !== undefined || !changed(form)) continue;
    if (document.hidden) {
      keepOnDevice(form);
      keepOnServer(form, true);
    } else if (sessionEnded && (await ask(form)) === "good") say(form, "You are signed in again: save when you are ready.");
  }
});
window.addEventListener("online", () => {
  for (const form of document.querySelectorAll("form[data-draft]")) if (states.has(form) && changed(form)) keepOnServer(form);
});

// --- what is kept on this device, and whether it goes at sign-out ---------------------------------------------------------
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-sign-out]") && recall(FORGET) === "on") forgetHere(PREFIX);
});

function settings() {
  const box = document.querySelector("[data-drafts-forget]");
  if (!box) return;
  const count = document.querySelector("[data-drafts-count]");
  const tell = () => {
    const number = keysHere(PREFIX).length;
    count.textContent = number === 1 ? "One text that was not saved is kept in this browser." : `${number || "No"} texts that were not saved are kept in this browser.`;
  };
  box.checked = recall(FORGET) === "on";
  box.addEventListener("change", () => (box.checked ? keepHere(`ircase.${FORGET}`, "on") : forgetHere(`ircase.${FORGET}`)));
  document.querySelector("[data-drafts-clear]").addEventListener("click", () => {
    forgetHere(PREFIX);
    tell();
    announce("They are gone from this browser.");
  });
  tell();
}

for (const key of keysHere(PREFIX)) if (!((readHere(key)?.at ?? 0) > Date.now() - OLDEST_MS)) localStorage.removeItem(key);
saved();
scan(document);
settings();
