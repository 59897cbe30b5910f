/** The cluster drawn: a circle for each node, a line for each link. Knows how things look, not what they mean. */
import { reconcile, setAttribute, setText, shape } from "./dom.js";

const WIDTH = 360;
const HEIGHT = 236;
const RADIUS_LARGE = 34;
const NAME_CHARACTERS_MAX = 7;

/**
 * @typedef {{ name: string, status: string, entries: number | undefined, agrees: boolean | null | undefined,
 *   here: boolean }} DrawnNode
 * @typedef {{ a: string, b: string, status: "up" | "indirect" | "down" | "cut" | "unknown" }} DrawnLink
 */

/** @param {{ picture: Element, nodesGroup: Element, linksGroup: Element }} parts */
export function drawCluster({ picture, nodesGroup, linksGroup }, nodes, links) {
  const places = placesOf(nodes);
  reconcile(linksGroup, links, {
    key: ({ a, b }) => `${a} ${b}`,
    create: createLink,
    update: (group, link) => updateLink(group, link, places),
  });
  reconcile(nodesGroup, nodes, {
    key: ({ name }) => name,
    create: createNode,
    update: (group, node) => updateNode(group, node, places.get(node.name)),
  });
  setAttribute(picture, "aria-label", describe(nodes, links));
}

/** Evenly on an ellipse in order of name, so that every node's page draws the same picture. */
function placesOf(nodes) {
  const radius = nodes.length <= 4 ? RADIUS_LARGE : nodes.length <= 8 ? 26 : 16;
  const [radiusX, radiusY] = [WIDTH / 2 - radius - 26, HEIGHT / 2 - radius - 8];
  // Two stand side by side; three in a triangle, which is lower than the ellipse and so needs its centre lower.
  const turn = nodes.length === 2 ? Math.PI : Math.PI / 2;
  const [centreY, stretch] = nodes.length === 3 ? [HEIGHT / 2 + radiusY / 3, 4 / 3] : [HEIGHT / 2, 1];
  return new Map(
    nodes.map(({ name }, index) => {
      const angle = turn + (index * 2 * Math.PI) / nodes.length;
      const alone = nodes.length === 1;
      const x = WIDTH / 2 + (alone ? 0 : radiusX * Math.cos(angle));
      const y = alone ? HEIGHT / 2 : centreY - radiusY * stretch * Math.sin(angle);
      return [name, { x, y, radius }];
    }),
  );
}

function createLink() {
  return shape(
    "g",
    { class: "link" },
    shape("path", { class: "wire" }),
    shape("path", { class: "traffic" }),
    shape(
      "g",
      { class: "scissors" },
      shape("circle", { r: "9" }),
      shape("path", { d: "M-3.5-3.5l7 7m0-7l-7 7" }),
    ),
  );
}

function updateLink(group, { a, b, status }, places) {
  const [from, to] = [places.get(a), places.get(b)];
  if (from === undefined || to === undefined) return;
  const [wire, traffic, scissors] = group.children;
  const path = `M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}`;
  setAttribute(group, "data-status", status);
  setAttribute(wire, "d", path);
  setAttribute(traffic, "d", path);
  setAttribute(
    scissors,
    "transform",
    `translate(${round((from.x + to.x) / 2)} ${round((from.y + to.y) / 2)})`,
  );
}

function createNode() {
  return shape(
    "g",
    { class: "node" },
    shape("circle", { class: "halo" }),
    shape("circle", { class: "disc" }),
    shape("text", { class: "node-name", y: "-2" }),
    shape("text", { class: "node-entries", y: "15" }),
    shape("g", { class: "verdict" }, shape("circle", { r: "10" }), shape("path")),
    shape("title"),
  );
}

const VERDICTS = {
  true: { name: "agrees", path: "M-4.2.4l2.8 2.9 5.4-6" },
  false: { name: "differs", path: "M-4-2h8m-8 4h8m-1.6-6.5-4.8 9" },
};

function updateNode(group, { name, status, entries, agrees, here }, { x, y, radius }) {
  const [halo, disc, label, count, verdict, title] = group.children;
  setAttribute(group, "transform", `translate(${round(x)} ${round(y)})`);
  setAttribute(group, "data-status", status);
  setAttribute(group, "data-here", here);
  setAttribute(halo, "r", radius + 6);
  setAttribute(disc, "r", radius);
  setText(label, name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX - 1)}…` : name);
  setText(count, entries === undefined ? status : countText(entries, radius));
  const shown = VERDICTS[String(agrees)];
  setAttribute(verdict, "data-verdict", shown?.name ?? "none");
  setAttribute(verdict, "transform", `translate(${round(radius * 0.74)} ${round(-radius * 0.74)})`);
  if (shown !== undefined) setAttribute(verdict.lastElementChild, "d", shown.path);
  setText(title, `${name}: ${status}${entries === undefined ? "" : `, ${entries} entries`}`);
}

/** The word only where there is room for it. */
function countText(entries, radius) {
  const number = entries.toLocaleString("en", { notation: "compact" });
  return radius < RADIUS_LARGE ? number : `${number} ${entries === 1 ? "entry" : "entries"}`;
}

function describe(nodes, links) {
  const states = nodes.map(({ name, status }) => `${name} ${status}`).join(", ");
  const broken = links.filter(({ status }) => status === "cut" || status === "down");
  const cuts = broken.map(({ a, b, status }) => `link ${a} to ${b} ${status}`).join(", ");
  return `The cluster: ${states}${cuts === "" ? "" : `; ${cuts}`}`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
