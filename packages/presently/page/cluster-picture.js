/** The cluster drawn: a circle for each node, a line for each link. Knows how things look, not what they mean. */
import { reconcile, setAttribute, setText, shape } from "./dom.js";

/** The size of the picture, as its `viewBox` has it, and the room that it keeps beside the outermost nodes. */
const FRAME = { width: 360, height: 236, margin: 26 };
const RADIUS_LARGE = 34;
/** Below it a name does not fit into the disc and stands outside the ring. */
const RADIUS_NAMED = 12;
const RADIUS_MIN = 4;
/** How far along its link a label stands. */
const LABEL_PLACE = 0.4;
const NAME_CHARACTERS_MAX = 7;
const NAME_OUTSIDE_CHARACTERS_MAX = 12;
const NAME_OUTSIDE_ROOM = 72;
/** With more nodes than that, those that are well are counted, not listed, for whoever cannot see the picture. */
const DESCRIBED_MAX = 8;

/**
 * @typedef {{ name: string, status: string, entries: number | undefined, agrees: boolean | null | undefined,
 *   here: boolean }} DrawnNode
 * @typedef {{ a: string, b: string, status: "up" | "indirect" | "down" | "cut" | "unknown", label?: string }} DrawnLink  a label
 *   stands nearer to `a`
 */

/**
 * @param {{ picture: Element, nodesGroup: Element, linksGroup: Element }} parts
 * @param {DrawnNode[]} nodes
 * @param {DrawnLink[]} links
 * @param {{ width: number, height: number, margin: number }} [frame]
 */
export function drawCluster({ picture, nodesGroup, linksGroup }, nodes, links, frame = FRAME) {
  const places = placesOf(nodes, frame);
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
function placesOf(nodes, { width, height, margin }) {
  const radius = radiusOf(nodes.length, width, height);
  const outside = radius < RADIUS_NAMED ? NAME_OUTSIDE_ROOM : 0;
  const [radiusX, radiusY] = [width / 2 - radius - margin - outside, height / 2 - radius - 8 - outside];
  // Two stand side by side; three in a triangle, which is lower than the ellipse and so needs its centre lower.
  const turn = nodes.length === 2 ? Math.PI : Math.PI / 2;
  const [centreY, stretch] = nodes.length === 3 ? [height / 2 + radiusY / 3, 4 / 3] : [height / 2, 1];
  return new Map(
    nodes.map(({ name }, index) => {
      const angle = turn + (index * 2 * Math.PI) / nodes.length;
      const alone = nodes.length === 1;
      const x = width / 2 + (alone ? 0 : radiusX * Math.cos(angle));
      const y = alone ? height / 2 : centreY - radiusY * stretch * Math.sin(angle);
      return [name, { x, y, radius, angle }];
    }),
  );
}

/** As large as they can be without touching each other on the ring. */
function radiusOf(count, width, height) {
  if (count <= 4) return RADIUS_LARGE;
  if (count <= 8) return 26;
  const around = Math.PI * Math.hypot(width - 180, height - 180) * Math.SQRT1_2;
  return Math.max(RADIUS_MIN, Math.min(16, around / (count * 2.8)));
}

function createLink() {
  return shape(
    "g",
    { class: "link" },
    shape("path", { class: "wire" }),
    shape("text", { class: "link-label" }),
    shape(
      "g",
      { class: "scissors" },
      shape("circle", { r: "9" }),
      shape("path", { d: "M-3.5-3.5l7 7m0-7l-7 7" }),
    ),
  );
}

function updateLink(group, { a, b, status, label = "" }, places) {
  const [from, to] = [places.get(a), places.get(b)];
  if (from === undefined || to === undefined) return;
  const [wire, text, scissors] = group.children;
  setAttribute(group, "data-status", status);
  setAttribute(wire, "d", `M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}`);
  const middle = `translate(${round((from.x + to.x) / 2)} ${round((from.y + to.y) / 2)})`;
  setAttribute(scissors, "transform", middle);
  // Beside the middle, where links cross each other.
  const [x, y] = [from.x + (to.x - from.x) * LABEL_PLACE, from.y + (to.y - from.y) * LABEL_PLACE];
  setAttribute(text, "transform", `translate(${round(x)} ${round(y)})`);
  setText(text, label);
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

function updateNode(group, { name, status, entries, agrees, here }, { x, y, radius, angle }) {
  const [halo, disc, label, count, verdict, title] = group.children;
  setAttribute(group, "transform", `translate(${round(x)} ${round(y)})`);
  setAttribute(group, "data-status", status);
  setAttribute(group, "data-here", here);
  setAttribute(halo, "r", radius + (radius < RADIUS_NAMED ? 1 : 6));
  setAttribute(disc, "r", radius);
  const outside = radius < RADIUS_NAMED;
  setAttribute(group, "data-small", outside);
  setText(label, shortened(name, outside ? NAME_OUTSIDE_CHARACTERS_MAX : NAME_CHARACTERS_MAX));
  placeLabel(label, outside ? { angle, distance: radius + 6 } : undefined);
  setText(count, outside ? "" : entries === undefined ? status : countText(entries, radius));
  const shown = outside ? undefined : VERDICTS[String(agrees)];
  setAttribute(verdict, "data-verdict", shown?.name ?? "none");
  setAttribute(verdict, "transform", `translate(${round(radius * 0.74)} ${round(-radius * 0.74)})`);
  if (shown !== undefined) setAttribute(verdict.lastElementChild, "d", shown.path);
  setText(title, `${name}: ${status}${entries === undefined ? "" : `, ${entries} entries`}`);
}

function shortened(name, charactersMax) {
  const characters = [...name];
  return characters.length > charactersMax ? `${characters.slice(0, charactersMax - 1).join("")}…` : name;
}

/** In the disc; or outside of the ring, along its ray, and never upside down. */
function placeLabel(label, ray) {
  if (ray === undefined) {
    setAttribute(label, "transform", false);
    setAttribute(label, "text-anchor", false);
    return;
  }
  const left = Math.cos(ray.angle) < -1e-6;
  const degrees = (-ray.angle * 180) / Math.PI;
  const [turn, away] = left ? [degrees + 180, -ray.distance] : [degrees, ray.distance];
  setAttribute(label, "transform", `rotate(${round(turn)}) translate(${round(away)} 6)`);
  setAttribute(label, "text-anchor", left ? "end" : "start");
}

/** The word only where there is room for it. */
function countText(entries, radius) {
  const number = entries.toLocaleString("en", { notation: "compact" });
  return radius < RADIUS_LARGE || number.length > 3
    ? number
    : `${number} ${entries === 1 ? "entry" : "entries"}`;
}

function describe(nodes, links) {
  const listed = nodes.length <= DESCRIBED_MAX ? nodes : nodes.filter(({ status }) => status !== "up");
  const counted = listed === nodes ? [] : [`${nodes.length - listed.length} nodes up`];
  const states = [...counted, ...listed.map(({ name, status }) => `${name} ${status}`)].join(", ");
  const broken = links.filter(({ status }) => status === "cut" || status === "down");
  const cuts = broken.map(({ a, b, status }) => `link ${a} to ${b} ${status}`).join(", ");
  return `The cluster: ${states}${cuts === "" ? "" : `; ${cuts}`}`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
