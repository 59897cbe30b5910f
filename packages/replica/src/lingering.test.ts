/** A session that drops without leaving keeps its presences for a while, and whoever comes back meanwhile was never away. */
import { describe, expect, test } from "vitest";
import { loneReplica, VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";
import type { SessionOptions } from "./session.ts";

const T = "room:lobby";
const LINGER_MS = 15_000;

function clusterWith(options: SessionOptions = { lingerMs: LINGER_MS }, ...keys: string[]) {
  const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
  const session = cluster.node("a").endpoint.replica.session(options);
  for (const key of keys) session.track(T, key, { at: "a" });
  cluster.time.advance(2_000);
  return { cluster, session };
}

function eventsOf(cluster: VirtualCluster, name: string): string[] {
  return cluster.node(name).watched.get(T)!.events;
}

function expectEverywhere(cluster: VirtualCluster, events: string[]): void {
  for (const name of cluster.nodes.keys()) expect(eventsOf(cluster, name), `at ${name}`).toEqual(events);
  cluster.checkWatchers();
}

function metasAt(cluster: VirtualCluster, name: string): unknown[] {
  return cluster
    .node(name)
    .endpoint.replica.list(T)
    .map(({ key, node, meta }) => [key, node, meta.at]);
}

describe("a session that drops", () => {
  test("keeps what it tracked for lingerMs, and lets go of it then, everywhere", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    session.drop();
    cluster.time.advance(LINGER_MS - 100);
    expectEverywhere(cluster, ["+alice"]);
    cluster.time.advance(200);
    expectEverywhere(cluster, ["+alice", "-alice left"]);
  });

  test("is closed for every call but close, which lets go at once", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    session.drop();
    session.drop();
    expect([session.closed, session.dropped, session.size]).toEqual([true, true, 1]);
    expect(() => session.track(T, "bob")).toThrow(expect.objectContaining({ code: "CLOSED" }));
    session.close();
    expect([session.closed, session.dropped, session.size]).toEqual([true, false, 0]);
    cluster.time.advance(100);
    expectEverywhere(cluster, ["+alice", "-alice left"]);
    cluster.time.advance(LINGER_MS);
    expectEverywhere(cluster, ["+alice", "-alice left"]);
  });

  test("may be told another time than its own", () => {
    for (const own of [0, 1_000, 10 * LINGER_MS]) {
      const { cluster, session } = clusterWith({ lingerMs: own }, "alice");
      for (const refused of [-1, Number.NaN])
        expect(() => session.drop(refused)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      session.drop(LINGER_MS);
      cluster.time.advance(LINGER_MS - 100);
      expectEverywhere(cluster, ["+alice"]);
      cluster.time.advance(200);
      expectEverywhere(cluster, ["+alice", "-alice left"]);
    }
  });

  test("that has no lingerMs, or tracks nothing, closes", () => {
    const { cluster, session } = clusterWith({}, "alice");
    session.drop();
    cluster.time.advance(100);
    expectEverywhere(cluster, ["+alice", "-alice left"]);
    const replica = loneReplica({ sessionsMax: 1 });
    replica.session({ lingerMs: 1_000 }).drop();
    expect(replica.session().closed).toBe(false);
  });

  test("counts as a session until it is given up", () => {
    const replica = loneReplica({ sessionsMax: 1 });
    const session = replica.session({ lingerMs: 1_000 });
    session.track(T, "alice");
    replica.tick(0);
    session.drop();
    expect(() => replica.session()).toThrow(expect.objectContaining({ option: "sessionsMax" }));
    expect(replica.tick(10)).toBeLessThanOrEqual(1_010);
    replica.tick(1_010);
    expect(replica.count(T).entries).toBe(0);
    replica.session();
  });

  test("refuses a lingerMs that is no duration", () => {
    for (const lingerMs of [-1, 0.5, Number.NaN, "15"])
      expect(() => loneReplica().session({ lingerMs } as SessionOptions)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
  });
});

describe("an identity that comes back while it lingers", () => {
  test.each(["a", "b", "c"])("at %s is neither a leave nor a join for anybody", (name) => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    session.drop();
    cluster.time.advance(5_000);
    cluster.node(name).endpoint.replica.session().track(T, "alice", { at: name });
    cluster.time.advance(2 * LINGER_MS);
    expectEverywhere(cluster, ["+alice", "~alice"]);
    for (const at of ["a", "b", "c"]) expect(metasAt(cluster, at)).toEqual([["alice", name, name]]);
  });

  test("and changes at once, or goes again, is told as that", () => {
    for (const name of ["a", "b"]) {
      const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice", "bob");
      session.drop();
      cluster.time.advance(1_000);
      const again = cluster.node(name).endpoint.replica.session();
      again.track(T, "alice", { n: 1 });
      again.update(T, "alice", { n: 2 });
      again.track(T, "bob");
      cluster.time.advance(1_000);
      again.untrack(T, "bob");
      cluster.time.advance(2 * LINGER_MS);
      for (const at of ["a", "b", "c"]) {
        expect(new Set(eventsOf(cluster, at))).toEqual(
          new Set(["+alice", "+bob", "~alice", "~bob", "-bob left"]),
        );
        expect(cluster.node(at).endpoint.replica.list(T)).toMatchObject([{ key: "alice", meta: { n: 2 } }]);
      }
      cluster.checkWatchers();
    }
  });

  test("as often as it was there: each of two sessions of one key waits for one", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    const second = cluster.node("b").endpoint.replica.session({ lingerMs: LINGER_MS });
    second.track(T, "alice");
    cluster.time.advance(1_000);
    session.drop();
    second.drop();
    cluster.time.advance(1_000);
    for (let turn = 0; turn < 3; turn++) cluster.node("c").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(2 * LINGER_MS);
    expectEverywhere(cluster, ["+alice", "+alice", "~alice", "~alice", "+alice"]);
  });

  test("is not taken for another session of its key that is still connected", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    cluster.node("b").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(1_000);
    session.drop();
    cluster.time.advance(2 * LINGER_MS);
    expectEverywhere(cluster, ["+alice", "+alice", "-alice left"]);
    expect(metasAt(cluster, "c")).toEqual([["alice", "b", undefined]]);
  });

  test("on two nodes at once is one update and one join, and both are there in the end", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    session.drop();
    cluster.time.advance(1_000);
    for (const name of ["b", "c"]) cluster.node(name).endpoint.replica.session().track(T, "alice");
    cluster.time.advance(2 * LINGER_MS);
    for (const name of ["a", "b", "c"])
      expect([...eventsOf(cluster, name)].sort()).toEqual(["+alice", "+alice", "~alice"]);
    cluster.checkWatchers();
  });

  test("at a node that joined the cluster in the meantime", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    session.drop();
    cluster.time.advance(1_000);
    cluster.start("d").endpoint.replica;
    cluster.time.advance(2_000);
    cluster.node("d").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(2 * LINGER_MS);
    for (const name of ["a", "b", "c"]) expect(eventsOf(cluster, name)).toEqual(["+alice", "~alice"]);
    cluster.checkWatchers();
  });

  test("at a node that could not be told: nobody ever sees it absent, and there is one in the end", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    cluster.cut("a", "b");
    cluster.time.advance(500);
    session.drop();
    cluster.time.advance(500);
    const counts = new Set<number>();
    cluster.observe({ input: ({ endpoint }) => void counts.add(endpoint.replica.count(T).keys) });
    cluster.node("b").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(3_000);
    for (const name of ["a", "b", "c"]) expect(metasAt(cluster, name)).toEqual([["alice", "b", undefined]]);
    cluster.mend("a", "b");
    cluster.time.advance(2 * LINGER_MS);
    expect([...counts]).toEqual([1]);
    expect(eventsOf(cluster, "a")).toEqual(["+alice", "~alice"]);
    cluster.checkWatchers();
  });
});

