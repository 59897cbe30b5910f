/** A node that is linked with others by the mesh or by NATS, in a process of its own: makes changes, and says what that took. */
import { setTimeout as delay } from "node:timers/promises";
import { nats } from "@presently/nats";
import { createNode, type PresentlyNode } from "presently";
import type { LinkedNodeOrder, LinkedNodeOrders } from "./linked-node-orders.ts";
import { connections } from "./traffic.ts";

const ROOM = "room:lobby";

let node: PresentlyNode;
let made = 0;

type Carriers = {
  [Name in keyof LinkedNodeOrders]: (
    given: Parameters<LinkedNodeOrders[Name]>[0],
  ) => Promise<ReturnType<LinkedNodeOrders[Name]>>;
};

const carriers: Carriers = {
  async start({ name, peers, server }) {
    const link =
      server === undefined
        ? { mesh: { port: 0, peers: [...peers] } }
        : { transport: nats({ servers: [server] }) };
    node = await createNode({ name, cluster: "bench", logLevel: "silent", ...link });
    await node.whenReady();
    return { url: node.meshUrl! };
  },
  async linked({ count }) {
    while (node.links().length < count) await delay(20);
    return {};
  },
  async measure({ forMs, changesPerSecond }) {
    const session = node.session();
    const bytesBefore = bytesSoFar();
    const cpuBefore = process.cpuUsage();
    const startedMs = performance.now();
    if (changesPerSecond === 0) await delay(forMs);
    for (let index = 0; performance.now() - startedMs < forMs; ) {
      const due = ((performance.now() - startedMs) / 1_000) * changesPerSecond;
      // Who came leaves with the next change: the room does not grow.
      for (; index < due; index++) {
        if (index % 2 === 0) session.track(ROOM, `${node.name} ${++made}`, { device: "phone" });
        else session.untrack(ROOM, `${node.name} ${made}`);
      }
      await delay(10);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const bytes = bytesSoFar() - bytesBefore;
    session.close();
    return { bytesPerSecond: bytes / seconds, cpuMsPerSecond: (user + system) / 1_000 / seconds };
  },
};

/** In and out, of every connection. */
function bytesSoFar(): number {
  return connections().reduce((sum, { bytes }) => sum + bytes, 0);
}

process.on("message", async ({ order, given }: LinkedNodeOrder) => {
  process.send!(await carriers[order](given as never));
});
process.on("disconnect", () => process.exit());
