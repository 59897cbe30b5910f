/** A node that starts while the cluster still remembers another life of its name. */
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";

const T = "room:lobby";

function world() {
  const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
  const session = cluster.node("c").endpoint.replica.session();
  for (let index = 0; index < 20; index++) session.track(T, `old ${index}`);
  cluster.time.advance(2_000);
  cluster.crash("c");
  return cluster;
}

describe("a node that starts again with the very incarnation of its last life", () => {
  test("takes a newer one, once its peers tell of more events than it has made", () => {
    const cluster = world();
    cluster.time.advance(100);
    const c = cluster.start("c", 1);
    c.endpoint.replica.session().track(T, "new", { n: 1 });
    cluster.time.advance(5_000);
    expect(c.endpoint.replica.incarnation).toBeGreaterThan(1);
    expect(c.id).toBe(`c@${c.endpoint.replica.incarnation}`);
    expect(c.notices.find(({ type }) => type === "reincarnated")).toMatchObject({
      level: "warn",
      replica: c.id,
    });
    for (const { endpoint } of cluster.nodes.values()) {
      expect(endpoint.replica.list(T).map(({ key, replica, meta }) => [key, replica, meta])).toEqual([
        ["new", c.id, { n: 1 }],
      ]);
    }
    // Its own watchers saw one user, who never left.
    expect(c.watched.get(T)!.events.filter((event) => event.includes("new"))).toEqual(["+new", "~new"]);
    cluster.checkWatchers();
  });

  test("keeps what its sessions track, and they can go on", () => {
    const cluster = world();
    cluster.time.advance(100);
    const c = cluster.start("c", 1);
    const { replica } = c.endpoint;
    const [one, many] = [replica.session(), replica.session()];
    one.track(T, "one", { n: 1 });
    for (const key of ["ann", "bob", "cyd"]) many.track(T, key, { n: 1 });
    cluster.time.advance(5_000);
    expect(c.endpoint.replica.incarnation).toBeGreaterThan(1);
    expect([one.size, many.size]).toEqual([1, 3]);
    one.update(T, "one", { n: 2 });
    many.update(T, "ann", { n: 2 });
    many.untrack(T, "bob");
    many.track(T, "dan");
    cluster.time.advance(100);
    const seen = cluster.node("a").endpoint.replica.list(T);
    expect(seen.map(({ key, meta }) => `${key} ${meta.n}`).sort()).toEqual([
      "ann 2",
      "cyd 1",
      "dan undefined",
      "one 2",
    ]);
    many.close();
    cluster.time.advance(100);
    expect(
      cluster
        .node("a")
        .endpoint.replica.list(T)
        .map(({ key }) => key),
    ).toEqual(["one"]);
    cluster.checkWatchers();
  });

  test("does so three times at most", () => {
    const cluster = world();
    cluster.time.advance(100);
    const c = cluster.start("c", 1);
    for (let times = 0; times < 5; times++) {
      cluster.time.advance(500);
      c.endpoint.newerLifeSeen(c.endpoint.replica.incarnation + 10);
    }
    cluster.time.advance(500);
    expect(c.notices.filter(({ type }) => type === "reincarnated")).toHaveLength(3);
    expect(c.notices.find(({ type }) => type === "name-conflict")).toMatchObject({ level: "error" });
    expect(c.endpoint.replica.counters.nameConflicts).toBe(1);
  });
});

describe("a node that has been up for long", () => {
  test("gives its name up to a newer life, once and for all, and says nothing to anybody any more", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    cluster.node("a").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(10_001);
    const a = cluster.node("a");
    a.endpoint.newerLifeSeen(0);
    expect(a.endpoint.replica.counters.nameConflicts).toBe(0);
    a.endpoint.newerLifeSeen(7);
    cluster.time.advance(100);
    const before = [...cluster.bytes];
    a.endpoint.newerLifeSeen(8);
    a.endpoint.replica.session().track(T, "late");
    a.endpoint.peerUp(cluster.node("b").id);
    a.endpoint.replica.broadcast("c", 1);
    a.endpoint.leave(1_000);
    cluster.time.advance(500);
    expect(a.endpoint.replica.counters.nameConflicts).toBe(1);
    expect(a.id).toBe("a@1");
    expect(a.endpoint.replica.list(T)).toHaveLength(2);
    const sent = (entries: readonly (readonly [number, number])[], type: number) =>
      new Map(entries).get(type) ?? 0;
    for (const type of [16, 18, 19, 22, 24]) expect(sent([...cluster.bytes], type)).toBe(sent(before, type));
    expect(cluster.node("b").watched.get(T)!.events).toEqual(["+alice", "-alice lost"]);
  });

  test("leaves the cluster where no incarnation is left to take, instead of going on under one that nobody lets in", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    const b = cluster.node("b");
    b.endpoint.newerLifeSeen(Number.MAX_SAFE_INTEGER);
    cluster.time.advance(5_000);
    expect(b.notices.map(({ type }) => type)).toContain("name-conflict");
    expect(b.endpoint.replica.incarnation).toBe(1);
  });
});
