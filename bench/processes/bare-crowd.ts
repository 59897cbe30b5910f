/** As `crowded-node.ts`, with nothing but maps, msgpackr and ws: what the machine allows. */
import { BareLink } from "../peers/bare.ts";
import { people } from "../workload.ts";
import type { CrowdedNodeOrder, CrowdedNodeOrders } from "./crowded-node-orders.ts";

const wallMs = () => performance.timeOrigin + performance.now();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let link: BareLink;

type Known = "start" | "track" | "holds";
type Carriers = {
  [Name in Known]: (
    given: Parameters<CrowdedNodeOrders[Name]>[0],
  ) => Promise<ReturnType<CrowdedNodeOrders[Name]>>;
};

const carriers: Carriers = {
  async start({ peers: [peer] }) {
    link = await BareLink.open(peer, () => undefined);
    return { url: link.address };
  },
  async track({ first, end, perTurn }) {
    const everybody = people(end).slice(first);
    await pause(50);
    const startedMs = wallMs();
    for (const [index, { topic, key, meta }] of everybody.entries()) {
      link.put(topic, key, meta);
      if (index % perTurn === perTurn - 1) await new Promise(setImmediate);
    }
    return { startedMs };
  },
  async holds({ count }) {
    while (link.lists.numbers.size < count) await pause(1);
    return { atMs: wallMs() };
  },
};

process.on("message", async ({ order, given }: CrowdedNodeOrder) => {
  if (!(order in carriers)) throw new Error(`nothing but maps cannot ${order}`);
  process.send!(await carriers[order as Known](given as never));
});
process.on("disconnect", () => process.exit());
