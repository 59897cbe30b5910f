/**
 * Histories that broke other presence systems and membership protocols in the field, each under several seeds: with other
 * latencies, clocks and gossip partners, on the real code.
 */
import { type ClusterOptions, SimulatedCluster } from "@presently/testkit";
import { describe, expect, test } from "vitest";

const T = "room:lobby";
const SEEDS = Array.from({ length: 10 }, (_, seed) => seed);
const HEARTBEAT_MS = 1_000;
/** Types of messages. */
const [PULL, SYNC] = [18, 19];

function clusterOf(names: readonly string[], seed: number, options: ClusterOptions = {}): SimulatedCluster {
  return new SimulatedCluster(names, { seed, topics: [T], ...options });
}

function track(cluster: SimulatedCluster, name: string, ...keys: string[]) {
  const session = cluster.node(name).endpoint.replica.session();
  for (const key of keys) session.track(T, key);
  return session;
}

function keysAt(cluster: SimulatedCluster, name: string): string[] {
  const presences = cluster.node(name).endpoint.replica.list(T);
  return presences.map(({ key }) => key).sort();
}

function expectEverywhere(cluster: SimulatedCluster, keys: readonly string[]): void {
  for (const name of cluster.nodes.keys())
    expect(keysAt(cluster, name), `at ${name}`).toEqual([...keys].sort());
  cluster.checkWatchers();
}

