/**
 * What the cluster panel shows, put together from what this page's node says of the cluster (`GET /api/cluster`), whether
 * it still says anything, and, in a demo, what the supervisor knows.
 */

/**
 * @typedef {{ node: string, replicas: any[] }} Report  as `GET /api/cluster` answers it
 * @typedef {{ nodes: { name: string, url: string, state: string }[], links: { a: string, b: string, cut: boolean }[] }} DemoState
 */

/**
 * @param {Report | undefined} report  the last one
 * @param {boolean} silent  whether the node has stopped answering since
 * @param {DemoState | undefined} demo
 */
export function clusterModel(report, silent, demo) {
  const self = report?.node;
  const replicas = latestLives(report?.replicas ?? []);
  const processes = new Map((demo?.nodes ?? []).map((node) => [node.name, node]));
  const names = [...new Set([...replicas.keys(), ...processes.keys()])].sort(compareNames);
  const nodes = names.map((name) =>
    nodeOf(name, { here: name === self, replica: replicas.get(name), process: processes.get(name), silent }),
  );
  return { self, nodes, links: linksOf(nodes, demo) };
}

/** A node may be known by several lives, the earlier ones about to be forgotten; the latest is the node. */
function latestLives(replicas) {
  const lives = new Map();
  for (const replica of replicas) {
    const known = lives.get(replica.node);
    if (known === undefined || rank(replica) > rank(known)) lives.set(replica.node, replica);
  }
  return lives;
}

const RANKS = { self: 4, up: 3, leaving: 2, suspect: 1 };

function rank({ status }) {
  return RANKS[status] ?? 0;
}

function nodeOf(name, { here, replica, process, silent }) {
  const status = nodeStatus({ here, replica, process, silent });
  return {
    name,
    here,
    status,
    entries: silent ? undefined : replica?.entries,
    heardAgoMs: silent || here ? undefined : replica?.heardAgoMs,
    agrees: silent || here ? undefined : agreement(replica),
    linked: !silent && replica?.linked === true,
    process: process?.state,
    url: process?.url,
  };
}

/** While changes travel, digests differ from one heartbeat to the next: that alone is no disagreement. */
const AGREED_LATELY_MS = 3_000;

/** Whether it agrees with this node; undefined when its digests do not come here, and what it said last is old. */
function agreement({ linked, agrees, agreedAgoMs } = {}) {
  if (!linked || typeof agrees !== "boolean") return undefined;
  return agrees || (agreedAgoMs !== null && agreedAgoMs < AGREED_LATELY_MS);
}

/** A node that is silent tells nothing of itself or of others any more; what the supervisor knows still holds. */
function nodeStatus({ here, replica, process, silent }) {
  const halted = process === undefined || process.state === "running" ? undefined : process.state;
  if (silent) return halted ?? (here ? "silent" : "unknown");
  return here ? "up" : (replica?.status ?? halted ?? "unknown");
}

/** Links of this page's node as it sees them; those between others only in a demo, where somebody knows. */
function linksOf(nodes, demo) {
  const cuts = new Map((demo?.links ?? []).map(({ a, b, cut }) => [pairName(a, b), cut]));
  const links = [];
  for (const [index, a] of nodes.entries()) {
    for (const b of nodes.slice(index + 1)) {
      const cut = cuts.get(pairName(a.name, b.name));
      if (cut === undefined && !a.here && !b.here) continue;
      links.push({ a: a.name, b: b.name, cut, status: linkStatus(a, b, cut) });
    }
  }
  return links;
}

function linkStatus(a, b, cut) {
  if (cut === true) return "cut";
  const [here, other] = a.here ? [a, b] : b.here ? [b, a] : [];
  if (here?.status === "up") {
    if (other.linked) return "up";
    return other.status === "up" ? "indirect" : "down";
  }
  if (a.process === undefined || b.process === undefined) return "unknown";
  return a.process === "running" && b.process === "running" ? "up" : "down";
}

/** The same name for both orders of a pair. */
export function pairName(a, b) {
  return [a, b].sort().join(" ");
}

/** Numbers inside names count as numbers: n2 comes before n10. */
function compareNames(a, b) {
  return a.localeCompare(b, "en", { numeric: true }) || (a < b ? -1 : 1);
}
