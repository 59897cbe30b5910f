/** A process that did not answer one node is hidden at that node, and nowhere else, until it answers. */
import { expect, test } from "vitest";
import { SimulatedNetwork, type SimulatedNode } from "./keyspace-network.ts";

const shown = (...nodes: SimulatedNode[]) => nodes.map(({ keyspace }) => keyspace.getField("rooms", "b"));

test("a node that doubts a process hides what stands for it here only, until it answers here", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const network = new SimulatedNetwork({ seed });
    const [a, b, c] = ["a", "b", "c"].map((name) => network.start(name)) as [
      SimulatedNode,
      SimulatedNode,
      SimulatedNode,
    ];
    let changes = 0;
    a.keyspace.watchProcesses(() => changes++);
    await network.run(500);
    b.keyspace.setField("rooms", "b", "1", { bound: true });
    b.keyspace.setField("rooms", "unbound", "1");
    await network.run(100);
    network.cut(a, b);
    await network.run(1_000);
    expect(shown(a, b, c)).toEqual(["1", "1", "1"]);
    expect([a.keyspace.doubt("rooms", "unbound"), a.keyspace.doubt("rooms", "missing")]).toEqual([
      false,
      false,
    ]);
    expect(b.keyspace.doubt("rooms", "b")).toBe(false);
    const before = changes;
    expect(a.keyspace.doubt("rooms", "b")).toBe(true);
    expect(changes).toBe(before + 1);
    await network.run(10_000);
    expect(shown(a, b, c)).toEqual([undefined, "1", "1"]);
    // What it writes meanwhile stands for it as well.
    b.keyspace.setField("rooms", "b", "2", { bound: true });
    await network.run(3_000);
    expect(shown(a, b, c)).toEqual([undefined, "2", "2"]);
    network.healAll();
    await network.run(3_000);
    expect(shown(a, b, c)).toEqual(["2", "2", "2"]);
    // One that is down shows nothing, and nobody need be in doubt of it.
    a.keyspace.doubt("rooms", "b");
    network.kill(b);
    await network.run(3_000);
    expect(a.keyspace.doubt("rooms", "b")).toBe(false);
    expect(shown(a, c)).toEqual([undefined, undefined]);
    expect([...a.errors, ...c.errors]).toEqual([]);
  }
});
