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
});

describe("a node that has been up for long", () => {
  function two() {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    cluster.node("a").endpoint.replica.session().track(T, "alice");
    cluster.time.advance(10_001);
    return { cluster, a: cluster.node("a"), b: cluster.node("b") };
  }

  test("takes a newer incarnation where its name is said to be known with one, and nobody misses its people", () => {
    const { cluster, a, b } = two();
    a.endpoint.newerLifeSeen(0);
    cluster.time.advance(5_000);
    expect(a.id).toBe("a@1");
    a.endpoint.newerLifeSeen(7);
    // First whoever has it is looked for.
    cluster.time.advance(900);
    expect(a.id).toBe("a@1");
    cluster.time.advance(3_000);
    expect(a.endpoint.replica.incarnation).toBeGreaterThan(7);
    expect(a.superseded).toBe(false);
    expect(a.endpoint.replica.counters.nameConflicts).toBe(0);
    for (const { endpoint } of [a, b])
      expect(endpoint.replica.list(T).map(({ key, replica }) => [key, replica])).toEqual([["alice", a.id]]);
    expect(b.watched.get(T)!.events.at(-1)).not.toMatch(/^-/);
    cluster.checkWatchers();
  });

  test("gives its name up to a process that answers, once and for all, and says nothing to anybody any more", () => {
    const { cluster, a, b } = two();
    const newer = cluster.start("a", { host: "elsewhere" });
    cluster.time.advance(1_000);
    expect([a.superseded, newer.superseded]).toEqual([true, false]);
    expect(a.notices.find(({ type }) => type === "name-conflict")).toMatchObject({
      level: "error",
      by: newer.id,
    });
    const before = [...cluster.bytes];
    a.endpoint.newerLifeSeen(8);
    a.endpoint.replica.session().track(T, "late");
    a.endpoint.peerUp(b.id);
    a.endpoint.peerUp(newer.id);
    a.endpoint.replica.broadcast("c", 1);
    a.endpoint.leave(1_000);
    cluster.time.advance(500);
    expect(a.endpoint.replica.counters.nameConflicts).toBe(1);
    expect(a.id).toBe("a@1");
    expect(a.endpoint.replica.list(T)).toHaveLength(2);
    const sent = (entries: readonly (readonly [number, number])[], type: number) =>
      new Map(entries).get(type) ?? 0;
    for (const type of [16, 18, 19, 22, 24, 31])
      expect(sent([...cluster.bytes], type)).toBe(sent(before, type));
    expect(b.watched.get(T)!.events).toEqual(["+alice", "-alice evicted"]);
  });

  test("goes on where no incarnation is left to take, and says so once", () => {
    const { cluster, a, b } = two();
    for (let times = 0; times < 3; times++) {
      a.endpoint.newerLifeSeen(Number.MAX_SAFE_INTEGER);
      cluster.time.advance(5_000);
    }
    expect(a.notices.filter(({ type }) => type === "no-incarnation-left")).toHaveLength(1);
    expect(a.id).toBe("a@1");
    expect(b.endpoint.replica.list(T).map(({ key }) => key)).toEqual(["alice"]);
    a.endpoint.newerLifeSeen(Number.MAX_SAFE_INTEGER - 1);
    cluster.time.advance(5_000);
    expect(a.endpoint.replica.incarnation).toBe(Number.MAX_SAFE_INTEGER);
    expect(b.endpoint.replica.list(T).map(({ key }) => key)).toEqual(["alice"]);
  });
});
