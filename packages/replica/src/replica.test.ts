import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";

const T = "room:lobby";
const keys = (cluster: VirtualCluster, name: string) =>
  cluster
    .node(name)
    .endpoint.replica.list(T)
    .map(({ key }) => key)
    .sort();

function trackOn(cluster: VirtualCluster, name: string, ...names: string[]) {
  const session = cluster.node(name).endpoint.replica.session();
  for (const key of names) session.track(T, key, { name: key });
  return session;
}

describe("a healthy cluster", () => {
  test("shows on every node who is tracked on any", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    cluster.time.advance(100);
    trackOn(cluster, "a", "alice");
    trackOn(cluster, "b", "bob");
    cluster.time.advance(50);
    for (const name of ["a", "b", "c"]) expect(keys(cluster, name)).toEqual(["alice", "bob"]);
    cluster.checkWatchers();
  });

  test("a newcomer gets what was there before it", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T], replica: { logSizeMax: 3 } });
    cluster.time.advance(100);
    const session = trackOn(cluster, "a", "1", "2", "3", "4", "5", "6");
    session.untrack(T, "2");
    cluster.time.advance(100);
    cluster.start("c");
    cluster.time.advance(100);
    expect(keys(cluster, "c")).toEqual(["1", "3", "4", "5", "6"]);
    expect(cluster.node("c").endpoint.replica.synced).toBe(true);
    cluster.checkWatchers();
  });

  test("an update is one update, and no reader ever sees neither", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    cluster.time.advance(100);
    const session = trackOn(cluster, "a", "alice");
    cluster.time.advance(100);
    session.update(T, "alice", (previous) => ({ ...previous, away: true }));
    session.update(T, "alice", (previous) => ({ ...previous, away: false }));
    cluster.time.advance(100);
    expect(cluster.node("b").watched.get(T)!.events).toEqual(["+alice", "~alice"]);
    const [presence] = cluster.node("b").endpoint.replica.list(T);
    expect(presence!.meta).toEqual({ name: "alice", away: false });
    expect(presence!.node).toBe("a");
    expect(presence!.previousRef).toBeDefined();
  });

  test("digests agree once it is quiet, and idle heartbeats carry no digest", () => {
    const cluster = new VirtualCluster(["a", "b", "c"]);
    trackOn(cluster, "a", "alice");
    cluster.time.advance(5_000);
    for (const node of cluster.nodes.values()) {
      for (const report of node.endpoint.cluster().slice(1)) expect(report.agrees).toBe(true);
    }
    const before = cluster.bytes.get(17)!;
    cluster.time.advance(10_000);
    expect((cluster.bytes.get(17)! - before) / (10 * 3 * 2)).toBeLessThan(64);
    expect(cluster.bytes.get(18)! / 12).toBeLessThan(10);
  });
});

describe("crashes", () => {
  test("a crashed node's people leave everywhere in well under a second", () => {
    for (const names of [
      ["a", "b"],
      ["a", "b", "c", "d"],
    ]) {
      const cluster = new VirtualCluster(names, { topics: [T] });
      trackOn(cluster, "b", "bob");
      cluster.time.advance(2_000);
      cluster.crash("b");
      cluster.time.advance(500);
      for (const node of cluster.nodes.values())
        expect(node.watched.get(T)!.events).toEqual(["+bob", "-bob lost"]);
    }
  });

  test("a closed socket alone never causes a leave when another path exists", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    trackOn(cluster, "a", "alice");
    cluster.time.advance(2_000);
    cluster.cut("a", "c");
    cluster.time.advance(60_000);
    trackOn(cluster, "a", "amy");
    cluster.time.advance(3_000);
    expect(cluster.node("c").watched.get(T)!.events).toEqual(["+alice", "+amy"]);
    cluster.mend("a", "c");
    cluster.time.advance(3_000);
    expect(cluster.node("c").watched.get(T)!.events).toEqual(["+alice", "+amy"]);
  });

  test("a link that breaks for a moment makes nobody leave, even where it is the only path", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    trackOn(cluster, "b", "bob");
    cluster.time.advance(2_000);
    for (let flap = 0; flap < 10; flap++) {
      cluster.cut("a", "b");
      cluster.time.advance(100);
      cluster.mend("a", "b");
      cluster.time.advance(400);
    }
    expect(cluster.node("a").watched.get(T)!.events).toEqual(["+bob"]);
  });

  test("a process that stood still returns with the same references, and does not declare the others dead", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    for (const name of ["a", "b", "c"]) trackOn(cluster, name, name);
    cluster.time.advance(2_000);
    const before = cluster.views(T).get("b");
    cluster.pause("a");
    cluster.time.advance(20_000);
    expect(keys(cluster, "b")).toEqual(["b", "c"]);
    cluster.resume("a");
    cluster.time.advance(3_000);
    expect(cluster.views(T).get("b")).toEqual(before);
    expect(
      cluster
        .node("a")
        .watched.get(T)!
        .events.filter((event) => event.startsWith("-")),
    ).toEqual([]);
  });

  test("a restarted node's old entries go at once and never come back", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    trackOn(cluster, "a", "old");
    cluster.time.advance(2_000);
    cluster.cut("b", "c");
    cluster.crash("a");
    cluster.start("a");
    trackOn(cluster, "a", "new");
    cluster.time.advance(2_000);
    expect(keys(cluster, "b")).toEqual(["new"]);
    cluster.mend("b", "c");
    cluster.time.advance(5_000);
    for (const name of ["a", "b", "c"]) expect(keys(cluster, name)).toEqual(["new"]);
  });

  test("a node whose clock went back takes a newer incarnation", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    cluster.start("c", 100);
    trackOn(cluster, "c", "old");
    cluster.time.advance(2_000);
    cluster.crash("c");
    cluster.time.advance(1_000);
    cluster.start("c", 50);
    trackOn(cluster, "c", "new");
    cluster.time.advance(5_000);
    expect(cluster.node("c").endpoint.replica.incarnation).toBeGreaterThan(100);
    for (const name of ["a", "b", "c"]) expect(keys(cluster, name)).toEqual(["new"]);
    cluster.checkWatchers();
  });
});

