/** A node in a process of its own, for benchmarks: told by messages what to do, and answers with figures. */
import { createNode } from "presently";

/** What the parent may ask for. */
export type Order =
  | {
      readonly do: "start";
      readonly name: string;
      readonly peers: readonly string[];
      readonly flushIntervalMs?: number;
    }
  | { readonly do: "time-joins"; readonly topic: string; readonly count: number }
  | { readonly do: "track"; readonly topic: string; readonly count: number };

const wallMs = () => performance.timeOrigin + performance.now();
const answer = (message: object) => process.send?.(message);

let node: Awaited<ReturnType<typeof createNode>>;

process.on("message", async (order: Order) => {
  if (order.do === "start") {
    const { name, peers, flushIntervalMs } = order;
    const flush = flushIntervalMs === undefined ? {} : { flushIntervalMs };
    node = await createNode({
      name,
      cluster: "bench",
      mesh: { port: 0, peers },
      logLevel: "silent",
      ...flush,
    });
    await node.whenReady();
    answer({ url: node.meshUrl });
  } else if (order.do === "time-joins") {
    const delaysMs: number[] = [];
    node.watch(order.topic, (change) => {
      if (change.type === "state") return;
      for (const { meta } of change.joins) delaysMs.push(wallMs() - (meta["sentAt"] as number));
      if (delaysMs.length === order.count) answer({ delaysMs });
    });
    answer({ watching: true });
  } else {
    const session = node.session();
    node.batch(() => {
      for (let index = 0; index < order.count; index++) session.track(order.topic, `key ${index}`);
    });
    answer({ tracked: order.count });
  }
});
process.on("disconnect", () => process.exit());
