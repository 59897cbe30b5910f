/** Values that are larger than a message, over a network that loses messages. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SimulatedNetwork, type SimulatedNode, shownAt } from "./keyspace-network.ts";

const KEYS = ["text", "hash", "set", "list"];
const lengths = fc.constantFrom(1, 20_000, 70_000, 200_000);
const letters = fc.constantFrom("x", "ü", "\u{1f600}", '"', "\n");

test("a value of any size within its bound reaches every node, for every type", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      fc.constantFrom(0, 0.2),
      fc.array(fc.tuple(fc.nat(2), fc.constantFrom(...KEYS), lengths, letters), { maxLength: 8 }),
      // Logs that short make newcomers and losers ask for the whole state.
      fc.constantFrom(2, 10_000),
      async (seed, lossShare, writes, logSizeMax) => {
        const network = new SimulatedNetwork({ seed, lossShare, keyspace: { logSizeMax } });
        const nodes = ["a", "b", "c"].map((name) => network.start(name));
        await network.run(300);
        const calls: Promise<unknown>[] = [];
        for (const [at, key, length, letter] of writes) {
          const { keyspace } = nodes[at]!;
          const value = letter.repeat(length / letter.length);
          if (key === "text") keyspace.setText(key, value);
          else if (key === "hash") keyspace.setField(key, `${length}`, value);
          else if (key === "set") keyspace.addMembers(key, [value]);
          else calls.push(keyspace.push(key, "tail", [value]));
          await network.run(1);
        }
        await network.run(10_000);
        await Promise.all(calls);
        nodes.push(network.start("d"));
        network.lossShare = 0;
        await network.run(10_000);
        agree(nodes);
        const list = shownAt(nodes[0]!, ["list"]).list as string[] | undefined;
        expect(list ?? []).toHaveLength(calls.length);
        const popped = network.living[1]!.keyspace.pop("list", "head");
        await network.run(1_000);
        expect(await popped).toBe(list?.[0] ?? null);
      },
    ),
    { numRuns: 25 },
  );
});

function agree(nodes: readonly SimulatedNode[]): void {
  const shown = shownAt(nodes[0]!, KEYS);
  for (const node of nodes) {
    expect(node.errors).toEqual([]);
    expect(node.keyspace.digest).toBe(nodes[0]!.keyspace.digest);
    expect(shownAt(node, KEYS)).toEqual(shown);
  }
}
