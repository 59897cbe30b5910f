/** A node with very many people, in a process of its own: told by messages what to do, and answers with figures. */
import { createNode, type PresentlyNode } from "presently";
import { people } from "../workload.ts";
import type { CrowdedNodeOrder, CrowdedNodeOrders } from "./crowded-node-orders.ts";

const wallMs = () => performance.timeOrigin + performance.now();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let node: PresentlyNode;
let longestStallMs = 0;

type Carriers = {
  [Name in keyof CrowdedNodeOrders]: (
    given: Parameters<CrowdedNodeOrders[Name]>[0],
  ) => ReturnType<CrowdedNodeOrders[Name]> | Promise<ReturnType<CrowdedNodeOrders[Name]>>;
};

const carriers: Carriers = {
  async start({ name, peers }) {
    node = await createNode({
      name,
      cluster: "bench",
      mesh: { port: 0, peers: [...peers] },
      logLevel: "silent",
    });
    await node.whenReady();
    return { url: node.meshUrl! };
  },
  async track({ first, end, perTurn }) {
    const everybody = people(end).slice(first);
    await pause(50);
    const startedMs = wallMs();
    for (const [index, { topic, key, meta }] of everybody.entries()) {
      node.session().track(topic, key, meta);
      if (index % perTurn === perTurn - 1) await new Promise(setImmediate);
    }
    return { startedMs };
  },
  async holds({ count }) {
    while (node.topics().reduce((sum, { entries }) => sum + entries, 0) < count) await pause(1);
    return { atMs: wallMs() };
  },
  async memory() {
    for (let index = 0; index < 5; index++) {
      globalThis.gc?.();
      await pause(50);
    }
    const { rss, heapUsed } = process.memoryUsage();
    return { residentBytes: rss, heapBytes: heapUsed };
  },
  watchStalls() {
    let lookedAt = performance.now();
    longestStallMs = 0;
    setInterval(() => {
      const now = performance.now();
      longestStallMs = Math.max(longestStallMs, now - lookedAt);
      lookedAt = now;
    }, 1);
    return {};
  },
  stalls() {
    const longestMs = longestStallMs;
    longestStallMs = 0;
    return { longestMs };
  },
};

process.on("message", async ({ order, given }: CrowdedNodeOrder) => {
  process.send!(await carriers[order](given as never));
});
process.on("disconnect", () => process.exit());
