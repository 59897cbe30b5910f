/** Starts a linked node in a process of its own, asks it, and ends it. */
import { AskedProcess } from "./asked-process.ts";
import type { LinkedNodeOrders } from "./linked-node-orders.ts";

export class LinkedNodeProcess extends AskedProcess<LinkedNodeOrders> {
  constructor() {
    super(new URL("./linked-node.ts", import.meta.url));
  }
}
