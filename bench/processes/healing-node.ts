/** One side of a partition, in a process of its own: holds many people, changes some of them while it is cut off. */
import { createNode, type PresentlyNode, type Session } from "presently";

/** What the parent may ask for. */
export type HealingOrder =
  | { readonly do: "start"; readonly name: string; readonly port: number; readonly peer: string }
  | { readonly do: "hold"; readonly entries: number; readonly topics: number }
  | { readonly do: "change"; readonly each: number }
  | { readonly do: "agreement" }
  | { readonly do: "watch" }
  | { readonly do: "seen" };

/** What it is answered. */
export interface HealingAnswer {
  readonly agrees?: boolean;
  readonly entries?: number;
  /** Since the link with the other is up. */
  readonly linkedForMs?: number;
  /** Over that link, both ways. */
  readonly bytes?: number;
  readonly status?: string;
  readonly joins?: number;
  readonly leaves?: number;
  readonly updates?: number;
  /** Longest pause between two looks at the clock since the watching began. */
  readonly longestStallMs?: number;
  /** Most work of this process between two looks, by the processor's time: the pause on a machine with nothing else to do. */
  readonly longestWorkMs?: number;
}

let node: PresentlyNode;
let session: Session;
const held: { topic: string; key: string }[] = [];
const topics = new Set<string>();
let [joins, leaves, updates, longestStallMs, longestWorkMs, lookedAt] = [0, 0, 0, 0, 0, 0];
let worked = process.cpuUsage();

const meta = (index: number, status: string) => ({
  name: `User ${index}`,
  online_at: 1_700_000_000 + index,
  status,
});

async function obey(order: HealingOrder): Promise<HealingAnswer> {
  switch (order.do) {
    case "start":
      node = await createNode({
        name: order.name,
        cluster: "bench",
        mesh: { port: order.port, peers: [order.peer], peerGossip: false },
        entriesPerSessionMax: 1_000_000,
        logLevel: "silent",
      });
      session = node.session();
      return {};
    case "hold":
      for (let index = 0; index < order.entries; index++) {
        const place = { topic: `topic ${index % order.topics}`, key: `${node.name} ${index}` };
        session.track(place.topic, place.key, meta(index, "online"));
        held.push(place);
        topics.add(place.topic);
        if (index % 1_000 === 999) await new Promise(setImmediate);
      }
      return {};
    case "change":
      for (let index = 0; index < order.each; index++) {
        const [left, updated] = [held[index * 3]!, held[index * 3 + 1]!];
        session.untrack(left.topic, left.key);
        session.update(updated.topic, updated.key, meta(index, "away"));
        session.track(left.topic, `${node.name} new ${index}`, meta(index, "online"));
        if (index % 100 === 99) await new Promise(setImmediate);
      }
      return {};
    case "agreement": {
      const other = node.cluster()[1];
      const link = node.links()[0];
      return {
        agrees: other?.status === "up" && other.agrees === true,
        status: other?.status ?? "unknown",
        entries: node.topics().reduce((sum, { entries }) => sum + entries, 0),
        linkedForMs: link?.openForMs ?? 0,
        bytes: (link?.bytesSent ?? 0) + (link?.bytesReceived ?? 0),
      };
    }
    case "watch":
      for (const topic of topics)
        node.watch(topic, (change) => {
          if (change.type === "state") return;
          joins += change.joins.length;
          leaves += change.leaves.length;
          updates += change.updates.length;
        });
      lookedAt = performance.now();
      setInterval(() => {
        const now = performance.now();
        const { user, system } = process.cpuUsage(worked);
        worked = process.cpuUsage();
        longestStallMs = Math.max(longestStallMs, now - lookedAt);
        longestWorkMs = Math.max(longestWorkMs, (user + system) / 1_000);
        lookedAt = now;
      }, 1);
      return {};
    case "seen": {
      const seen = { joins, leaves, updates, longestStallMs, longestWorkMs };
      [joins, leaves, updates, longestStallMs, longestWorkMs] = [0, 0, 0, 0, 0];
      return seen;
    }
  }
}

process.on("message", async (order: HealingOrder) => process.send!(await obey(order)));
process.on("disconnect", () => process.exit());
