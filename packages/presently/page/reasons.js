/** Why somebody left, for a list that does not say it: whoever came through a node that is lost, was lost with it. */

const TIMEOUT_MS = 1_000;

/** The replicas that the node of this page believes lost; none if it does not answer in time. @returns {Promise<string[]>} */
export async function lostReplicas(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    const { replicas } = response.ok ? await response.json() : { replicas: [] };
    return replicas.filter(({ status }) => status === "down").map(({ replica }) => replica);
  } catch {
    // The connection of the page says that the node does not answer.
    return [];
  }
}

/** Gives the reason of an entry's leave. Replica and reference begin with the same node, and with the same life of it. */
export function reasonAmong(lost) {
  const prefixes = lost.map((replica) => {
    const at = replica.lastIndexOf("@");
    return `${replica.slice(0, at + 1)}${Number(replica.slice(at + 1)).toString(36)}.`;
  });
  return ({ ref }) => (prefixes.some((prefix) => ref.startsWith(prefix)) ? "lost" : "left");
}
