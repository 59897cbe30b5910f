/**
 * Which node does what only one should do: post a webhook, publish a count, tell all servers of a change?
 *
 * Nobody is asked. All nodes that see the same nodes come to the same answer, and while they see different ones two may act, or
 * none may for a moment. What is done must bear that.
 */
import { checkObject, checkString, type ReplicaId } from "@presently/replica";
import type { AnyNode } from "../node.ts";
import { inOrder } from "./rendezvous.ts";

/** What is to be done, and by which nodes it can be. */
export interface Charge {
  /** Names it: different subjects are in the charge of different nodes. */
  readonly subject: string;
  /** A topic on which each node that can do it has a presence. Default: every node can. */
  readonly among?: string | undefined;
}

/**
 * The replica that is in charge: the first by rendezvous hash (Thaler and Ravishankar,
 * 1998), so that the loss of a node moves nothing but its own charges. Undefined if no node can do it.
 *
 * A node that is leaving is in charge of nothing any more. Cost: O(nodes).
 */
export function inCharge(node: Pick<AnyNode, "cluster" | "list">, charge: Charge): ReplicaId | undefined {
  checkObject("node", node, ["cluster", "list"]);
  checkObject("charge", charge);
  const { subject, among } = charge;
  checkString("charge.subject", subject);
  const alive = new Set<ReplicaId>();
  for (const { replica, status } of node.cluster())
    if (status === "self" || status === "up" || status === "suspect") alive.add(replica);
  const able = among === undefined ? alive : new Set(node.list(among).map(({ replica }) => replica));
  return inOrder(
    [...able].filter((replica) => alive.has(replica)),
    subject,
  )[0];
}
