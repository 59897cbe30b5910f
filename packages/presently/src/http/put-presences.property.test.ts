/** What was PUT is where the last calls say, whichever nodes they were sent to, and whichever are gone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../../test/helpers/virtual-cluster.ts";
import { type PutContent, type PutName, PutPresences } from "./put-presences.ts";

const T = "room:lobby";
const NODES = ["a", "b", "c"];

/** Nodes that come and go, each with its presences that are PUT. */
class PutCluster {
  readonly cluster = new VirtualCluster([], { topics: [T] });
  readonly puts = new Map<string, PutPresences>();

  constructor() {
    for (const name of NODES) this.start(name);
    this.pass(3_000);
  }

  start(name: string): void {
    const { endpoint, clock } = this.cluster.start(name);
    this.puts.set(name, new PutPresences(endpoint, clock));
  }

  end(name: string, how: () => void): void {
    how();
    this.puts.get(name)!.close();
    this.puts.delete(name);
  }

  pass(ms: number): void {
    this.cluster.time.advance(ms);
  }

  /** Settles once the call has been answered, some milliseconds later. */
  async put(node: string, name: PutName, content: PutContent) {
    return await this.#answered(this.puts.get(node)!.put(name, content));
  }

  async remove(node: string, name: PutName) {
    return await this.#answered(this.puts.get(node)!.remove(name));
  }

  /** What a node lists, as `key meta`. */
  listed(node: string): string[] {
    const presences = this.cluster.node(node).endpoint.replica.list(T);
    return presences.map(({ key, meta }) => `${key} ${JSON.stringify(meta)}`).sort();
  }

  async #answered<Answer>(answer: Promise<Answer>): Promise<Answer> {
    let settled = false;
    void answer.finally(() => {
      settled = true;
    });
    while (!settled) {
      this.pass(2);
      await Promise.resolve();
    }
    return await answer;
  }
}

const bob: PutName = { topic: T, key: "bob", id: "" };

type Step =
  | {
      readonly do: "put";
      readonly at: number;
      readonly key: string;
      readonly id: string;
      readonly ttlMs?: number;
    }
  | { readonly do: "remove"; readonly at: number; readonly key: string; readonly id: string }
  | { readonly do: "stop" | "crash" | "vanish"; readonly at: number; readonly handoffMs: number }
  | { readonly do: "start" }
  | { readonly do: "pass"; readonly ms: number };

const at = fc.nat(2);
const key = fc.constantFrom("bob", "amy");
const id = fc.constantFrom("", "phone");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("put" as const), at, key, id }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("put" as const), at, key, id, ttlMs: fc.constant(4_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), at, key, id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("stop" as const, "crash" as const, "vanish" as const),
      at,
      handoffMs: fc.constantFrom(0, 3_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("start" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 8_000 }) }),
  },
);

