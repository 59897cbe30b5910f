/** An expiry belongs to the write that set it: for every type, at two sides of a partition, as Redis would have it in their order. */
import type { Keyspace } from "@presently/keyspace";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SimulatedNetwork, type SimulatedNode, shownAt } from "./keyspace-network.ts";

const KEY = "key";
/** Clocks of the simulation differ by less. */
const SKEW_MS = 300;
const TTL_MS = 4_000;

interface Kind {
  /** Makes the key hold something. */
  readonly begin: (keyspace: Keyspace, value: string) => unknown;
  /** Adds to what is there, which keeps its time to live. */
  readonly touch: (keyspace: Keyspace) => unknown;
}

const kinds = {
  text: { begin: (k, value) => k.setText(KEY, value), touch: () => undefined },
  counter: { begin: (k) => k.increment(KEY), touch: (k) => k.increment(KEY) },
  hash: { begin: (k, value) => k.setField(KEY, value, value), touch: (k) => k.setField(KEY, "touched", "") },
  counts: {
    begin: (k, value) => k.incrementField(KEY, value, 1),
    touch: (k) => k.incrementField(KEY, "touched", 1),
  },
  set: { begin: (k, value) => k.addMembers(KEY, [value]), touch: (k) => k.addMembers(KEY, ["touched"]) },
  list: {
    begin: (k, value) => k.push(KEY, "tail", [value]),
    touch: (k) => k.push(KEY, "head", ["touched"]),
  },
} satisfies Record<string, Kind>;

/** What the first side does, which ends by itself. */
const early = {
  expire: (k: Keyspace) => k.expire(KEY, TTL_MS),
  setex: (k: Keyspace) => k.setText(KEY, "short", { ttlMs: TTL_MS }),
};

/** What the other side does a little later, and whether something is left when the first side's time is up. */
const late: Record<string, { run: (k: Keyspace, kind: Kind) => unknown; stays: boolean }> = {
  set: { run: (k) => k.setText(KEY, "later"), stays: true },
  "setex, longer": { run: (k) => k.setText(KEY, "later", { ttlMs: 3 * TTL_MS }), stays: true },
  "set and setex, shorter": {
    run: (k) => {
      k.setText(KEY, "later");
      k.setText(KEY, "latest", { ttlMs: 0.75 * TTL_MS });
    },
    stays: false,
  },
  "del and a new beginning": {
    run: (k, kind) => {
      k.delete(KEY);
      return kind.begin(k, "later");
    },
    stays: true,
  },
  touch: { run: (k, kind) => kind.touch(k), stays: false },
  "expire, longer": { run: (k) => k.expire(KEY, 3 * TTL_MS), stays: true },
  nothing: { run: () => undefined, stays: false },
};

/** Only what was written for good, and what was given more time. */
const overwrites = ["set", "setex, longer", "del and a new beginning"];

async function twoSides(
  seed: number,
  kind: Kind,
  one: keyof typeof early,
  other: string,
): Promise<{ network: SimulatedNetwork; nodes: SimulatedNode[] }> {
  const network = new SimulatedNetwork({ seed });
  const nodes = ["a", "b", "c"].map((name) => network.start(name));
  await network.run(500);
  const [a, b, c] = nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
  const finish = async (work: unknown) => {
    await network.run(1_000);
    await work;
  };
  await finish(kind.begin(a.keyspace, "early"));
  network.cut(a, b);
  network.cut(c, b);
  // Until each side has noticed.
  await network.run(1_000);
  early[one](a.keyspace);
  await network.run(SKEW_MS);
  await finish(late[other]!.run(b.keyspace, kind));
  return { network, nodes };
}

const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const kind = fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[]));
const first = fc.constantFrom(...(Object.keys(early) as (keyof typeof early)[]));

function agreed(nodes: readonly SimulatedNode[]): unknown {
  const shown = nodes.map((node) => shownAt(node, [KEY])[KEY]);
  expect(shown).toEqual([shown[0], shown[0], shown[0]]);
  return shown[0];
}

test("after a partition a key ends when the last write that spoke of its end says so", async () => {
  await fc.assert(
    fc.asyncProperty(
      seeds,
      kind,
      first,
      fc.constantFrom(...Object.keys(late)),
      async (seed, type, one, other) => {
        // What was set is a text from then on: to add to it is another matter.
        fc.pre(!(one === "setex" && other === "touch"));
        const { network, nodes } = await twoSides(seed, kinds[type], one, other);
        network.healAll();
        await network.run(1_000);
        expect(agreed(nodes)).toBeDefined();
        await network.run(TTL_MS);
        if (late[other]!.stays) expect(agreed(nodes)).toBeDefined();
        else expect(agreed(nodes)).toBeUndefined();
        await network.run(3 * TTL_MS);
        const isForGood = late[other]!.stays && !other.endsWith("longer");
        if (isForGood) expect(agreed(nodes)).toBeDefined();
        else for (const { keyspace } of nodes) expect(keyspace.size.keys).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});

test("an expiry that comes to an end on its side of a partition takes nothing of the other side's along", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, kind, first, fc.constantFrom(...overwrites), async (seed, type, one, other) => {
      const { network, nodes } = await twoSides(seed, kinds[type], one, other);
      await network.run(TTL_MS);
      expect(nodes[0]!.keyspace.has(KEY)).toBe(false);
      network.healAll();
      await network.run(2_000);
      const healed = agreed(nodes);
      expect(healed).toBeDefined();
      if (other === "setex, longer") return;
      await network.run(5 * TTL_MS);
      expect(agreed(nodes)).toEqual(healed);
    }),
    { numRuns: 60 },
  );
});
