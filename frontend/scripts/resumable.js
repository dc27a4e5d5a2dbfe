// A form[data-resumable] sends its files in parts that survive a cut line, a reload and a crash (docs/evidence.md).
// The server's list of unfinished uploads is the memory: the same file, chosen again on any machine, goes on.
// Without this script the form sends its files as any form does.
import { Upload } from "tus-js-client";
import { announce } from "./announce.js";
import { size } from "./sizes.js";

const PART = 16 * 2 ** 20; // What is lost at most when the line is cut; small enough for every proxy's patience.
const AT_ONCE = 2;
const EDGE = 2 ** 20;
const RATE_MS = 8000; // The rate is that of the last eight seconds.
const PATIENCE = [0, 1000, 2000, 4000, 8000, ...Array(60).fill(10_000)]; // Ten minutes without a byte, then a person is asked.
// A connection can be open with nobody at its other end: its host fell asleep, or a server process died around it. The
// browser would wait for it as long as for a slow one. So one over which nothing moves is given up, each time later.
const STALL_MS = 25_000;
const LONGEST_STALL = 4; // times STALL_MS: how long a part's answer may take where the disk is that slow
const STALLS = 10; // In a row, without a part that arrived: then a person is asked.
const ASK_MS = 20_000;
const ASK_AGAIN_MS = 5000;

const rows = new Set();
const waiting = [];
let working = 0;

const token = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ask = (address, options) => fetch(address, { signal: AbortSignal.timeout(ASK_MS), ...options });
const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));

