/** Repair, seen from outside: whatever a replica missed, it gets, and watchers see of it what they would have seen. */
import { describe, expect, test } from "vitest";
import { VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";
import { Entry } from "./entry.ts";
import { encodeMessage, type Message, type ReplicaOptions, replicaId, type Session } from "./index.ts";

const T = "room:lobby";

function pair(replica: Partial<ReplicaOptions> = {}) {
  const cluster = new VirtualCluster(["a", "b"], { topics: [T], replica });
  const [a, b] = [cluster.node("a"), cluster.node("b")];
  const session = a.endpoint.replica.session();
  cluster.time.advance(1_500);
  return { cluster, a, b, session };
}

/** One change after the other, each in a delta of its own. */
function trackOneByOne(cluster: VirtualCluster, session: Session, count: number): void {
  for (let index = 0; index < count; index++) {
    session.track(T, `k${index}`);
    cluster.time.advance(20);
  }
}

describe("a congested peer", () => {
  for (const logSizeMax of [3, 10_000]) {
    test(`is not pushed to, and catches up once it has drained, with a log of ${logSizeMax}`, () => {
      const { cluster, a, b, session } = pair({ logSizeMax });
      session.track(T, "before");
      cluster.time.advance(100);
      cluster.congest("a", "b");
      // Its deltas are left out; so is the answer to the pull that the next digest calls for.
      trackOneByOne(cluster, session, 8);
      session.untrack(T, "k3");
      cluster.time.advance(100);
      const pushed = cluster.bytes.get(16)!;
      cluster.time.advance(500);
      expect(cluster.bytes.get(16)).toBe(pushed);
      expect(a.endpoint.replica.counters.pushesSkipped).toBe(9);
      expect(b.endpoint.replica.count(T)).toEqual({ keys: 1, entries: 1 });
      cluster.drain("a", "b");
      cluster.time.advance(60);
      expect(b.endpoint.replica.count(T)).toEqual({ keys: 8, entries: 8 });
      expect(b.endpoint.replica.counters.fullSyncs).toBe(logSizeMax === 3 ? 1 : 0);
      cluster.checkWatchers();
    });
  }

  test("gets a sync no faster than it drains", () => {
    const bufferedBytesMax = 4_096;
    const replica = { logSizeMax: 1, frameBytesTarget: 512 };
    const cluster = new VirtualCluster(["a"], { topics: [T], replica, bytesPerMs: 50, bufferedBytesMax });
    const session = cluster.node("a").endpoint.replica.session();
    for (let index = 0; index < 2_000; index++) session.track(T, `key ${index}`, { index });
    cluster.time.advance(100);
    const b = cluster.start("b");
    const seen: number[] = [];
    while (b.endpoint.replica.count(T).entries < 2_000) {
      cluster.time.advance(20);
      seen.push(b.endpoint.replica.count(T).entries);
      expect(cluster.buffered("a", "b")).toBeLessThan(bufferedBytesMax + 1_024);
    }
    // It came bit by bit, and could be seen bit by bit.
    expect(new Set(seen).size).toBeGreaterThan(10);
    expect(b.endpoint.replica.counters.pullTimeouts).toBe(0);
    cluster.time.advance(2_000);
    expect(b.endpoint.replica.counters.fullSyncs).toBe(1);
    cluster.checkWatchers();
  });
});

describe("a full state", () => {
  test("shows an update as an update, although its entries come ahead of its removes", () => {
    const { cluster, b, session } = pair({ logSizeMax: 3 });
    session.track(T, "alice", { n: 0 });
    cluster.time.advance(100);
    cluster.congest("a", "b");
    session.update(T, "alice", { n: 1 });
    trackOneByOne(cluster, session, 5);
    session.update(T, "alice", { n: 2 });
    cluster.time.advance(20);
    cluster.drain("a", "b");
    cluster.time.advance(2_000);
    expect(b.endpoint.replica.counters.fullSyncs).toBe(1);
    const events = b.watched.get(T)!.events;
    expect(events.filter((event) => event.includes("alice"))).toEqual(["+alice", "~alice"]);
    expect(events).toHaveLength(7);
    cluster.checkWatchers();
  });

  test("comes in frames of bounded size, whatever the topics and metas", () => {
    for (const [topic, meta] of [
      [(index: number) => `${"t".repeat(247)}:${index}`, {}],
      [(index: number) => `${"é".repeat(120)}:${index}`, { text: "日本語".repeat(20) }],
      [() => "one", { text: "x".repeat(8_000) }],
    ] as const) {
      const cluster = new VirtualCluster(["a"], { replica: { logSizeMax: 1 } });
      const session = cluster.node("a").endpoint.replica.session();
      for (let index = 0; index < 1_500; index++) session.track(topic(index), `${index}`, meta);
      cluster.time.advance(100);
      cluster.start("b");
      cluster.time.advance(1_000);
      expect(cluster.node("b").endpoint.replica.cluster(0)[1]!.entries).toBe(1_500);
      // A byte that counts as one may travel as three.
      expect(cluster.largestFrame).toBeLessThan(3 * 49_152);
    }
  });

  test("that breaks off goes on with another peer, and what has come stays", () => {
    const replica = { logSizeMax: 1, frameBytesTarget: 512 };
    const cluster = new VirtualCluster(["a", "b"], { topics: [T], replica, bytesPerMs: 50 });
    const session = cluster.node("a").endpoint.replica.session();
    for (let index = 0; index < 2_000; index++) session.track(T, `key ${index}`, { index });
    cluster.time.advance(1_000);
    cluster.start("whole");
    cluster.time.advance(5_000);
    const whole = cluster.bytes.get(19)!;
    cluster.crash("whole");
    cluster.time.advance(1_000);

    const c = cluster.start("c");
    const entries = () => c.endpoint.replica.count(T).entries;
    while (entries() < 200) cluster.time.advance(1);
    cluster.cut("a", "c");
    cluster.cut("b", "c");
    const before = entries();
    const sent = cluster.bytes.get(19)!;
    expect(before).toBeLessThan(1_800);
    cluster.time.advance(100);
    cluster.mend("b", "c");
    cluster.time.advance(5_000);
    expect(entries()).toBe(2_000);
    // Nothing that had come was sent again, give or take the frames that were under way.
    expect(cluster.bytes.get(19)! - sent).toBeLessThan(whole * (1 - before / 2_000) * 1.1 + 4_096);
    cluster.checkWatchers();
    for (const report of c.endpoint.cluster().slice(1))
      expect(report.events).toBe(report.node === "a" ? 2_000 : 0);
  });
});

describe("while a sync is under way", () => {
  /** Heartbeats are so far apart that nothing is noticed by them. */
  function syncing() {
    const replica = {
      logSizeMax: 1,
      frameBytesTarget: 512,
      heartbeatIntervalMs: 60_000,
      downAfterMs: 300_000,
    };
    const slow = { bytesPerMs: 50, bufferedBytesMax: 4_096 };
    const cluster = new VirtualCluster(["a", "b"], { topics: [T], replica, ...slow });
    const session = cluster.node("a").endpoint.replica.session();
    for (let index = 0; index < 2_000; index++) session.track(T, `key ${index}`, { index });
    cluster.time.advance(3_000);
    const c = cluster.start("c");
    while (c.endpoint.replica.count(T).entries < 200) cluster.time.advance(1);
    const served = (name: string) => cluster.node(name).endpoint.replica.counters.pullsServed;
    const [giver, other] = served("a") > served("b") ? ["a", "b"] : ["b", "a"];
    return {
      cluster,
      c,
      giver: giver!,
      other: other!,
      served,
      entries: () => c.endpoint.replica.count(T).entries,
    };
  }

  test("the link with its giver breaks: another peer is asked at once", () => {
    const { cluster, giver, other, served, entries } = syncing();
    const before = served(other);
    cluster.cut(giver, "c");
    cluster.time.advance(50);
    expect(served(other)).toBe(before + 1);
    cluster.time.advance(1_500);
    expect(entries()).toBe(2_000);
    cluster.checkWatchers();
  });

  test("the giver loses its link: it sends no more of that, and serves the next", () => {
    const { cluster, c, giver, other, entries } = syncing();
    cluster.cut(giver, "c");
    cluster.cut(other, "c");
    const { counters } = cluster.node(giver).endpoint.replica;
    const sent = counters.syncFramesSent;
    cluster.time.advance(100);
    expect(counters.syncFramesSent).toBe(sent);
    cluster.mend(giver, "c");
    cluster.time.advance(2_000);
    expect(entries()).toBe(2_000);
    expect(c.endpoint.replica.counters.pullTimeouts).toBe(0);
  });

  test("a delta of another peer has a gap: what is missing comes from whoever has it, once the sync has ended", () => {
    const { cluster, c, other, entries } = syncing();
    const { endpoint, id } = cluster.node(other);
    cluster.congest(other, "c");
    const session = endpoint.replica.session();
    for (const key of ["one", "two"]) {
      session.track(T, key);
      cluster.time.advance(20);
    }
    const delta = { origin: id, from: 1, to: 2, numbers: [2], removals: [] };
    const values = [new Entry(id, 2, T, "two", {}, 0, 2)];
    c.endpoint.frame(id, encodeMessage({ type: "delta", delta: { ...delta, values } }));
    expect(c.endpoint.replica.counters.gaps).toBe(1);
    expect(entries()).toBeLessThan(2_000);
    cluster.drain(other, "c");
    cluster.time.advance(2_000);
    expect(entries()).toBe(2_002);
    cluster.checkWatchers();
  });
});

describe("a divergence", () => {
  /** Tells `b` that a's next event was another one than it is. */
  function forge(
    { cluster, a, b, session }: ReturnType<typeof pair>,
    change: (session: Session) => void,
    lie: (number: number) => Partial<Extract<Message, { type: "delta" }>["delta"]>,
  ): void {
    const from = a.endpoint.cluster()[0]!.events;
    change(session);
    const delta = {
      origin: a.id,
      from,
      to: from + 1,
      numbers: [],
      values: [],
      removals: [],
      ...lie(from + 1),
    };
    b.endpoint.frame(a.id, encodeMessage({ type: "delta", delta }));
    cluster.time.advance(5);
  }

  test("is noticed by the hash, and a live session's entry that got lost is added again", () => {
    const world = pair();
    const { cluster, a, b, session } = world;
    forge(
      world,
      (session) => session.track(T, "alice"),
      () => ({}),
    );
    expect(b.endpoint.replica.count(T).entries).toBe(0);
    cluster.time.advance(10_000);
    for (const node of [a, b]) {
      expect(node.endpoint.replica.list(T).map(({ ref }) => ref)).toEqual([session.get(T, "alice")!.ref]);
      expect(node.endpoint.replica.counters.divergences).toBeGreaterThan(0);
      expect(node.endpoint.cluster()[1]!.agrees).toBe(true);
      expect(node.notices.find(({ type }) => type === "divergence")?.level).toBe("error");
    }
    expect(a.endpoint.replica.counters.readded).toBe(1);
    // Those who saw alice see her new entry in the place of the old one.
    expect(a.watched.get(T)!.events).toEqual(["+alice", "~alice"]);
    expect(b.watched.get(T)!.events).toEqual(["+alice"]);
    expect(session.size).toBe(1);
    cluster.checkWatchers();
    const before = cluster.bytes.get(19)!;
    cluster.time.advance(10_000);
    expect(cluster.bytes.get(19)).toBe(before);
  });

  test("is noticed by the hash, and an entry that is no more goes", () => {
    const world = pair();
    const { cluster, a, b } = world;
    world.session.track(T, "alice");
    cluster.time.advance(100);
    forge(
      world,
      (session) => void session.untrack(T, "alice"),
      () => ({}),
    );
    expect(b.endpoint.replica.count(T).entries).toBe(1);
    cluster.time.advance(10_000);
    for (const node of [a, b]) {
      expect(node.endpoint.replica.count(T).entries).toBe(0);
      expect(node.endpoint.cluster()[1]!.agrees).toBe(true);
    }
    expect(b.watched.get(T)!.events).toEqual(["+alice", "-alice left"]);
    cluster.checkWatchers();
  });

  test("of a third replica's entries is settled between any two", () => {
    const cluster = new VirtualCluster(["a", "b", "c"], { topics: [T] });
    const [a, b] = [cluster.node("a"), cluster.node("b")];
    const session = a.endpoint.replica.session();
    cluster.time.advance(1_500);
    forge(
      { cluster, a, b, session },
      (session) => session.track(T, "alice"),
      () => ({}),
    );
    cluster.time.advance(10_000);
    for (const node of cluster.nodes.values()) {
      expect(node.endpoint.replica.list(T).map(({ ref }) => ref)).toEqual([session.get(T, "alice")!.ref]);
      for (const report of node.endpoint.cluster().slice(1)) expect(report.agrees).toBe(true);
    }
    cluster.checkWatchers();
  });
});

describe("a peer that does not answer", () => {
  test("is given up after pullTimeoutMs, and another one that has it is asked before it", () => {
    for (const silent of ["a", "b"]) {
      const cluster = new VirtualCluster(["a", "b"], { topics: [T], replica: { logSizeMax: 1 } });
      const session = cluster.node("a").endpoint.replica.session();
      for (let index = 0; index < 20; index++) session.track(T, `${index}`);
      cluster.time.advance(2_000);
      // It hears, and says that it is alive, and has never any room to answer.
      cluster.congest(silent, "c");
      const c = cluster.start("c");
      cluster.time.advance(5_000);
      expect(c.endpoint.replica.count(T).entries).toBe(20);
      expect(c.endpoint.replica.counters.pullTimeouts).toBeLessThan(2);
      cluster.checkWatchers();
    }
  });
});

describe("a replica that does not count", () => {
  /** b, and a stranger's delta that a hands on to it. */
  function strangers() {
    const { cluster, a, b } = pair();
    const origin = replicaId("stranger", 1);
    const values = [new Entry(origin, 1, T, "ghost", {}, 0, 1)];
    const delta = { origin, from: 0, to: 1, numbers: [1], values, removals: [] };
    return { cluster, a, b, origin, frame: encodeMessage({ type: "delta", delta }) };
  }

  test("has no events here, whoever tells of them", () => {
    const { cluster, a, b, origin, frame } = strangers();
    b.endpoint.frame(a.id, frame);
    cluster.time.advance(3_000);
    expect(b.endpoint.replica.count(T).entries).toBe(0);
    expect(b.endpoint.replica.state.originIds()).not.toContain(origin);
    for (const node of [a, b]) expect(node.endpoint.cluster()[1]!.agrees).toBe(true);
  });

  test("is not listened to, although it has a link, until its heartbeat advances", () => {
    const { cluster, a, b } = strangers();
    const session = a.endpoint.replica.session();
    session.track(T, "alice");
    cluster.time.advance(1_500);
    expect(b.endpoint.replica.evict(a.id)).toBe(true);
    expect(b.endpoint.replica.evict(a.id)).toBe(false);
    b.endpoint.frame(a.id, encodeMessage({ type: "leave", replica: b.id, handoffMs: 0 }));
    b.endpoint.frame(a.id, encodeMessage({ type: "broadcast", number: 0, channel: "c", payload: 1 }));
    expect(b.endpoint.replica.list(T)).toEqual([]);
    cluster.time.advance(3_000);
    // It lives, and so it returns by itself, with what it holds.
    expect(b.endpoint.replica.list(T).map(({ key }) => key)).toEqual(["alice"]);
    expect(b.watched.get(T)!.events).toEqual(["+alice", "-alice evicted", "+alice"]);
    cluster.checkWatchers();
  });

  test("is not heard: not even its broadcasts", () => {
    const { cluster, a, b } = strangers();
    const heard: unknown[] = [];
    b.endpoint.replica.onBroadcast("c", (payload) => heard.push(payload));
    const frame = encodeMessage({ type: "broadcast", number: 0, channel: "c", payload: 1 });
    b.endpoint.frame(a.id, frame);
    expect(heard).toEqual([1]);
    b.endpoint.replica.evict(a.id);
    b.endpoint.frame(a.id, frame);
    expect(heard).toEqual([1]);
    cluster.time.advance(3_000);
    b.endpoint.frame(a.id, frame);
    expect(heard).toEqual([1, 1]);
  });
});

describe("a peer that breaks the protocol", () => {
  test("loses its link and nothing else, and comes back", () => {
    const { cluster, a, b, session } = pair();
    session.track(T, "alice");
    cluster.time.advance(100);
    b.endpoint.frame(a.id, Uint8Array.from([1, 17, 0xc0]));
    cluster.time.advance(2_000);
    const links = b.notices.map(({ type }) => type).filter((type) => type.startsWith("peer-"));
    expect(links).toEqual(["peer-linked", "peer-unlinked", "peer-linked"]);
    expect(b.endpoint.cluster()[1]).toMatchObject({ linked: true, status: "up" });
    expect(b.watched.get(T)!.events).toEqual(["+alice"]);
  });

  test("by more ranges than syncRangesMax changes nothing", () => {
    const { cluster, b, session } = pair({ logSizeMax: 1, syncRangesMax: 10 });
    cluster.cut("a", "b");
    for (let index = 0; index < 20; index++) session.track(T, `${index}`);
    for (let index = 0; index < 20; index += 2) session.untrack(T, `${index}`);
    cluster.time.advance(100);
    cluster.mend("a", "b");
    cluster.time.advance(1_000);
    expect(b.endpoint.cluster()[1]!.events).toBe(0);
    session.close();
    cluster.time.advance(5_000);
    expect(b.endpoint.cluster()[1]).toMatchObject({ events: 31, entries: 0 });
    expect(b.endpoint.replica.count(T).entries).toBe(0);
    cluster.checkWatchers();
  });
});

describe("a link so slow that one frame takes longer than the time-out of a pull", () => {
  test.each([
    ["deltas of the log", 1_000],
    ["a full state", 1],
  ])("brings %s in the end", (_, logSizeMax) => {
    const replica = { logSizeMax, frameBytesTarget: 600, pullTimeoutMs: 500, downAfterMs: 60_000 };
    const cluster = new VirtualCluster(["a"], { replica, topics: [T], bytesPerMs: 0.3 });
    const session = cluster.node("a").endpoint.replica.session();
    for (let index = 0; index < 60; index++) {
      session.track(T, `key ${index}`, { text: `${index}`.padEnd(20, "x") });
      cluster.time.advance(10);
    }
    cluster.start("b");
    cluster.time.advance(240_000);
    expect(cluster.node("b").endpoint.replica.counters.pullTimeouts).toBeGreaterThan(0);
    expect(cluster.node("b").endpoint.replica.count(T).entries).toBe(60);
    cluster.checkWatchers();
  });
});