function range(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

describe("phoenix_pubsub #74: two nodes that both hold presences meet for the first time", () => {
  // Phoenix sent a delta where only the whole state would do, once more than 50 were tracked on each.
  test.each([
    ["through their logs", 10_000],
    ["through full states", 8],
  ])("both show everybody, %s", (_, logSizeMax) => {
    for (const seed of SEEDS) {
      const cluster = clusterOf([], seed, { replica: { logSizeMax } });
      cluster.start("a");
      cluster.start("b");
      cluster.cut("a", "b");
      track(cluster, "a", ...range("a", 51));
      track(cluster, "b", ...range("b", 51));
      cluster.time.advance(5_000);
      expect(keysAt(cluster, "a")).toHaveLength(51);
      cluster.mend("a", "b");
      cluster.time.advance(3_000);
      expectEverywhere(cluster, [...range("a", 51), ...range("b", 51)]);
    }
  });
});

describe("phoenix_pubsub PR #111", () => {
  test("what came through a middle node also goes through it: joins and leaves alike", () => {
    for (const seed of SEEDS) {
      const cluster = clusterOf(["a", "middle", "z"], seed);
      cluster.cut("a", "z");
      const session = track(cluster, "a", "ann", "bob");
      cluster.time.advance(3 * HEARTBEAT_MS);
      expectEverywhere(cluster, ["ann", "bob"]);
      session.untrack(T, "ann");
      cluster.time.advance(3 * HEARTBEAT_MS);
      expectEverywhere(cluster, ["bob"]);
      session.close();
      cluster.time.advance(3 * HEARTBEAT_MS);
      expectEverywhere(cluster, []);
    }
  });

  test("deltas with a hole between them are not taken for one without", () => {
    for (const seed of SEEDS) {
      // The hole: b misses the middle one of three deltas, which takes away what the first one brought.
      const cluster = clusterOf(["a", "b", "c"], seed, { network: { lateShare: 0 } });
      cluster.time.advance(2_000);
      const session = track(cluster, "a", "ann");
      cluster.time.advance(100);
      session.untrack(T, "ann");
      cluster.time.advance(5.1);
      cluster.cut("a", "b");
      cluster.mend("a", "b");
      cluster.time.advance(300);
      session.track(T, "bob");
      cluster.time.advance(3 * HEARTBEAT_MS);
      expectEverywhere(cluster, ["bob"]);
      expect(cluster.node("b").endpoint.replica.state.vector()).toEqual(
        cluster.node("a").endpoint.replica.state.vector(),
      );
    }
  });
});

describe("phoenix_pubsub #55, PR #60, PR #80: what a node held before its restart never comes back", () => {
  test.each([3, 5, 7])("in a cluster of %i, whoever still had it and whoever is asked", (size) => {
    for (const seed of SEEDS) {
      const names = range("n", size);
      const cluster = clusterOf(names, seed, { replica: { logSizeMax: seed % 2 === 0 ? 4 : 10_000 } });
      track(cluster, "n0", "ghost");
      cluster.time.advance(2_000);
      // One of them hears neither of the crash nor of the new life, until later.
      cluster.partition([`n${size - 1}`], names.slice(0, -1));
      cluster.crash("n0");
      cluster.time.advance(500);
      cluster.start("n0");
      track(cluster, "n0", "back");
      cluster.time.advance(2_000);
      cluster.mendAll();
      cluster.start("newcomer");
      cluster.time.advance(10_000);
      expectEverywhere(cluster, ["back"]);
      for (const process of cluster.nodes.values()) {
        const joins = process.watched.get(T)!.events.filter((event) => event === "+ghost");
        expect(joins.length, `joins of the ghost at ${process.id}`).toBeLessThanOrEqual(1);
      }
      expect(cluster.node("newcomer").watched.get(T)!.events).not.toContain("+ghost");
      expect(cluster.node("n0").watched.get(T)!.events).not.toContain("+ghost");
    }
  });
});

test("nor does a newcomer that hears of it from who found it dead long before the time-out", () => {
  for (const seed of SEEDS) {
    const cluster = clusterOf(["a", "b", "c"], seed, { network: { lateShare: 0 } });
    track(cluster, "b", "ghost");
    cluster.time.advance(2_000);
    cluster.crash("b");
    cluster.time.advance(1_000);
    expect(cluster.node("a").endpoint.replica.list(T)).toEqual([]);
    cluster.start("newcomer");
    cluster.time.advance(10_000);
    expect(cluster.node("newcomer").watched.get(T)!.events).toEqual([]);
  }
});

test("a newcomer never shows who was on a node that had died before it came, though all others still keep that", () => {
  for (const seed of SEEDS) {
    const cluster = clusterOf(["a", "b", "c"], seed);
    track(cluster, "b", "ghost");
    cluster.time.advance(3_000);
    cluster.crash("b", { vanish: seed % 2 === 0 });
    cluster.time.advance(20_000);
    cluster.start("d");
    cluster.time.advance(15_000);
    expect(cluster.node("d").watched.get(T)!.events).toEqual([]);
  }
});

test("phoenix_pubsub #148: a node that joins while updates are under way ends with the newest, not a stale copy", () => {
  for (const seed of SEEDS) {
    const cluster = clusterOf(["a", "b"], seed, { replica: { logSizeMax: seed % 2 === 0 ? 2 : 10_000 } });
    const session = track(cluster, "a", "ann");
    cluster.time.advance(2_000);
    // b keeps an old copy while a goes on; the newcomer hears of both, in either order.
    cluster.cut("a", "b");
    cluster.start("c");
    for (let turn = 1; turn <= 10; turn++) {
      session.update(T, "ann", { turn });
      cluster.time.advance(7);
    }
    cluster.mend("a", "b");
    cluster.time.advance(3_000);
    for (const name of ["a", "b", "c"]) {
      const presences = cluster.node(name).endpoint.replica.list(T);
      expect(presences.map(({ key, meta }) => [key, meta])).toEqual([["ann", { turn: 10 }]]);
    }
    cluster.checkWatchers();
    session.untrack(T, "ann");
    cluster.time.advance(100);
    expectEverywhere(cluster, []);
  }
});

test("phoenix_pubsub #172, #175: an update is never a hole, and leaves nothing behind", () => {
  for (const seed of SEEDS) {
    const cluster = clusterOf(["a", "b", "c"], seed);
    const session = track(cluster, "a", "ann");
    cluster.time.advance(2_000);
    cluster.observe({
      input: ({ id, endpoint }) =>
        expect(endpoint.replica.get(T, "ann").length, `ann as ${id} shows her`).toBe(1),
    });
    for (let turn = 0; turn < 30; turn++) {
      session.update(T, "ann", { turn });
      cluster.time.advance(3);
    }
    cluster.time.advance(2_000);
    const events = cluster.node("c").watched.get(T)!.events;
    expect(new Set(events)).toEqual(new Set(["+ann", "~ann"]));
  }
});

describe("phoenix_pubsub #135, PR #136: a departed node costs nobody anything", () => {
  test.each(["crashes", "says goodbye"])("newcomers do not ask again and again once a node %s", (how) => {
    for (const seed of SEEDS) {
      const cluster = clusterOf(["a", "b", "c"], seed);
      track(cluster, "a", ...range("a", 20));
      track(cluster, "b", ...range("b", 20));
      cluster.time.advance(3_000);
      if (how === "crashes") cluster.crash("b");
      else cluster.stop("b");
      cluster.time.advance(1_000);
      cluster.start("d");
      cluster.time.advance(10_000);
      expectEverywhere(cluster, range("a", 20));
      const before = [cluster.bytes.get(PULL), cluster.bytes.get(SYNC)];
      cluster.time.advance(60_000);
      expect([cluster.bytes.get(PULL), cluster.bytes.get(SYNC)]).toEqual(before);
    }
  });
});

test("phoenix_pubsub #214: one key tracked on two nodes at once shows both everywhere, in whatever order they come", () => {
  for (const seed of SEEDS) {
    const cluster = clusterOf(["a", "b", "c", "d"], seed);
    cluster.time.advance(2_000);
    cluster.partition(["a", "c"], ["b", "d"]);
    cluster.node("a").endpoint.replica.session().track(T, "ann", { from: "a" });
    cluster.node("b").endpoint.replica.session().track(T, "ann", { from: "b" });
    cluster.time.advance(2_000);
    cluster.mendAll();
    cluster.time.advance(5_000);
    const views = [...cluster.views(T).values()];
    expect(views[0]).toHaveLength(2);
    for (const view of views) expect(view).toEqual(views[0]);
  }
});

describe("memberlist #222, serf #605: a partition longer than every time-out heals unaided", () => {
  test("and everybody is shown again, with what changed meanwhile", () => {
    for (const seed of SEEDS) {
      const names = ["a", "b", "c", "d"];
      const cluster = clusterOf(names, seed, { replica: { evictAfterMs: 30_000 } });
      const sessions = names.map((name) => track(cluster, name, `${name}1`));
      cluster.time.advance(2_000);
      cluster.partition(["a", "b"], ["c", "d"]);
      cluster.time.advance(300_000);
      expect(keysAt(cluster, "a")).toEqual(["a1", "b1"]);
      sessions[0]!.untrack(T, "a1");
      sessions[3]!.track(T, "d2");
      cluster.mendAll();
      const took = cluster.time.advanceUntil(() => keysAt(cluster, "a").length === 4, 10_000);
      expect(took).toBeLessThan(5_000);
      cluster.time.advance(5_000);
      expectEverywhere(cluster, ["b1", "c1", "d1", "d2"]);
    }
  });

  test("also for a single node that forgot all others, and that they forgot", () => {
    for (const seed of SEEDS) {
      const cluster = clusterOf(["a", "b", "c"], seed, { replica: { evictAfterMs: 30_000 } });
      for (const name of ["a", "b", "c"]) track(cluster, name, name);
      cluster.time.advance(2_000);
      for (const other of ["b", "c"]) {
        cluster.stall("a", other);
        cluster.stall(other, "a");
      }
      cluster.time.advance(600_000);
      expect(cluster.node("a").endpoint.cluster()).toHaveLength(1);
      cluster.mendAll();
      cluster.time.advance(10_000);
      expectEverywhere(cluster, ["a", "b", "c"]);
    }
  });
});

test("what one has forgotten and another still keeps for down does not hide what else they differ in", () => {
  for (const seed of SEEDS) {
    // c removes somebody while b is cut off, and dies; the others are told to forget it, and b is not.
    const cluster = clusterOf(["a", "b", "c", "d"], seed);
    const session = track(cluster, "d", "ann", "bob");
    track(cluster, "c", "cat");
    cluster.time.advance(2_000);
    cluster.partition(["a", "c", "d"], ["b"]);
    cluster.time.advance(500);
    expect(cluster.node("c").endpoint.replica.remove(T, "ann")).toBe(1);
    cluster.time.advance(2_000);
    const gone = cluster.node("c").id;
    cluster.crash("c");
    cluster.time.advance(10_000);
    for (const name of ["a", "d"]) cluster.node(name).endpoint.replica.evict(gone);
    cluster.mendAll();
    cluster.time.advance(10_000);
    expect(session.size).toBe(1);
    expectEverywhere(cluster, ["bob"]);
    for (const name of ["a", "b", "d"])
      for (const { status, agrees } of cluster.node(name).endpoint.cluster().slice(1))
        if (status === "up") expect(agrees, `at ${name}`).toBe(true);
    const before = [cluster.bytes.get(PULL), cluster.bytes.get(SYNC)];
    cluster.time.advance(30_000);
    expect([cluster.bytes.get(PULL), cluster.bytes.get(SYNC)]).toEqual(before);
  }
});
