/**
 * When may a node serve clients? Once it is ready: linked with its peers and caught up, or `readyGraceMs` after its start for
 * peers that do not answer. Before, nobody would get what a client publishes, and lists would miss people. So doors send
 * clients away with "try again", and load balancers send them elsewhere.
 */
import { checkObject } from "@presently/replica";
import type { PresentlyNode } from "../node.ts";

/** Whether the node is not ready yet. A node that is stopping is not starting: its doors close by themselves. */
export function isStarting(node: Pick<PresentlyNode, "ready" | "stopping">): boolean {
  checkObject("node", node);
  return !node.ready && !node.stopping;
}
