/** Starts a crowd in a process of its own, asks it, and ends it. */
import { AskedProcess } from "./asked-process.ts";
import type { CrowdedNodeOrders } from "./crowded-node-orders.ts";

export class CrowdedNodeProcess extends AskedProcess<CrowdedNodeOrders> {
  constructor() {
    super(new URL("./crowded-node.ts", import.meta.url));
  }
}
