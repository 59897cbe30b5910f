/** The picture of nodes and links, with numbers on the links while there is room for them. */
import { ago } from "../ago.js";
import { drawCluster } from "../cluster-picture.js";
import { byId, setAttribute, setText } from "../dom.js";
import { bytes, milliseconds, plural } from "../numbers.js";
import { visible } from "../visible.js";

const FRAME_WIDE = { width: 640, height: 400, margin: 40 };
/** On a phone: what is drawn is not made smaller, but drawn closer together. */
const FRAME_NARROW = { width: 380, height: 330, margin: 6 };
const NARROW_PX = 480;
const LABELLED_NODES_MAX = 6;
/** With more, links of others that are well are left out: they could not be told apart. */
const DRAWN_WHOLE_NODES_MAX = 12;

/** @param {import("./cluster-facts.js").ClusterFacts} facts */
export function showMesh(facts, nowMs) {
  const { self, nodes, links } = facts.mesh(nowMs);
  const crowded = nodes.length > DRAWN_WHOLE_NODES_MAX;
  const drawn = crowded ? links.filter(({ own, status }) => own || status !== "up") : links;
  const room = nodes.length <= LABELLED_NODES_MAX;
  // Later ones cover earlier ones, and the links of this node have the labels.
  const labelled = drawn
    .map((link) => ({ ...from(self, link), label: room ? labelOf(link) : "" }))
    .sort((a, b) => Number(a.own === true) - Number(b.own === true));
  const picture = byId("picture");
  setAttribute(picture, "data-crowded", crowded);
  const frame = picture.clientWidth < NARROW_PX ? FRAME_NARROW : FRAME_WIDE;
  setAttribute(picture, "viewBox", `0 0 ${frame.width} ${frame.height}`);
  const parts = { picture, nodesGroup: byId("picture-nodes"), linksGroup: byId("picture-links") };
  drawCluster(parts, nodes, labelled, frame);
  const age = facts.isSilent(nowMs) ? `saw it ${ago(facts.silentMs(nowMs))}` : "sees it";
  const view = self === undefined ? "" : `as ${visible(self)} ${age}`;
  setText(byId("mesh-view"), crowded ? `${view}; of others, broken links only` : view);
  const count = facts.replicas(nowMs).length;
  setText(byId("replicas-view"), self === undefined ? "" : `${view} · ${plural(count, "replica")}`);
}

/** A label stands nearer to where its link begins. */
function from(self, link) {
  return link.b === self ? { ...link, a: link.b, b: link.a } : link;
}

function labelOf({ own, status, roundTripMs, inPerSecond, outPerSecond }) {
  if (!own || status !== "up") return "";
  const traffic =
    inPerSecond === undefined || outPerSecond === undefined ? [] : [`${bytes(inPerSecond + outPerSecond)}/s`];
  return [...(roundTripMs === undefined ? [] : [milliseconds(roundTripMs)]), ...traffic].join(" · ");
}
