/** How the cluster is, in a sentence, and what of it needs looking at, the worst first. Pure. */
import { ago, lasting } from "../ago.js";
import { plural, whole } from "../numbers.js";
import { visible } from "../visible.js";

/** While changes travel, digests differ from one heartbeat to the next: that alone is no disagreement. */
const AGREED_LATELY_MS = 3_000;

const RANKS = { bad: 0, warn: 1, note: 2 };

/**
 * `text` stays the same while nothing changes, so that it is not read out again; `detail` is what counts up.
 *
 * @typedef {{ level: "bad" | "warn" | "note", text: string, detail?: string }} Concern
 *
 * @param {import("./cluster-facts.js").ClusterFacts} facts
 * @param {number} nowMs
 * @returns {{ level: "good" | "warn" | "bad" | "unknown", title: string, detail?: string, concerns: Concern[] }}
 */
export function healthOf(facts, nowMs) {
  const { report } = facts;
  const silentMs = facts.silentMs(nowMs);
  if (report === undefined) {
    return facts.isSilent(nowMs)
      ? {
          level: "bad",
          title: "This node has not answered yet",
          detail: `for ${lasting(silentMs)}`,
          concerns: [],
        }
      : { level: "unknown", title: "Asking…", concerns: [] };
  }
  const here = visible(report.node);
  if (facts.isSilent(nowMs)) {
    return {
      level: "bad",
      title: `${here} is not answering`,
      detail: `for ${lasting(silentMs)}. What is shown below is what it said last; it may be wrong by now`,
      concerns: [],
    };
  }
  const replicas = facts.replicas(nowMs);
  const concerns = [
    ...ofNode(report, here),
    ...replicas.flatMap((replica) => ofReplica(replica, here)),
    ...ofLinks(facts.mesh(nowMs)),
    ...ofVersions(replicas),
    ...ofCounters(report.counters),
  ].sort((a, b) => RANKS[a.level] - RANKS[b.level]);
  const worst = concerns[0];
  if (worst !== undefined && worst.level !== "note") {
    return { level: worst.level, title: worst.text, detail: worst.detail, concerns: concerns.slice(1) };
  }
  const current = replicas.filter(({ earlier }) => !earlier);
  const title =
    current.length === 1
      ? `${here} is the only replica it knows`
      : `All ${current.length} replicas are up and agree with ${here}`;
  return { level: "good", title, concerns };
}

function ofNode({ ready, notReadyReason }, here) {
  return ready ? [] : [{ level: "warn", text: `${here} is not ready`, detail: notReadyReason }];
}

/** @returns {Concern[]} */
function ofReplica({ here: isHere, ...replica }, here) {
  if (isHere) return [];
  const name = visible(replica.name);
  const { status, earlier, entries, heardAgoMs, linked, agrees, agreedAgoMs, ready, sync } = replica;
  const heard = `last heard ${ago(heardAgoMs)}`;
  if (earlier) {
    const text = `An earlier life of ${name} is still remembered`;
    return [{ level: "note", text, detail: `${plural(entries, "entry", "entries")}; ${heard}` }];
  }
  if (status === "down") {
    const hidden = entries > 0 ? `; ${plural(entries, "entry is", "entries are")} hidden` : "";
    return [{ level: "bad", text: `${name} is down`, detail: heard + hidden }];
  }
  if (status === "suspect")
    return [{ level: "warn", text: `${name} is suspected to be down`, detail: heard }];
  if (status === "leaving") return [{ level: "note", text: `${name} is stopping`, detail: heard }];
  if (!linked) {
    const text = `${here} has no link with ${name}`;
    return [{ level: "warn", text, detail: `it is heard through others, ${heard}` }];
  }
  const concerns = [];
  if (ready === false) concerns.push({ level: "warn", text: `${name} is not ready`, detail: syncText(sync) });
  if (agrees === false && (agreedAgoMs === undefined || agreedAgoMs > AGREED_LATELY_MS)) {
    const since = agreedAgoMs === undefined ? "not since the link is up" : `last ${ago(agreedAgoMs)}`;
    concerns.push({ level: "warn", text: `${name} and ${here} do not agree`, detail: since });
  }
  // Within the first heartbeats of a link.
  if (agrees === undefined) concerns.push({ level: "note", text: `${name} has not said yet what it holds` });
  return concerns;
}

/** How far a state is that a node is being given. @returns {string | undefined} */
export function syncText(sync) {
  if (!sync) return undefined;
  const giver = visible(sync.from.slice(0, sync.from.lastIndexOf("@")));
  return `${whole(sync.entriesReceived)} of ${whole(sync.entriesExpected)} entries have come from ${giver}`;
}

/** Of links with this node the replicas tell; here are those between others. */
function ofLinks({ nodes, links }) {
  const up = new Set(nodes.filter(({ status }) => status === "up").map(({ name }) => name));
  return links
    .filter(({ own, status, a, b }) => own === false && status !== "up" && up.has(a) && up.has(b))
    .map(({ a, b }) => ({
      level: "warn",
      text: `${visible(a)} and ${visible(b)} have no link with each other`,
      detail: "as they say themselves",
    }));
}

function ofVersions(replicas) {
  const versions = [...new Set(replicas.map(({ version }) => version).filter((each) => each !== undefined))];
  if (versions.length < 2) return [];
  return [{ level: "note", text: `Replicas run different versions: ${versions.sort().join(", ")}` }];
}

function ofCounters({ divergences, nameConflicts }) {
  const concerns = [];
  if (divergences > 0) {
    // It is over when it is counted, and an operator who forgets a replica that lives has asked for one.
    const text = "Replicas with the same events held different states";
    const detail = `${plural(divergences, "time")} since the start, repaired each time`;
    concerns.push({ level: "note", text, detail });
  }
  if (nameConflicts > 0) {
    const text = "Another process has used the name of this node";
    concerns.push({ level: "warn", text, detail: `${plural(nameConflicts, "time")} since the start` });
  }
  return concerns;
}
