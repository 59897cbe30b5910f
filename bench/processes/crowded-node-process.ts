/** Starts a crowd in a process of its own, asks it, and ends it. */
import { AskedProcess } from "./asked-process.ts";
import type { CrowdedNodeOrders } from "./crowded-node-orders.ts";

const SCRIPTS = {
  presently: new URL("./crowded-node.ts", import.meta.url),
  bare: new URL("./bare-crowd.ts", import.meta.url),
};

export class CrowdedNodeProcess extends AskedProcess<CrowdedNodeOrders> {
  constructor(system: keyof typeof SCRIPTS = "presently") {
    super(SCRIPTS[system]);
  }
}