describe("partitions", () => {
  test("longer than every time-out heal unaided", () => {
    const replica = { evictAfterMs: 30_000 };
    const cluster = new VirtualCluster(["a", "b", "c", "d"], { topics: [T], replica });
    for (const name of ["a", "b", "c", "d"]) trackOn(cluster, name, `${name}1`);
    cluster.time.advance(2_000);
    for (const one of ["a", "b"]) for (const other of ["c", "d"]) cluster.cut(one, other);
    cluster.time.advance(120_000);
    trackOn(cluster, "a", "a2");
    trackOn(cluster, "c", "c2");
    cluster.time.advance(1_000);
    expect(keys(cluster, "a")).toEqual(["a1", "a2", "b1"]);
    expect(keys(cluster, "d")).toEqual(["c1", "c2", "d1"]);
    cluster.mendAll();
    cluster.time.advance(5_000);
    for (const name of ["a", "b", "c", "d"])
      expect(keys(cluster, name)).toEqual(["a1", "a2", "b1", "c1", "c2", "d1"]);
    cluster.checkWatchers();
  });

  test("hidden entries return with the same references", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    trackOn(cluster, "a", "alice");
    cluster.time.advance(2_000);
    const [before] = cluster.views(T).get("b")!;
    cluster.cut("a", "b");
    cluster.time.advance(10_000);
    expect(keys(cluster, "b")).toEqual([]);
    cluster.mend("a", "b");
    cluster.time.advance(2_000);
    expect(cluster.views(T).get("b")).toEqual([before]);
    expect(cluster.node("b").watched.get(T)!.events).toEqual(["+alice", "-alice lost", "+alice"]);
  });
});

describe("leaving", () => {
  test("a graceful stop shows at once, with its reason", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    trackOn(cluster, "a", "alice");
    cluster.time.advance(2_000);
    cluster.stop("a");
    cluster.time.advance(50);
    expect(cluster.node("b").watched.get(T)!.events).toEqual(["+alice", "-alice left"]);
    cluster.time.advance(30_000);
    for (const node of cluster.nodes.values())
      expect(node.endpoint.cluster().map(({ node: name }) => name)).not.toContain("a");
  });

  test("a key that re-appears elsewhere during the hand-off is no leave and no join", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    trackOn(cluster, "a", "alice", "stays away");
    cluster.time.advance(2_000);
    cluster.stop("a", 5_000);
    cluster.time.advance(1_000);
    trackOn(cluster, "b", "alice");
    cluster.time.advance(10_000);
    for (const name of ["b", "c"]) {
      expect(cluster.node(name).watched.get(T)!.events).toEqual([
        "+alice",
        "+stays away",
        "~alice",
        "-stays away left",
      ]);
    }
  });
});

describe("removing what others hold", () => {
  test("takes the entry from its session, which is told", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    const session = trackOn(cluster, "a", "alice");
    const told: string[] = [];
    session.onRemoved(({ key }) => told.push(key));
    cluster.time.advance(2_000);
    expect(cluster.node("b").endpoint.replica.remove(T, "alice")).toBe(1);
    cluster.time.advance(100);
    for (const name of ["a", "b", "c"])
      expect(cluster.node(name).watched.get(T)!.events).toEqual(["+alice", "-alice removed"]);
    expect(told).toEqual(["alice"]);
    expect(session.size).toBe(0);
    session.track(T, "alice");
    cluster.time.advance(100);
    expect(keys(cluster, "c")).toEqual(["alice"]);
  });
});

describe("two processes of one name", () => {
  test("the newer life keeps the name, and the older leaves the cluster", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    const older = cluster.node("a");
    trackOn(cluster, "a", "older");
    cluster.time.advance(20_000);
    cluster.start("a", 7);
    trackOn(cluster, "a", "newer");
    cluster.time.advance(10_000);
    expect(older.notices.map(({ type }) => type)).toContain("name-conflict");
    for (const name of ["a", "b"]) expect(keys(cluster, name)).toEqual(["newer"]);
    expect(
      cluster
        .node("b")
        .endpoint.cluster()
        .map(({ replica }) => replica),
    ).toEqual(["b@1", "a@7"]);
  });

  test("a process that starts with an incarnation in use takes a newer one", () => {
    const cluster = new VirtualCluster(["a"]);
    const { endpoint } = cluster.node("a");
    endpoint.replica.session().track(T, "alice");
    endpoint.newerLifeSeen(0);
    expect(endpoint.replica.id).toBe("a@1");
    endpoint.newerLifeSeen(1);
    expect(endpoint.replica.incarnation).toBeGreaterThan(1);
    expect(keys(cluster, "a")).toEqual(["alice"]);
  });
});
