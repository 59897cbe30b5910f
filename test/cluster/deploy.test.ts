/**
 * A rolling deploy: each node in turn stops gracefully and starts again, while hundreds of people are present through
 * event streams and come back through another node as soon as theirs ends. What do watchers elsewhere see?
 */
import { seededRandom } from "@presently/replica";
import { describe, expect, test } from "vitest";
import { linkBytes, sentBetween, trafficRate } from "../fixtures/traffic.ts";
import { Visitors } from "../fixtures/visitors.ts";
import { eventually } from "../helpers/eventually.ts";
import { send, type TestStream } from "../helpers/http.ts";
import { ProcessCluster, seen } from "../helpers/process-cluster.ts";

const NODES = 5;
/** `PRESENTLY_DEPLOY_VISITORS=2000` takes half a minute more. */
const VISITORS = Number(process.env.PRESENTLY_DEPLOY_VISITORS ?? 500);
const ROOMS = 20;
const HANDOFF_MS = 60_000;
/** Longest time that a visitor takes to come back: the node that it left has come back before that. */
const AWAY_MS = 2_000;
/** Each takes a quarter of a minute on two idle cores. */
const PATIENT = { timeout: 240_000 };
/** Two default heartbeats: what idles, idles over this. */
const RATE_WINDOW_MS = 2_000;

/** What watchers of all rooms at a node that stayed saw of those whose node stopped, and of the others. */
interface Stage {
  readonly stopped: string;
  readonly moved: number;
  readonly joins: number;
  readonly leaves: number;
  readonly updates: number;
  /** Keys that were seen more or less often than once in any of these, or without having moved. */
  readonly odd: readonly string[];
}

class Deploy {
  readonly cluster: ProcessCluster;
  readonly visitors: Visitors;
  /** Nodes that a load balancer would send people to. */
  readonly #open: string[];
  #turn = 0;

  constructor(cluster: ProcessCluster, awayMs?: () => number) {
    this.cluster = cluster;
    this.#open = [...cluster.names];
    const next = () => cluster.node(this.#open[this.#turn++ % this.#open.length]!).url;
    this.visitors = new Visitors({ count: VISITORS, rooms: ROOMS, next, ...(awayMs ? { awayMs } : {}) });
  }

  /** Waits until everybody is shown, once, by every node. */
  async everybodyHere(): Promise<void> {
    await eventually(
      async () => {
        expect(this.visitors.present).toBe(VISITORS);
        for (const node of this.cluster.answering) {
          const { body } = await send(node.url, "/api/topics?prefix=room:&limit=1000");
          const topics: { keys: number; entries: number }[] = body.topics;
          const total = (what: "keys" | "entries") => topics.reduce((sum, topic) => sum + topic[what], 0);
          expect([node.name, total("keys"), total("entries")]).toEqual([node.name, VISITORS, VISITORS]);
        }
      },
      { what: `every node shows all ${VISITORS} visitors`, timeoutMs: 60_000, intervalMs: 100 },
    );
  }

  /** One node's turn. Its new life comes while people of the old one may still be on their way. */
  async replace(name: string): Promise<Stage> {
    const { cluster, visitors } = this;
    const others = cluster.names.filter((other) => other !== name);
    const moving = visitors.at(cluster.node(name).url);
    const watchers = await Promise.all(visitors.rooms.map((room) => cluster.watch(others[0]!, room)));
    this.#open.splice(this.#open.indexOf(name), 1);
    expect(await cluster.stop(name)).toBe(0);
    await cluster.run(name);
    await eventually(async () => expect((await send(cluster.node(name).url, "/readyz")).status).toBe(200));
    await this.everybodyHere();
    this.#open.push(name);
    const stage = stageOf(name, moving, watchers);
    for (const watcher of watchers) watcher.close();
    return stage;
  }
}

function stageOf(stopped: string, moving: readonly string[], watchers: readonly TestStream[]): Stage {
  const changes = watchers.flatMap(seen);
  const keysOf = (sign: string) =>
    changes.filter((change) => change.startsWith(sign)).map((change) => change.slice(1).split(" ")[0]!);
  const [joins, leaves, updates] = [keysOf("+"), keysOf("-"), keysOf("~")];
  const moved = new Set(moving);
  const odd = [joins, leaves, updates].flatMap((keys) => [
    ...keys.filter((key) => !moved.has(key)),
    ...keys.filter((key, index) => keys.indexOf(key) !== index),
  ]);
  return {
    stopped,
    moved: moving.length,
    joins: joins.length,
    leaves: leaves.length,
    updates: updates.length,
    odd,
  };
}

/** Runs a whole deploy, and prints what it cost. */
async function deploy(words: readonly string[], awayMs?: () => number): Promise<Stage[]> {
  const cluster = await ProcessCluster.start(NODES, { words });
  const run = new Deploy(cluster, awayMs);
  try {
    await run.everybodyHere();
    await cluster.whole();
    const idleBefore = await trafficRate(cluster.answering, RATE_WINDOW_MS);
    const sent = new Map<string, number>();
    const stages: Stage[] = [];
    const startedAt = performance.now();
    for (const name of cluster.names) {
      const before = await linkBytes(cluster.answering);
      stages.push(await run.replace(name));
      for (const [node, bytes] of sentBetween(before, await linkBytes(cluster.answering)))
        sent.set(node, (sent.get(node) ?? 0) + bytes);
    }
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    const endedAt = performance.now();
    const idleAfter = await eventually(
      async () => {
        const rate = await trafficRate(cluster.answering, RATE_WINDOW_MS);
        expect(rate).toBeLessThan(2 * idleBefore + 1_000);
        return rate;
      },
      { what: "traffic is back to idle" },
    );
    const calmAfter = ((performance.now() - endedAt) / 1_000).toFixed(1);
    const perNode = [...sent].map(([node, bytes]) => `${node} ${Math.round(bytes / 1024)} KiB`).join(", ");
    console.log(
      `rolling deploy of ${NODES} nodes with ${VISITORS} visitors${words.length > 0 ? ` (${words.join(" ")})` : ""}: ` +
        `${seconds} s, ${run.visitors.returns} reconnects; bytes sent per node: ${perNode}; ` +
        `idle ${Math.round(idleBefore)} B/s before, ${Math.round(idleAfter)} B/s ${calmAfter} s after (all nodes together)`,
    );
    return stages;
  } finally {
    run.visitors.close();
    await cluster.close();
  }
}

describe("a rolling deploy", () => {
  test(
    "with a hand-off is silent: who comes back in time is updated, and neither leaves nor joins",
    PATIENT,
    async () => {
      const random = seededRandom("away");
      const stages = await deploy(["--handoff-ms", String(HANDOFF_MS)], () => random() * AWAY_MS);
      for (const { moved, ...stage } of stages) {
        expect(moved).toBeGreaterThan(0);
        expect(stage).toEqual({ stopped: stage.stopped, joins: 0, leaves: 0, updates: moved, odd: [] });
      }
    },
  );

  test("without a hand-off shows one leave and one join of everybody who moves", PATIENT, async () => {
    for (const { moved, ...stage } of await deploy([])) {
      expect(moved).toBeGreaterThan(0);
      expect(stage).toEqual({ stopped: stage.stopped, joins: moved, leaves: moved, updates: 0, odd: [] });
    }
  });
});
