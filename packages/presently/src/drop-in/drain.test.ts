/** Clients are sent to other nodes, some at a time, and what they track waits for them. */
import { afterEach, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { createNode, type PresentlyNode } from "../node.ts";
import { type DrainOptions, drain, handOffOnDrain } from "./drain.ts";

const nodes: PresentlyNode[] = [];
afterEach(async () => void (await Promise.all(nodes.splice(0).map((node) => node.stop()))));

async function start(handoffMs = 0): Promise<PresentlyNode> {
  const node = await createNode({ name: "a", handoffMs, logLevel: "silent" });
  nodes.push(node);
  return node;
}

/** Drains so many connections; returns the sizes of the batches and how long presences were to linger. */
async function drained(node: PresentlyNode, count: number, options?: DrainOptions) {
  let open = Array.from({ length: count }, (_, index) => index);
  const batches: number[] = [];
  const lingers = new Set<number>();
  let began = 0;
  await drain(
    node,
    {
      begin: () => void began++,
      connections: () => open,
      sendAway: (batch, handoffMs) => {
        expect(began).toBe(1);
        batches.push(batch.length);
        lingers.add(handoffMs);
        open = open.slice(batch.length);
      },
    },
    options,
  );
  expect(open).toEqual([]);
  return { batches, lingers: [...lingers] };
}

test("everybody is sent away, a batch at a time", async () => {
  const node = await start();
  expect((await drained(node, 7, { batchSize: 3, intervalMs: 1 })).batches).toEqual([3, 3, 1]);
  expect((await drained(node, 6, { batchSize: 3, intervalMs: 1 })).batches).toEqual([3, 3]);
  expect((await drained(node, 0)).batches).toEqual([0]);
});

test("however many they are, a drain takes at most 50 batches", async () => {
  const node = await start();
  const { batches } = await drained(node, 120_000, { intervalMs: 0 });
  expect(batches).toEqual(Array(50).fill(2_400));
});

test("what they track lingers for handoffMs: that of the drain, of the node, or 10 s", async () => {
  expect((await drained(await start(), 1)).lingers).toEqual([10_000]);
  expect((await drained(await start(3_000), 1)).lingers).toEqual([3_000]);
  expect((await drained(await start(3_000), 1, { handoffMs: 20 })).lingers).toEqual([20]);
});

test.each([{ batchSize: 0 }, { batchSize: Number.NaN }, { handoffMs: -1 }, { handoffMs: 0.5 }])(
  "%j is refused, and nothing begins",
  async (options) => {
    const refused = drained(await start(), 1, options);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  },
);

test("a server that sends nobody away hands off all the same when its node stops", async () => {
  const secret = "a secret that only these tests share";
  const b = await createNode({ name: "b", secret, mesh: { port: 0 }, logLevel: "silent" });
  const peers = [b.meshUrl!];
  const a = await createNode({ name: "a", secret, mesh: { port: 0, peers }, logLevel: "silent" });
  nodes.push(a, b);
  handOffOnDrain(a);
  a.session().track("room", "alice");
  await eventually(() => expect(b.count("room").keys).toBe(1));
  const leaves: unknown[] = [];
  b.watch("room", (change) => {
    if (change.type === "diff") leaves.push(...change.leaves);
  });
  await a.drain({ handoffMs: 60_000 });
  expect(a.count("room").keys).toBe(1);
  await a.stop();
  b.session().track("room", "alice");
  expect([b.count("room"), leaves]).toEqual([{ keys: 1, entries: 1 }, []]);
});

test("a node drains all that is attached to it, once, and is not ready meanwhile", async () => {
  const node = await start();
  const calls: unknown[] = [];
  const open: (() => void)[] = [];
  const drainer = (name: string) => async (options: DrainOptions) => {
    calls.push([name, options]);
    await new Promise<void>((resolve) => open.push(resolve));
  };
  node.onDrain(drainer("one"));
  node.onDrain(drainer("two"));
  node.onDrain(drainer("gone"))();
  expect(node.ready).toBe(true);
  const draining = node.drain({ handoffMs: 5 });
  expect(node.drain()).toBe(draining);
  expect(calls).toEqual([
    ["one", { handoffMs: 5 }],
    ["two", { handoffMs: 5 }],
  ]);
  expect([node.ready, node.notReadyReason]).toEqual([false, "the node is draining"]);
  for (const resolve of open) resolve();
  await draining;
  expect(node.stopping).toBe(false);
});
