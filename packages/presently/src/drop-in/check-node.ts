/** What everything that stands on a node asks first. */
import { checkObject } from "@presently/replica";

/** @throws {InvalidArgumentError} unless it is a node: what `createNode` settles with */
export function checkNode(node: unknown): void {
  checkObject("node", node, ["session", "watch", "onBroadcast"]);
}