describe("while presences linger", () => {
  test("their node crashes: they are lost with it, and come back as joins", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    session.drop();
    cluster.time.advance(1_000);
    cluster.crash("a");
    cluster.time.advance(2_000);
    cluster.node("b").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(2 * LINGER_MS);
    for (const name of ["b", "c"])
      expect(eventsOf(cluster, name)).toEqual(["+alice", "-alice lost", "+alice"]);
  });

  test("their node stops with a hand-off: they may still come back anywhere", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice", "bob");
    session.drop();
    cluster.time.advance(1_000);
    cluster.stop("a", 5_000);
    cluster.time.advance(1_000);
    cluster.node("b").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(2 * LINGER_MS);
    for (const name of ["b", "c"])
      expect(eventsOf(cluster, name)).toEqual(["+alice", "+bob", "~alice", "-bob left"]);
  });

  test("an operator removes one: it leaves at once, and does not wait for anybody", () => {
    const { cluster, session } = clusterWith({ lingerMs: LINGER_MS }, "alice");
    session.drop();
    cluster.time.advance(1_000);
    expect(cluster.node("b").endpoint.replica.remove(T, "alice")).toBe(1);
    cluster.time.advance(1_000);
    expectEverywhere(cluster, ["+alice", "-alice removed"]);
    cluster.node("b").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(2 * LINGER_MS);
    expectEverywhere(cluster, ["+alice", "-alice removed", "+alice"]);
  });

  test("their node goes on under a newer incarnation, and they are still waited for", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    cluster.start("c", 7);
    const old = cluster.node("c").endpoint.replica;
    cluster.time.advance(1_000);
    cluster.crash("c");
    cluster.time.advance(1_000);
    const process = cluster.start("c", 3);
    const session = process.endpoint.replica.session({ lingerMs: LINGER_MS });
    session.track(T, "alice");
    session.drop();
    cluster.time.advance(3_000);
    expect(process.endpoint.replica.incarnation).toBeGreaterThan(old.incarnation);
    cluster.node("b").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(2 * LINGER_MS);
    expect(eventsOf(cluster, "a")).toEqual(["+alice", "~alice"]);
  });
});