/** The mark by which the same file is known again: what it is called, how long it is, and how it begins and ends. */
async function mark(file) {
  const said = `${file.size} ${file.lastModified} ${file.name}`;
  if (!crypto.subtle) return said.slice(0, 120);
  const parts = [said, file.slice(0, EDGE), file.slice(Math.max(0, file.size - EDGE))];
  return hex(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}

/** What the server has of this file from an earlier try, or nothing. Throws where the server is away. */
async function earlier(endpoint, fingerprint, file) {
  const reply = await ask(endpoint, { headers: { Accept: "application/json" } });
  if (reply.status >= 500) throw new Error(`the server says ${reply.status}`);
  if (!reply.ok || reply.redirected) return null;
  const { uploads } = await reply.json();
  return uploads.find((one) => one.fingerprint === fingerprint && one.size === file.size && one.state === "receiving") ?? null;
}

/** The file part by part, each with the hash that the server will compare, where the browser may compute one. */
class Source {
  constructor(file) {
    this.file = file;
    this.size = file.size;
    this.sum = null;
    this.closed = false;
  }

  async slice(start, end) {
    const value = this.file.slice(start, end);
    this.sum = crypto.subtle ? base64(await crypto.subtle.digest("SHA-256", await value.arrayBuffer())) : null;
    // An upload that was stopped while its next part was hashed would send that part all the same.
    if (this.closed) throw new Error("the upload was stopped");
    return { value, done: end >= this.size };
  }

  close() {
    this.closed = true;
  }
}

function seconds(left) {
  if (left < 90) return `${Math.max(1, Math.round(left))} s left`;
  return left < 5400 ? `${Math.round(left / 60)} min left` : `${(left / 3600).toFixed(1)} h left`;
}

/** One file on its way, and its line on the page. */
class Row {
  constructor(form, file, said) {
    this.endpoint = form.dataset.resumable;
    this.file = file;
    this.said = said;
    this.became = form.dataset.sealed ?? "Sealed as ";
    this.element = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
    this.part("name").textContent = file.name;
    this.bar = this.element.querySelector("progress");
    this.bar.max = Math.max(file.size, 1);
    this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.samples = [];
    this.state = "waiting";
    this.turn = 0; // Each start has its own: what an earlier one was still waiting for is let go.
    this.stalls = 0;
    this.moved = 0;
    for (const name of ["pause", "resume", "discard"]) {
      this.part(name).setAttribute("aria-label", `${this.part(name).textContent.trim()}: ${file.name}`);
      this.part(name).addEventListener("click", () => this[name]());
    }
    this.show("Waiting for its turn");
    rows.add(this);
    this.attach();
  }

  part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }

  /** On the page again, also where the panel was swapped meanwhile. */
  attach() {
    const list = document.querySelector(`[data-uploads="${CSS.escape(this.endpoint)}"]`);
    if (list && !list.contains(this.element)) list.append(this.element);
  }

  show(text, aloud = false) {
    this.part("text").textContent = text;
    this.element.dataset.is = this.state;
    this.part("pause").hidden = !["sending", "retrying"].includes(this.state);
    this.part("resume").hidden = !["paused", "stopped"].includes(this.state);
    this.part("discard").hidden = ["whole", "sealed"].includes(this.state);
    if (aloud) announce(`${this.file.name}: ${text}`);
  }

  async start() {
    this.drop();
    const turn = this.turn;
    this.state = "sending";
    this.show("Asking what has arrived already");
    const fingerprint = await mark(this.file).catch(() => null);
    if (turn !== this.turn) return;
    if (!fingerprint) return this.stop("The file could not be read. Was it moved or changed? Choose it again.");
    const before = await this.known(fingerprint, turn);
    if (turn !== this.turn) return;
    if (before) document.querySelector(`[data-interrupted="${CSS.escape(before.url)}"]`)?.remove();
    this.send(fingerprint, before?.url ?? null);
  }

  /** Ask what the server has, again and again while it is away. */
  async known(fingerprint, turn) {
    while (turn === this.turn) {
      try {
        return await earlier(this.endpoint, fingerprint, this.file);
      } catch {
        if (turn === this.turn) this.lost("The connection is lost; trying again by itself");
        await pause(ASK_AGAIN_MS);
      }
    }
    return null;
  }

  send(fingerprint, address) {
    const source = new Source(this.file);
    this.fingerprint = fingerprint;
    this.source = source;
    this.touch();
    this.upload = new Upload(this.file, {
      endpoint: this.endpoint,
      uploadUrl: address,
      chunkSize: PART,
      retryDelays: PATIENCE,
      headers: { "X-CSRFToken": token() },
      metadata: { filename: this.file.name, filetype: this.file.type, fingerprint, ...this.said },
      storeFingerprintForResuming: false,
      fileReader: { openFile: async () => source },
      onBeforeRequest: (request) => {
        this.touch();
        if (request.getMethod() === "PATCH" && source.sum) request.setHeader("Upload-Checksum", `sha256 ${source.sum}`);
      },
      onAfterResponse: (request, response) => {
        this.touch();
        // tus-js-client would begin the file anew where a proxy says that the server is away for the moment.
        if (request.getMethod() === "HEAD" && response.getStatus() >= 500) throw new Error("the server is away");
      },
      onShouldRetry: (error) => this.worthAnother(error),
      onProgress: (sent) => this.progress(sent),
      onChunkComplete: () => {
        this.stalls = 0;
      },
      onSuccess: () => this.whole(),
      onError: (error) => this.failed(error),
    });
    this.upload.start();
  }

  /** Something moved: the connection is alive. */
  touch() {
    this.moved = performance.now();
  }

  /** Give up a connection over which nothing moves any more, and go on over a new one from what the server has. */
  guard() {
    if (!this.upload || this.source.closed || !["sending", "retrying"].includes(this.state)) return;
    const patience = STALL_MS * Math.min(this.stalls + 1, LONGEST_STALL);
    if (performance.now() - this.moved < patience) return;
    this.drop();
    this.stalls += 1;
    if (this.stalls > STALLS) return this.stop("No connection for too long. Resume when it is back: nothing that arrived is lost.");
    this.lost(`Nothing moved for ${Math.round(patience / 1000)} seconds; trying again by itself`);
    if (this.upload.url) this.send(this.fingerprint, this.upload.url);
    else this.start(); // the server may have begun it all the same
  }

  /** Let go of the connection; what arrived stays with the server. */
  drop() {
    this.turn += 1;
    this.source?.close();
    return this.upload?.abort();
  }

  lost(text) {
    this.state = "retrying";
    this.samples = [];
    this.show(text, true);
  }

  worthAnother(error) {
    const status = error.originalResponse?.getStatus() ?? 0;
    const again = status === 0 || status >= 500 ? status !== 507 : [409, 423, 429, 460].includes(status);
    if (again && this.state === "sending") {
      this.lost(status === 460 ? "A part arrived altered and is sent again" : "The connection is lost; trying again by itself");
    }
    return again;
  }

  progress(sent) {
    if (!["sending", "retrying"].includes(this.state)) return;
    this.state = "sending";
    this.touch();
    const now = this.moved;
    this.samples.push([now, sent]);
    while (now - this.samples[0][0] > RATE_MS) this.samples.shift();
    this.bar.value = sent;
    const [since, from] = this.samples[0];
    const rate = now > since ? ((sent - from) * 1000) / (now - since) : 0;
    const more = rate > 0 ? ` · ${size(rate)}/s · ${seconds((this.file.size - sent) / rate)}` : "";
    this.show(`${size(sent)} of ${size(this.file.size)}${more}`);
  }

  async pause() {
    this.state = "paused";
    await this.drop();
    this.show(`Paused at ${size(this.bar.value)} of ${size(this.file.size)}`, true);
    next(this);
  }

  resume() {
    this.state = "waiting";
    this.samples = [];
    this.stalls = 0;
    this.show("Waiting for its turn");
    queue(this);
  }

  async discard() {
    this.state = "discarded";
    await this.drop();
    const address = this.upload?.url;
    const headers = { "X-CSRFToken": token(), "Tus-Resumable": "1.0.0" };
    if (address) await ask(address, { method: "DELETE", headers }).catch(() => null); // the server gives it up in days by itself
    announce(`${this.file.name}: discarded`);
    this.element.remove();
    rows.delete(this);
    next(this);
  }

  failed(error) {
    const response = error.originalResponse;
    const status = response?.getStatus() ?? 0;
    const text = response?.getHeader("Content-Type")?.startsWith("text/plain") ? response.getBody() : "";
    if (text) this.stop(text);
    else if (status >= 200 && status < 500 && status !== 0) this.stop("Your session may have ended, or your role changed. Reload, sign in and choose the same file: it goes on where it stopped.");
    else this.stop("No connection for too long. Resume when it is back: nothing that arrived is lost.");
  }

  stop(text) {
    this.state = "stopped";
    this.show(text, true);
    next(this);
  }

  whole() {
    this.state = "whole";
    this.bar.removeAttribute("value");
    this.show("All of it has arrived; a worker takes it over", true);
    next(this);
    this.watch();
  }

  /** Ask until a worker has sealed it; a server that is away is asked again. */
  async watch() {
    const facts = await ask(this.upload.url, { headers: { Accept: "application/json" } })
      .then((reply) => (reply.ok && !reply.redirected ? reply.json() : null))
      .catch(() => null);
    if (facts?.state === "done") return this.sealed(facts);
    if (facts?.state === "failed" || facts?.state === "cancelled") return this.stop(facts.reason);
    if (facts?.reason) this.show(facts.reason);
    setTimeout(() => this.watch(), 1000);
  }

  sealed(facts) {
    this.state = "sealed";
    this.bar.value = this.bar.max;
    this.show(this.became);
    announce(`${this.file.name}: ${this.became}${facts.exhibit}`);
    const link = Object.assign(document.createElement("a"), { href: facts.evidence_url, textContent: facts.exhibit, className: "link" });
    this.part("text").append(link);
    document.body.dispatchEvent(new Event("evidence-sealed"));
  }
}

