// Places the nodes of the entity graph, off the page's thread: in {nodes: [{id, degree}], edges: [{source, target}]},
// out {places: [[x, y], …]} in the order of the nodes. The same graph always gets the same places.
import { forceCenter, forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from "d3-force";

const TICKS = 300;
const FEW = 12; // so few stand so far apart that their names do not meet

self.addEventListener("message", (event) => {
  const nodes = event.data.nodes.map((node) => ({ id: node.id, radius: node.radius }));
  const links = event.data.edges.map((edge) => ({ source: edge.source, target: edge.target }));
  const simulation = forceSimulation(nodes)
    .force("link", forceLink(links).id((node) => node.id).distance(70).strength(0.4))
    .force("charge", forceManyBody().strength(-160).distanceMax(600))
    .force("collide", forceCollide((node) => node.radius + (nodes.length <= FEW ? 70 : 6)))
    .force("x", forceX().strength(0.05)) // what is tied to nothing stays in sight
    .force("y", forceY().strength(0.07))
    .force("center", forceCenter())
    .stop();
  simulation.tick(nodes.length > 250 ? TICKS / 2 : TICKS);
  self.postMessage({ places: nodes.map((node) => [Math.round(node.x * 10) / 10, Math.round(node.y * 10) / 10]) });
});
