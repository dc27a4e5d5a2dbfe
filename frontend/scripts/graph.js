// Draws the entity graph into [data-graph] as SVG of attributes and classes alone (strict CSP). Its data comes from
// data-source, its places from the worker at data-worker. The list beside it says the same without script.

const SVG = "http://www.w3.org/2000/svg";
const LABELLED = 60; // beyond so many nodes only the better tied ones carry their name all the time

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

function radius(node) {
  return 7 + Math.min(Math.sqrt(node.degree) * 2.4, 16);
}

function places(address, nodes, edges) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(address, { name: "graph" });
    worker.addEventListener("message", (event) => { worker.terminate(); resolve(event.data.places); });
    worker.addEventListener("error", (event) => { worker.terminate(); reject(event); });
    worker.postMessage({
      nodes: nodes.map((node) => ({ id: node.id, radius: radius(node) })),
      edges: edges.map((edge) => ({ source: edge.source, target: edge.target })),
    });
  });
}

/** Parallel edges are drawn as one line whose title names each of them. */
function bundled(edges) {
  const found = new Map();
  for (const edge of edges) {
    const key = [edge.source, edge.target].sort().join(" ");
    const line = found.get(key) ?? { source: edge.source, target: edge.target, count: 0, words: [] };
    line.count += edge.count;
    line.words.push(`${edge.kind} × ${edge.count}`);
    found.set(key, line);
  }
  return [...found.values()];
}

function draw(box, data, at) {
  const where = new Map(data.nodes.map((node, number) => [node.id, at[number]]));
  const names = new Map(data.nodes.map((node) => [node.id, node.label]));
  const svg = element("svg", { class: "graph-svg", role: "group", "aria-label": `${data.nodes.length} assets and indicators, ${data.edges.length} ties; the list below says the same.` });
  const lines = element("g", { class: "graph-lines" }, svg);
  const tied = new Map();
  for (const line of bundled(data.edges)) {
    const [from, to] = [where.get(line.source), where.get(line.target)];
    const mark = element("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1], "stroke-width": Math.min(1 + Math.log2(line.count), 6) }, lines);
    element("title", {}, mark).textContent = `${names.get(line.source)} – ${names.get(line.target)}: ${line.words.join(", ")}`;
    for (const id of [line.source, line.target]) tied.set(id, [...(tied.get(id) ?? []), mark]);
  }
  const few = data.nodes.length <= LABELLED;
  const median = [...data.nodes].sort((a, b) => b.degree - a.degree)[Math.min(LABELLED, data.nodes.length) - 1]?.degree ?? 0;
  for (const node of data.nodes) {
    const [x, y] = where.get(node.id);
    const link = element("a", { href: node.url, class: `graph-node graph-${node.role} graph-${node.kind} state-${node.state}${few || node.degree > median ? " named" : ""}`, "aria-label": `${node.kind_words} ${node.label}, ${node.state_words}, ${node.degree} ties` }, svg);
    if (node.role === "asset") element("circle", { cx: x, cy: y, r: radius(node) }, link);
    else element("rect", { x: x - radius(node), y: y - radius(node), width: 2 * radius(node), height: 2 * radius(node), rx: 2, transform: `rotate(45 ${x} ${y})` }, link);
    element("text", { x, y: y + radius(node) + 13, "text-anchor": "middle" }, link).textContent = node.label.length > 34 ? `${node.label.slice(0, 32)}…` : node.label;
    element("title", {}, link).textContent = `${node.kind_words}: ${node.label} (${node.state_words}; ${node.events} events)`;
    const light = (on) => { for (const mark of tied.get(node.id) ?? []) mark.classList.toggle("lit", on); };
    for (const name of ["pointerenter", "focus"]) link.addEventListener(name, () => light(true));
    for (const name of ["pointerleave", "blur"]) link.addEventListener(name, () => light(false));
  }
  box.querySelector("[data-graph-busy]")?.remove();
  box.prepend(svg);
  moving(box, svg, at);
}

/** Pan by drag, zoom by wheel (with Ctrl, so that the page still scrolls), by pinch and by the buttons. */
function moving(box, svg, at) {
  const xs = at.map((one) => one[0]);
  const ys = at.map((one) => one[1]);
  const pad = 60;
  // A few nodes are not blown up: their names stay as large as the text around them.
  const around = (ones, least) => {
    const [low, high] = [Math.min(...ones) - pad, Math.max(...ones) + pad];
    const more = Math.max(0, least - (high - low)) / 2;
    return [low - more, high - low + 2 * more];
  };
  const [[x, w], [y, h]] = [around(xs, 640), around(ys, 320)];
  const whole = { x, y, w, h };
  let view = { ...whole };
  const show = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
  const zoom = (factor, px = 0.5, py = 0.5) => {
    const next = Math.min(Math.max(view.w * factor, whole.w / 20), whole.w * 2);
    const by = next / view.w;
    view = { x: view.x + view.w * (1 - by) * px, y: view.y + view.h * (1 - by) * py, w: view.w * by, h: view.h * by };
    svg.classList.toggle("near", view.w < whole.w / 2);
    show();
  };
  show();
  for (const button of box.querySelectorAll("[data-graph-do]")) {
    button.addEventListener("click", () => {
      const act = button.dataset.graphDo;
      if (act === "whole") { view = { ...whole }; svg.classList.remove("near"); show(); }
      else zoom(act === "in" ? 0.7 : 1.4);
    });
  }
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const size = svg.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.15 : 0.87, (event.clientX - size.left) / size.width, (event.clientY - size.top) / size.height);
  }, { passive: false });
  let from = null;
  let moved = false;
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) { from = { x: event.clientX, y: event.clientY, view: { ...view } }; moved = false; }
  });
  svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const size = svg.getBoundingClientRect();
    const by = Math.max(view.w / size.width, view.h / size.height);
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (!moved && Math.hypot(dx, dy) < 5) return;
    moved = true;
    if (!svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
    view = { ...view, x: from.view.x - dx * by, y: from.view.y - dy * by };
    show();
  });
  svg.addEventListener("pointerup", () => { from = null; });
  svg.addEventListener("pointercancel", () => { from = null; });
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);
}

async function begin(box) {
  box.dataset.graphBegun = "";
  try {
    const reply = await fetch(box.dataset.source, { headers: { Accept: "application/json" } });
    if (!reply.ok) throw new Error(`${reply.status}`);
    const data = await reply.json();
    const at = await places(box.dataset.worker, data.nodes, data.edges);
    if (box.isConnected) draw(box, data, at);
  } catch {
    const busy = box.querySelector("[data-graph-busy]");
    if (busy) busy.textContent = "The picture could not be drawn; the list below says the same.";
  }
}

function look(root) {
  for (const box of root.querySelectorAll("[data-graph]:not([data-graph-begun])")) begin(box);
}

look(document);
document.addEventListener("htmx:load", (event) => look(event.target.parentElement ?? document));