/** What stands beside the file in the form, as the server is told of it. */
function saidIn(form) {
  const fields = [...form.elements].filter((one) => one.name && one.name !== "csrfmiddlewaretoken" && !["file", "submit", "button"].includes(one.type));
  return Object.fromEntries(fields.map((one) => [one.name, one.type === "checkbox" ? (one.checked ? "1" : "0") : one.value]));
}

function queue(row) {
  waiting.push(row);
  next();
}

/** Start what waits; `left` has made room. */
function next(left) {
  if (left?.holds) {
    left.holds = false;
    working -= 1;
  }
  while (working < AT_ONCE && waiting.length > 0) {
    const row = waiting.shift();
    if (row.state !== "waiting") continue;
    row.holds = true;
    working += 1;
    row.start();
  }
}

setInterval(() => rows.forEach((row) => row.guard()), 1000);
document.addEventListener("submit", (event) => {
  const form = event.target.closest?.("form[data-resumable]");
  const files = [...(form?.querySelector("input[type=file]")?.files ?? [])];
  if (!form || files.length === 0 || !document.getElementById("upload-row")) return;
  event.preventDefault();
  const said = saidIn(form);
  for (const file of files) queue(new Row(form, file, said));
  form.reset();
  document.querySelector(`[data-uploads="${CSS.escape(form.dataset.resumable)}"]`)?.scrollIntoView({ block: "nearest" });
});
document.addEventListener("htmx:afterSettle", () => rows.forEach((row) => row.attach()));
