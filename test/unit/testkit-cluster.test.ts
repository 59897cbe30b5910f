/** The simulated cluster itself: that it is the same every time, and fails as networks and processes do. */
import {
  type ClusterObserver,
  EventQueue,
  InvariantError,
  nodeNames,
  SimulatedCluster,
  Trace,
} from "@presently/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const T = "room:lobby";
const QUIET = { lateShare: 0 };

function track(cluster: SimulatedCluster, name: string, ...keys: string[]) {
  const session = cluster.node(name).endpoint.replica.session();
  for (const key of keys) session.track(T, key);
  return session;
}

function keysAt(cluster: SimulatedCluster, name: string): string[] {
  return cluster
    .node(name)
    .endpoint.replica.list(T)
    .map(({ key }) => key)
    .sort();
}

test("the queue gives back what was planned by time, then by the order of planning, without what was cancelled", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ at: fc.nat(20), cancel: fc.boolean() })), (plans) => {
      const queue = new EventQueue();
      const tasks = plans.map(({ at }) => queue.push(at, () => undefined));
      plans.forEach(({ cancel }, index) => {
        if (cancel) tasks[index]!.cancel();
      });
      const expected = tasks
        .filter((_, index) => !plans[index]!.cancel)
        .sort((one, other) => one.at - other.at || one.order - other.order);
      const got = [];
      for (let next = queue.peek(); next !== undefined; next = queue.peek()) got.push(queue.pop());
      expect(got).toEqual(expected);
    }),
  );
});

/** A bit of everything, in 60 s of virtual time. */
function history(seed: number, driftMaxPpm = 100): { hash: string; events: number } {
  const observers: ClusterObserver[] = [];
  const cluster = new SimulatedCluster(0, { seed, topics: [T], observers, driftMaxPpm });
  const trace = new Trace(cluster.time);
  cluster.observe(trace);
  for (const name of nodeNames(4)) cluster.start(name);
  for (const name of nodeNames(4)) track(cluster, name, `${name}1`, `${name}2`);
  cluster.time.advance(3_000);
  cluster.cut("a", "b");
  cluster.stall("c", "d");
  cluster.pause("d");
  cluster.time.advance(7_000);
  cluster.slow("a", "c", 1_000);
  track(cluster, "a", ...nodeNames(40));
  cluster.crash("b");
  cluster.time.advance(10_000);
  cluster.start("b");
  cluster.mendAll();
  cluster.stop("c", 2_000);
  cluster.time.advance(40_000);
  return { hash: trace.hash, events: cluster.time.events };
}

describe("one seed", () => {
  test("gives one history, byte for byte", () => {
    expect(history(7)).toEqual(history(7));
    expect(history(7).hash).not.toBe(history(8).hash);
  });

  test("gives the same history on every machine", () => {
    // Not tied to what the replica sends: only to arithmetic, order and chance.
    const cluster = new SimulatedCluster(3, { seed: "pinned" });
    const arrivals: string[] = [];
    cluster.observe({
      delivering: ({ path }) => arrivals.push(`${path.from}${path.to} ${cluster.time.now.toFixed(9)}`),
    });
    cluster.time.advance(30);
    expect(arrivals.slice(0, 3)).toMatchInlineSnapshot(`
      [
        "ba 15.565731322",
        "ba 17.790826724",
        "ab 18.779020974",
      ]
    `);
  });
});

