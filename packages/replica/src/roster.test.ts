/** What watchers may do while they are told of a change, and what they are told of it. */
import { describe, expect, test } from "vitest";
import { loneReplica, VirtualCluster, WatchedTopic } from "../../../test/helpers/virtual-cluster.ts";
import type { Notice, Replica, TopicChange, TopicDiff } from "./index.ts";

const T = "room:lobby";

/** A change in short: what it is, its number, and who. */
function brief(change: TopicChange): string {
  if (change.type === "state")
    return `state ${change.number}: ${change.presences.map(({ key }) => key).join(" ")}`;
  const parts = [
    ...change.joins.map(({ key }) => `+${key}`),
    ...change.leaves.map(({ presence: { key }, reason }) => `-${key} ${reason}`),
    ...change.updates.map(({ before, after }) => `~${before.key}${after.key === before.key ? "" : "?"}`),
  ];
  return `${change.number}: ${parts.join(" ")}`;
}

function watching(replica: Replica, topic = T): string[] {
  const told: string[] = [];
  replica.watch(topic, (change) => told.push(brief(change)));
  return told;
}

describe("a watcher is told", () => {
  test("the state at once, then every change with the next number", () => {
    const replica = loneReplica();
    const session = replica.session();
    const early = watching(replica);
    session.track(T, "ann");
    session.track(T, "bob");
    const late = watching(replica);
    session.update(T, "ann", { away: true });
    session.track("elsewhere", "ann");
    session.untrack(T, "bob");
    session.close();
    expect(early).toEqual(["state 0: ", "1: +ann", "2: +bob", "3: ~ann", "4: -bob left", "5: -ann left"]);
    expect(late).toEqual(["state 2: ann bob", "3: ~ann", "4: -bob left", "5: -ann left"]);
  });

  test("the net change of a batch, and nothing of one that changed nothing", () => {
    const replica = loneReplica();
    const session = replica.session();
    session.track(T, "ann", { n: 0 });
    const told = watching(replica);
    replica.batch(() => {
      session.track(T, "bob");
      session.untrack(T, "bob");
    });
    replica.batch(() => undefined);
    expect(told).toHaveLength(1);
    replica.batch(() => {
      session.update(T, "ann", { n: 1 });
      session.update(T, "ann", { n: 2 });
      session.track(T, "cyd");
      session.track(T, "dan");
      session.untrack(T, "dan");
    });
    expect(told.slice(1)).toEqual(["1: +cyd ~ann"]);
    replica.batch(() => {
      session.untrack(T, "ann");
      session.track(T, "ann");
    });
    expect(told.slice(2)).toEqual(["2: +ann -ann left"]);
  });

  test("before and after of an update", () => {
    const replica = loneReplica();
    const session = replica.session();
    const first = session.track(T, "ann", { n: 0 });
    const diffs: TopicDiff[] = [];
    replica.watch(T, (change) => change.type === "diff" && diffs.push(change));
    const second = replica.batch(() => {
      session.update(T, "ann", { n: 1 });
      return session.update(T, "ann", { n: 2 });
    });
    expect(diffs).toHaveLength(1);
    const [{ before, after }] = diffs[0]!.updates as [(typeof diffs)[0]["updates"][0]];
    expect([before.ref, before.meta]).toEqual([first, { n: 0 }]);
    expect([after.ref, after.meta]).toEqual([second, { n: 2 }]);
    expect(session.get(T, "ann")).toBe(after);
  });

  test("the changes of a batch that throws, and whoever made it is told the error", () => {
    const replica = loneReplica();
    const told = watching(replica);
    expect(() =>
      replica.batch(() => {
        replica.session().track(T, "ann");
        throw new Error("a fault of the application");
      }),
    ).toThrow("a fault of the application");
    expect(told).toEqual(["state 0: ", "1: +ann"]);
    replica.session().track(T, "bob");
    expect(told.at(-1)).toBe("2: +bob");
  });

  test("in the middle of a batch, the state as it is by then, and only what comes after it", () => {
    const replica = loneReplica();
    const session = replica.session();
    const early = watching(replica);
    let late: string[] = [];
    replica.batch(() => {
      session.track(T, "ann");
      late = watching(replica);
      session.track(T, "bob");
    });
    expect(late).toEqual(["state 1: ann", "2: +bob"]);
    expect(early).toEqual(["state 0: ", "1: +ann", "2: +bob"]);
  });

  test("nothing after it has unsubscribed, however often, and the others go on", () => {
    const replica = loneReplica();
    const session = replica.session();
    const calls: string[] = [];
    const stop = replica.watch(T, (change) => calls.push(brief(change)));
    const other = watching(replica);
    session.track(T, "ann");
    stop();
    stop();
    session.track(T, "bob");
    expect(calls).toEqual(["state 0: ", "1: +ann"]);
    expect(other).toEqual(["state 0: ", "1: +ann", "2: +bob"]);
    stop();
    session.track(T, "cyd");
    expect(other.at(-1)).toBe("3: +cyd");
  });

  test("of its own topic only, whatever it is called", () => {
    const replica = loneReplica();
    const session = replica.session();
    const topics = ["__proto__", "constructor", "7", "👩‍👩‍👧", "toString"];
    const told = topics.map((topic) => watching(replica, topic));
    for (const topic of topics) session.track(topic, "__proto__", { topic });
    for (const [index, topic] of topics.entries()) {
      expect(told[index]).toEqual(["state 0: ", "1: +__proto__"]);
      expect(replica.list(topic).map(({ meta }) => meta)).toEqual([{ topic }]);
    }
    expect([...replica.where(["__proto__", "constructor"])]).toEqual([["__proto__", topics]]);
  });
});

