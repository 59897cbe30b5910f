/** A node that stops gracefully gives its people the time to come back elsewhere, and watchers see nothing of it. */
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";

const T = "room:lobby";

function stopping(handoffMs: number, ...keys: string[]) {
  const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
  const session = cluster.node("a").endpoint.replica.session();
  for (const key of keys) session.track(T, key, { name: key });
  cluster.time.advance(2_000);
  cluster.stop("a", handoffMs);
  cluster.time.advance(1_500);
  return cluster;
}

function eventsOf(cluster: VirtualCluster, name: string): string[] {
  return cluster.node(name).watched.get(T)!.events;
}

describe("a goodbye", () => {
  test("reaches those who have no link with the one that says it", () => {
    for (const handoffMs of [0, 1_000]) {
      const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
      cluster.node("a").endpoint.replica.session().track(T, "alice");
      cluster.time.advance(2_000);
      cluster.cut("a", "c");
      cluster.time.advance(3_000);
      expect(eventsOf(cluster, "c")).toEqual(["+alice"]);
      cluster.stop("a", handoffMs);
      cluster.time.advance(handoffMs + 100);
      for (const name of ["b", "c"]) expect(eventsOf(cluster, name)).toEqual(["+alice", "-alice left"]);
    }
  });
});

describe("during a hand-off", () => {
  test("a key that comes back and changes at once is one update", () => {
    const cluster = stopping(5_000, "alice");
    const { replica } = cluster.node("b").endpoint;
    replica.batch(() => {
      const session = replica.session();
      session.track(T, "alice", { n: 1 });
      session.update(T, "alice", { n: 2 });
      session.update(T, "alice", { n: 3 });
    });
    cluster.time.advance(10_000);
    for (const name of ["b", "c"]) {
      expect(eventsOf(cluster, name)).toEqual(["+alice", "~alice"]);
      expect(cluster.node(name).endpoint.replica.list(T)[0]!.meta).toEqual({ n: 3 });
    }
  });

  test("a key that comes back and goes again leaves at once, and once", () => {
    const cluster = stopping(5_000, "alice");
    const session = cluster.node("b").endpoint.replica.session();
    session.track(T, "alice");
    cluster.time.advance(500);
    session.close();
    cluster.time.advance(500);
    for (const name of ["b", "c"])
      expect(eventsOf(cluster, name)).toEqual(["+alice", "~alice", "-alice left"]);
    cluster.time.advance(10_000);
    for (const name of ["b", "c"])
      expect(eventsOf(cluster, name)).toEqual(["+alice", "~alice", "-alice left"]);
  });

  test("a key comes back as often as it was there, and what is more joins", () => {
    const cluster = stopping(5_000, "alice");
    for (let session = 0; session < 2; session++)
      cluster.node("b").endpoint.replica.session().track(T, "alice", { session });
    cluster.time.advance(10_000);
    for (const name of ["b", "c"]) expect(eventsOf(cluster, name)).toEqual(["+alice", "~alice", "+alice"]);
  });

  test("a key may come back at the next life of the same node: a rolling deploy is silent", () => {
    const cluster = stopping(5_000, "alice", "stays away");
    cluster.start("a");
    cluster.time.advance(1_000);
    for (const name of ["b", "c"]) expect(eventsOf(cluster, name)).toEqual(["+alice", "+stays away"]);
    cluster.node("a").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(10_000);
    for (const name of ["b", "c"])
      expect(eventsOf(cluster, name)).toEqual(["+alice", "+stays away", "~alice", "-stays away left"]);
    expect(
      cluster
        .node("b")
        .endpoint.cluster()
        .map(({ replica }) => replica)
        .sort(),
    ).toEqual(["a@2", "b@1", "c@1"]);
  });

  test("nothing of the leaver's goes before its time, and everything goes at its end", () => {
    const cluster = stopping(5_000, "alice", "bob");
    cluster.time.advance(3_000);
    expect(eventsOf(cluster, "b")).toEqual(["+alice", "+bob"]);
    expect(
      cluster
        .node("b")
        .endpoint.cluster()
        .map(({ status }) => status),
    ).toContain("leaving");
    cluster.time.advance(1_000);
    expect(eventsOf(cluster, "b")).toEqual(["+alice", "+bob", "-alice left", "-bob left"]);
    expect(cluster.node("b").endpoint.cluster()).toHaveLength(2);
  });

  test("a newcomer shows the leaver's people as the others do, and lets go of them with the others", () => {
    const cluster = stopping(30_000, "alice", "bob");
    const newcomer = cluster.start("d");
    cluster.time.advance(5_000);
    const statuses = new Map(newcomer.endpoint.cluster().map(({ node, status }) => [node, status]));
    expect(statuses).toEqual(
      new Map([
        ["d", "self"],
        ["a", "leaving"],
        ["b", "up"],
        ["c", "up"],
      ]),
    );
    expect(eventsOf(cluster, "d").sort()).toEqual(["+alice", "+bob"]);
    expect(newcomer.endpoint.replica.synced).toBe(true);
    cluster.node("b").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(30_000);
    expect(eventsOf(cluster, "d").slice(2)).toEqual(["~alice", "-bob left"]);
    for (const name of ["b", "c", "d"]) expect(cluster.node(name).endpoint.cluster()).toHaveLength(3);
    cluster.checkWatchers();
  });

  test("a newcomer does not show twice who has already come back, also where it is the leaver's next life", () => {
    for (const name of ["d", "a"]) {
      const cluster = stopping(30_000, "alice", "bob");
      cluster.node("b").endpoint.replica.session().track(T, "alice");
      cluster.time.advance(1_000);
      const newcomer = cluster.start(name);
      cluster.time.advance(3_000);
      expect(eventsOf(cluster, name).sort()).toEqual(["+alice", "+bob"]);
      newcomer.endpoint.replica.session().track(T, "bob");
      cluster.time.advance(40_000);
      for (const each of ["b", "c", name])
        expect(eventsOf(cluster, each).filter((event) => event.startsWith("-"))).toEqual([]);
      expect(eventsOf(cluster, name).sort()).toEqual(["+alice", "+bob", "~bob"]);
      cluster.checkWatchers();
    }
  });

  test("who is told of it by a newcomer that is its only way in shows them too, and nobody asks again and again", () => {
    const cluster = stopping(30_000, "alice");
    cluster.start("d");
    cluster.time.advance(3_000);
    for (const name of ["b", "c"]) cluster.cut(name, "e");
    cluster.start("e");
    cluster.time.advance(5_000);
    expect(eventsOf(cluster, "e")).toEqual(["+alice"]);
    const [PULL, SYNC] = [18, 19];
    const before = [cluster.bytes.get(PULL), cluster.bytes.get(SYNC)];
    cluster.time.advance(60_000);
    expect(eventsOf(cluster, "e")).toEqual(["+alice", "-alice left"]);
    expect([cluster.bytes.get(PULL), cluster.bytes.get(SYNC)]).toEqual(before);
  });

  test("digests of those who stay agree", () => {
    const cluster = stopping(60_000, "alice");
    cluster.time.advance(5_000);
    for (const name of ["b", "c"]) {
      const other = cluster
        .node(name)
        .endpoint.cluster()
        .find(({ status }) => status === "up")!;
      expect(other.agrees).toBe(true);
      expect(other.agreedAgoMs).toBeLessThan(1_500);
    }
  });
});
