/** The cluster in five numbers; what is not known, or not any more, is none. Pure. */
import { bytes, plural, short, whole } from "../numbers.js";

/**
 * @param {import("./cluster-facts.js").ClusterFacts} facts
 * @param {{ topics: number } | undefined} total  of the whole node, if it is known
 * @returns {import("./tiles.js").Tile[]}
 */
export function clusterNumbers(facts, total, nowMs) {
  const fresh = !facts.isSilent(nowMs);
  const perSecond = (value) => `${bytes(value)}/s`;
  const replicas = fresh ? facts.replicas(nowMs).filter(({ earlier }) => !earlier) : [];
  const up = replicas.filter(({ status }) => status === "self" || status === "up").length;
  return [
    {
      ...{ name: "Replicas up", what: "Replicas that are up", format: whole },
      value: replicas.length === 0 ? undefined : up,
      detail: replicas.length === 0 ? undefined : `of ${whole(replicas.length)}`,
    },
    {
      ...{ name: "Entries", what: "Presences that are shown", format: whole },
      value: fresh ? facts.entries() : undefined,
      detail: total === undefined ? undefined : `on ${plural(total.topics, "topic")}`,
    },
    {
      ...{ name: "Changes", what: "Joins, leaves and updates a second, of all nodes", format: short },
      value: facts.changesPerSecond(nowMs),
      detail: "a second",
    },
    {
      ...{ name: "Received", what: "Bytes a second that this node receives from others", format: perSecond },
      value: facts.receivedPerSecond(nowMs),
    },
    {
      ...{ name: "Sent", what: "Bytes a second that this node sends to others", format: perSecond },
      value: facts.sentPerSecond(nowMs),
    },
  ];
}