describe("a link", () => {
  test("loses what was under way when it breaks, and nothing before", () => {
    const cluster = new SimulatedCluster(2, { network: QUIET, replica: { flushIntervalMs: 0 } });
    cluster.time.advance(500);
    let lost = 0;
    cluster.observe({ lost: () => lost++ });
    track(cluster, "a", "kept");
    cluster.time.advance(50);
    expect([keysAt(cluster, "b"), lost]).toEqual([["kept"], 0]);
    track(cluster, "a", "lost");
    cluster.time.advance(0.5);
    cluster.cut("a", "b");
    cluster.time.advance(50);
    expect(lost).toBe(1);
    expect(keysAt(cluster, "b")).not.toContain("lost");
    cluster.mend("a", "b");
    cluster.time.advance(2_000);
    expect(keysAt(cluster, "b")).toEqual(["kept", "lost"]);
  });

  test("that is stalled one way delivers late but in order, if it is not given up", () => {
    const cluster = new SimulatedCluster(2, { network: QUIET });
    cluster.time.advance(500);
    cluster.stall("a", "b");
    const session = track(cluster, "a", "one");
    cluster.time.advance(2_000);
    session.untrack(T, "one");
    session.track(T, "two");
    cluster.time.advance(1_000);
    expect(keysAt(cluster, "b")).toEqual([]);
    cluster.mend("a", "b");
    cluster.time.advance(50);
    expect(keysAt(cluster, "b")).toEqual(["two"]);
  });

  test("on which nothing comes is closed by whoever hears nothing", () => {
    const cluster = new SimulatedCluster(2, { network: QUIET });
    cluster.time.advance(500);
    const closed: string[] = [];
    cluster.observe({ unlinked: ({ process }, why) => closed.push(`${process.name}: ${why}`) });
    cluster.stall("a", "b");
    cluster.time.advance(4_900);
    expect(closed).toEqual([]);
    cluster.time.advance(200);
    expect(closed[0]).toBe("b: nothing came for too long");
    expect(closed).toHaveLength(2);
  });

  test("that is slow is congested, skipped, and caught up with", () => {
    const cluster = new SimulatedCluster(2, {
      network: { ...QUIET, windowBytes: 2_000, maxBufferedBytes: 10_000 },
    });
    cluster.time.advance(500);
    let [congested, drained, overflowed] = [0, 0, 0];
    cluster.observe({
      congested: () => congested++,
      drained: () => drained++,
      overflowed: () => overflowed++,
    });
    cluster.slow("a", "b", 4_000);
    const session = cluster.node("a").endpoint.replica.session();
    for (let index = 0; index < 300; index++) {
      session.track(T, `key ${index}`, { padding: "x".repeat(100) });
      cluster.time.advance(10);
    }
    expect([congested > 0, overflowed]).toEqual([true, 0]);
    expect(cluster.node("a").endpoint.replica.counters.pushesSkipped).toBeGreaterThan(0);
    cluster.mend("a", "b");
    cluster.time.advance(3_000);
    expect(drained).toBe(congested);
    expect(keysAt(cluster, "b")).toHaveLength(300);
  });
});

describe("a process", () => {
  test("that stands still hears everything in order once it goes on", () => {
    const cluster = new SimulatedCluster(2, { network: QUIET, topics: [T] });
    cluster.time.advance(500);
    cluster.pause("b");
    const session = track(cluster, "a", "one", "two");
    cluster.time.advance(1_000);
    session.untrack(T, "one");
    cluster.time.advance(1_000);
    cluster.resume("b");
    cluster.time.advance(100);
    expect(cluster.node("b").watched.get(T)!.events).toEqual(["+one", "+two", "-one left"]);
  });

  test("that vanishes with its host is missed after the time-out, one that crashes at once", () => {
    for (const [vanish, atMost, atLeast] of [
      [true, 6_500, 3_000],
      [false, 1_000, 0],
    ] as const) {
      const cluster = new SimulatedCluster(3, { network: QUIET });
      track(cluster, "b", "bob");
      cluster.time.advance(3_000);
      cluster.crash("b", { vanish });
      const took = cluster.time.advanceUntil(() => keysAt(cluster, "a").length === 0, 20_000);
      expect(took).toBeLessThanOrEqual(atMost);
      expect(took).toBeGreaterThanOrEqual(atLeast);
    }
  });

  test("has a clock of its own, and nobody minds", () => {
    const cluster = new SimulatedCluster(3, { seed: 5, driftMaxPpm: 20_000 });
    track(cluster, "a", "ann");
    cluster.time.advance(100_000);
    const clocks = [...cluster.nodes.values()].map(({ clock }) => clock.now());
    expect(new Set(clocks).size).toBe(3);
    for (const name of nodeNames(3)) expect(keysAt(cluster, name)).toEqual(["ann"]);
  });

  test("that starts elsewhere under the name of one that was cut off takes over, and the old one yields", () => {
    const cluster = new SimulatedCluster(3, { network: QUIET });
    track(cluster, "a", "old");
    cluster.time.advance(20_000);
    const old = cluster.node("a");
    cluster.partition(["a"], ["b", "c", "elsewhere"]);
    cluster.time.advance(20_000);
    cluster.start("a", { host: "elsewhere" });
    track(cluster, "a", "new");
    cluster.time.advance(2_000);
    cluster.mendAll();
    cluster.time.advance(10_000);
    expect(old.superseded).toBe(true);
    for (const name of nodeNames(3)) expect(keysAt(cluster, name)).toEqual(["new"]);
  });

  test("that starts with the very id of another takes a newer one", () => {
    const cluster = new SimulatedCluster(2, { network: QUIET });
    cluster.time.advance(1_000);
    const [one, other] = [cluster.node("a"), cluster.start("a", { host: "elsewhere", incarnation: 1 })];
    track(cluster, "a", "ann");
    cluster.time.advance(30_000);
    expect(one.id).not.toBe(other.id);
    expect([one.superseded, other.superseded].filter(Boolean)).toHaveLength(1);
  });

  test("whose notices an observer finds fault with fails, though its own sink of notices may throw", () => {
    const cluster = new SimulatedCluster(2, { network: QUIET });
    cluster.observe({
      notice: (_, { type }) => {
        if (type === "replica-up") throw new InvariantError("names", "as in this test");
      },
    });
    expect(() => cluster.time.advance(1_000)).toThrow("as in this test");
  });
});