describe("while it is told, a watcher may", () => {
  test("track, update and untrack: everybody is told of one change after the other, in one order", () => {
    const replica = loneReplica();
    const session = replica.session();
    const bot = replica.session();
    const first = watching(replica);
    replica.watch(T, (change) => {
      if (change.type === "state") return;
      for (const { key } of change.joins) if (key !== "bot") bot.track(T, "bot", { greets: key });
      for (const { after } of change.updates) if (after.key === "bot") bot.untrack(T, "bot");
    });
    const last = watching(replica);
    const state = new WatchedTopic();
    replica.watch(T, (change) => state.apply(change));
    session.track(T, "ann");
    session.track(T, "bob");
    const expected = ["1: +ann", "2: +bot", "3: +bob", "4: ~bot", "5: -bot left"];
    expect(first.slice(1)).toEqual(expected);
    expect(last.slice(1)).toEqual(expected);
    expect(state.events).toEqual(["+ann", "+bot", "+bob", "~bot", "-bot left"]);
  });

  test("watch the same topic: the state it gets is followed by what it does not hold yet", () => {
    const replica = loneReplica();
    const session = replica.session();
    const late: WatchedTopic[] = [];
    replica.watch(T, (change) => {
      if (change.type === "state" || late.length > 3) return;
      const watched = new WatchedTopic();
      late.push(watched);
      replica.watch(T, (change) => watched.apply(change));
      session.track(T, `from ${change.number}`);
    });
    session.track(T, "ann");
    session.track(T, "bob");
    for (const watched of late)
      expect([...watched.refs.values()].sort()).toEqual(
        replica
          .list(T)
          .map(({ key }) => key)
          .sort(),
      );
  });

  test("unsubscribe itself or another: whoever has not been told yet is not told any more", () => {
    const replica = loneReplica();
    const session = replica.session();
    const calls: string[] = [];
    const stops: (() => void)[] = [];
    for (const name of ["one", "two", "three"]) {
      stops.push(
        replica.watch(T, (change) => {
          if (change.type === "state") return;
          calls.push(name);
          if (name === "one") stops[1]!();
          if (name === "three") stops[2]!();
        }),
      );
    }
    session.track(T, "ann");
    session.track(T, "bob");
    expect(calls).toEqual(["one", "three", "one"]);
  });

  test("close the session whose entries it hears of", () => {
    const replica = loneReplica();
    const session = replica.session();
    const told = watching(replica);
    replica.watch(T, (change) => change.type === "diff" && session.close());
    session.track(T, "ann");
    expect(told).toEqual(["state 0: ", "1: +ann", "2: -ann left"]);
    expect(replica.count(T)).toEqual({ keys: 0, entries: 0 });
  });

  test("throw: the others are told all the same, and the operator", () => {
    const notices: Notice[] = [];
    const replica = loneReplica({}, (notice) => notices.push(notice));
    const session = replica.session();
    const fault = new Error("a fault of the application");
    const first = watching(replica);
    replica.watch(T, () => {
      throw fault;
    });
    const last = watching(replica);
    session.track(T, "ann");
    session.track(T, "bob");
    for (const told of [first, last]) expect(told).toEqual(["state 0: ", "1: +ann", "2: +bob"]);
    expect(replica.counters.listenerErrors).toBe(3);
    expect(notices).toHaveLength(3);
    expect(notices[0]).toMatchObject({ type: "listener-error", level: "error", topic: T, error: fault });
  });

  test("track again what was just removed from its session", () => {
    for (const alone of [true, false]) {
      const cluster = new VirtualCluster(["a", "b"]);
      const { replica } = cluster.node("a").endpoint;
      const session = replica.session();
      session.track(T, "ann", { n: 1 });
      if (!alone) session.track(T, "bob");
      const removed: string[] = [];
      session.onRemoved(({ key }) => removed.push(key));
      const got: unknown[] = [];
      replica.watch(T, (change) => {
        if (change.type === "state" || change.leaves.length === 0) return;
        got.push(session.get(T, "ann"));
        session.track(T, "ann", { n: 2 });
      });
      cluster.time.advance(2_000);
      cluster.node("b").endpoint.replica.remove(T, "ann");
      cluster.time.advance(100);
      expect(replica.counters.listenerErrors).toBe(0);
      expect(got).toEqual([undefined]);
      expect(removed).toEqual(["ann"]);
      expect(session.get(T, "ann")!.meta).toEqual({ n: 2 });
      expect(session.size).toBe(alone ? 1 : 2);
      expect(cluster.node("b").endpoint.replica.get(T, "ann")[0]!.meta).toEqual({ n: 2 });
      session.close();
      cluster.time.advance(100);
      expect(cluster.node("b").endpoint.replica.topics()).toEqual([]);
    }
  });
});