describe("what was PUT", () => {
  test("is on every node what the last calls say, whichever nodes were hit, stopped or crashed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const world = new PutCluster();
        const expected = new Map<string, { readonly line: string; readonly lapses: boolean }>();
        for (const [index, one] of steps.entries()) {
          const up = [...world.puts.keys()];
          const node = "at" in one ? up[one.at % up.length]! : "";
          if (one.do === "pass") world.pass(one.ms);
          else if (one.do === "put") {
            const { key, id, ttlMs } = one;
            await world.put(node, { topic: T, key, id }, { meta: { index }, ttlMs });
            expected.set(`${key} ${id}`, { line: `${key} {"index":${index}}`, lapses: ttlMs !== undefined });
          } else if (one.do === "remove") {
            await world.remove(node, { topic: T, key: one.key, id: one.id });
            expected.delete(`${one.key} ${one.id}`);
          } else if (one.do === "start") {
            const gone = NODES.find((name) => !world.puts.has(name));
            if (gone === undefined) continue;
            world.start(gone);
            // With one node left, this one has to catch up before it can be the only one.
            world.pass(3_000);
          } else if (up.length > 1) {
            const { cluster } = world;
            world.end(node, () => {
              if (one.do === "stop") cluster.stop(node, one.handoffMs);
              else cluster.crash(node, { vanish: one.do === "vanish" });
            });
          }
        }
        world.pass(40_000);
        const lines = [...expected.values()].filter(({ lapses }) => !lapses).map(({ line }) => line);
        for (const node of world.puts.keys()) expect(world.listed(node), node).toEqual(lines.sort());
      }),
      { numRuns: 300 },
    );
  });

  test("is one presence after two nodes were told of it at once, and one of the two", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(at, { minLength: 2, maxLength: 4 }), fc.boolean(), async (nodes, isThere) => {
        const world = new PutCluster();
        if (isThere) await world.put("b", bob, { meta: { index: -1 } });
        for (const [index, node] of nodes.entries())
          void world.puts.get(NODES[node]!)!.put(bob, { meta: { index } });
        // They begin in this turn.
        await new Promise(setImmediate);
        world.pass(5_000);
        const lines = world.listed("a");
        expect(lines).toHaveLength(1);
        expect(nodes.map((_, index) => `bob {"index":${index}}`)).toContain(lines[0]);
        for (const node of NODES) expect(world.listed(node)).toEqual(lines);
      }),
      { numRuns: 50 },
    );
  });

  test("is one presence when a cluster that was divided is whole again, and none if it was removed on one side", async () => {
    await fc.assert(
      fc.asyncProperty(at, fc.integer({ min: 1, max: 60_000 }), fc.boolean(), async (holder, ms, removes) => {
        const world = new PutCluster();
        await world.put(NODES[holder]!, bob, { meta: { index: 1 } });
        world.cluster.partition(["a"], ["b", "c"]);
        world.pass(ms);
        const held = NODES[holder]!;
        if (removes) await world.remove(held, bob);
        world.pass(1_000);
        world.cluster.mendAll();
        world.pass(40_000);
        for (const node of NODES)
          expect(world.listed(node), node).toEqual(removes ? [] : ['bob {"index":1}']);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a time to live", () => {
  test("begins anew with each PUT, at whichever node, and ends without one", async () => {
    const world = new PutCluster();
    for (const node of ["a", "b", "c", "b", "a"]) {
      await world.put(node, bob, { meta: { n: 1 }, ttlMs: 5_000 });
      world.pass(4_000);
      for (const other of NODES) expect(world.listed(other)).toEqual(['bob {"n":1}']);
    }
    world.pass(2_000);
    for (const node of NODES) expect(world.listed(node)).toEqual([]);
  });

  test("goes on where another node stands in", async () => {
    const world = new PutCluster();
    await world.put("a", bob, { meta: {}, ttlMs: 30_000 });
    world.end("a", () => world.cluster.crash("a"));
    world.pass(20_000);
    for (const node of ["b", "c"]) expect(world.listed(node)).toEqual(["bob {}"]);
    world.pass(31_000);
    for (const node of ["b", "c"]) expect(world.listed(node)).toEqual([]);
  });
});

describe("for those who watch", () => {
  test("a PUT at another node is an update, the same PUT again is nothing, a hand-off is an update", async () => {
    const world = new PutCluster();
    await world.put("a", bob, { meta: { n: 1 } });
    await world.put("b", bob, { meta: { n: 2 } });
    await world.put("c", bob, { meta: { n: 2 } });
    world.end("b", () => world.cluster.stop("b", 5_000));
    world.pass(20_000);
    for (const node of ["a", "c"])
      expect(world.cluster.node(node).watched.get(T)!.events).toEqual(["+bob", "~bob", "~bob"]);
    expect(await world.remove("a", bob)).toBe(true);
    expect(await world.remove("c", bob)).toBe(false);
    for (const node of ["a", "c"])
      expect(world.cluster.node(node).watched.get(T)!.events.at(-1)).toBe("-bob removed");
  });

  test("somebody who is removed everywhere is not brought back by the nodes that stand in", async () => {
    const world = new PutCluster();
    await world.put("a", bob, { meta: {} });
    world.end("a", () => world.cluster.crash("a"));
    world.pass(20_000);
    expect(world.cluster.node("b").endpoint.replica.remove(T, "bob")).toBeGreaterThan(0);
    world.pass(20_000);
    for (const node of ["b", "c"]) expect(world.listed(node)).toEqual([]);
  });
});