describe("reading", () => {
  test("what is not there is empty", () => {
    const replica = loneReplica();
    expect(replica.list(T)).toEqual([]);
    expect(replica.get(T, "ann")).toEqual([]);
    expect(replica.count(T)).toEqual({ keys: 0, entries: 0 });
    expect(replica.topics()).toEqual([]);
    expect(replica.where(["ann"])).toEqual(new Map());
  });

  test("what was read stays as it was", () => {
    const replica = loneReplica();
    const [one, two] = [replica.session(), replica.session()];
    one.track(T, "ann", { n: 1 });
    two.track(T, "ann", { n: 2 });
    const [list, got, where] = [replica.list(T), replica.get(T, "ann"), replica.where(["ann"])];
    one.update(T, "ann", { n: 3 });
    two.close();
    one.track("elsewhere", "ann");
    expect(list.map(({ meta }) => meta)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(got).toEqual(list);
    expect(where.get("ann")).toEqual([T]);
    expect(replica.where(["ann", "nobody"])).toEqual(new Map([["ann", [T, "elsewhere"]]]));
  });

  test("an update keeps the place in the list", () => {
    const replica = loneReplica();
    const session = replica.session();
    for (const key of ["ann", "bob", "cyd"]) session.track(T, key);
    session.update(T, "ann", { away: true });
    expect(replica.list(T).map(({ key }) => key)).toEqual(["ann", "bob", "cyd"]);
  });

  test("topics come in code unit order, by prefix", () => {
    const replica = loneReplica();
    const session = replica.session();
    for (const topic of ["b:2", "a:1", "b:10", "B", "b"]) session.track(topic, "ann");
    replica.session().track("b:2", "ann");
    expect(replica.topics().map(({ topic }) => topic)).toEqual(["B", "a:1", "b", "b:10", "b:2"]);
    expect(replica.topics("b:")).toEqual([
      { topic: "b:10", keys: 1, entries: 1 },
      { topic: "b:2", keys: 1, entries: 2 },
    ]);
  });
});
