/** What a session promises its owner, and what a refused call leaves behind: nothing. */
import { describe, expect, test } from "vitest";
import { loneReplica, VirtualCluster } from "../../../test/helpers/virtual-cluster.ts";
import {
  ClosedError,
  InvalidArgumentError,
  LimitError,
  NotTrackedError,
  type Replica,
  type ReplicaOptions,
} from "./index.ts";

const T = "room:lobby";

/** All that can be seen of a replica. */
function viewOf(replica: Replica) {
  const topics = replica.topics();
  return {
    topics,
    presences: topics.flatMap(({ topic }) => replica.list(topic)),
    events: replica.cluster(0)[0]!.events,
  };
}

/** Runs a call that must fail, and checks that nothing has changed and nobody was told of anything. */
function refused(replica: Replica, call: () => unknown): Error {
  const before = viewOf(replica);
  let diffs = 0;
  const stop = replica.watch(T, (change) => {
    if (change.type === "diff") diffs++;
  });
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  stop();
  expect(thrown).toBeInstanceOf(Error);
  expect(viewOf(replica)).toEqual(before);
  expect(diffs).toBe(0);
  return thrown as Error;
}

describe("a session", () => {
  test("holds one entry for a topic and a key: tracking it again updates it", () => {
    const replica = loneReplica();
    const session = replica.session();
    const first = session.track(T, "ann", { n: 1 });
    const second = session.track(T, "ann", { n: 2 });
    expect(second).not.toBe(first);
    expect(session.size).toBe(1);
    expect(replica.list(T)).toHaveLength(1);
    expect(session.get(T, "ann")).toMatchObject({
      topic: T,
      key: "ann",
      meta: { n: 2 },
      ref: second,
      previousRef: first,
      node: "alone",
      replica: "alone@1",
    });
    session.track(T, "bob");
    session.track("elsewhere", "ann");
    expect(session.size).toBe(3);
    expect(session.get(T, "bob")!.meta).toEqual({});
    expect(session.get(T, "bob")!.previousRef).toBeUndefined();
  });

  test("shares a key with others, and each changes and takes away its own", () => {
    const replica = loneReplica();
    const [one, two, three] = [replica.session(), replica.session(), replica.session()];
    for (const [n, session] of [one, two, three].entries()) session.track(T, "ann", { n });
    expect(replica.count(T)).toEqual({ keys: 1, entries: 3 });
    two.update(T, "ann", { n: 20 });
    expect([one, two, three].map((session) => session.get(T, "ann")!.meta.n)).toEqual([0, 20, 2]);
    expect(one.untrack(T, "ann")).toBe(true);
    expect(one.untrack(T, "ann")).toBe(false);
    expect(one.get(T, "ann")).toBeUndefined();
    expect(replica.get(T, "ann").map(({ meta }) => meta.n)).toEqual([20, 2]);
    three.close();
    expect(replica.get(T, "ann").map(({ meta }) => meta.n)).toEqual([20]);
  });

  test("finds its own whether it holds one entry or many, and after it held more", () => {
    const replica = loneReplica();
    const session = replica.session();
    const keys = ["ann", "bob", "cyd"];
    for (let round = 0; round < 2; round++) {
      for (const [index, key] of keys.entries()) {
        session.track(T, key, { index });
        expect(session.size).toBe(index + 1);
        for (const [other, name] of keys.entries())
          expect(session.get(T, name)?.meta).toEqual(other <= index ? { index: other } : undefined);
        expect(session.get("elsewhere", key)).toBeUndefined();
      }
      for (const key of keys) {
        expect(session.untrack(T, key)).toBe(true);
        expect(session.get(T, key)).toBeUndefined();
      }
      expect(session.size).toBe(0);
    }
    session.track(T, "ann");
    expect(session.get(T, "bob")).toBeUndefined();
    expect(session.untrack("elsewhere", "ann")).toBe(false);
    session.close();
    expect(viewOf(replica).topics).toEqual([]);
  });

  test("updates by a map, or by a function of the meta before", () => {
    const replica = loneReplica();
    const session = replica.session();
    session.track(T, "ann", { n: 1, name: "Ann" });
    session.update(T, "ann", (previous) => ({ ...previous, n: (previous.n as number) + 1 }));
    expect(session.get(T, "ann")!.meta).toEqual({ n: 2, name: "Ann" });
    session.update(T, "ann", { n: 7 });
    expect(session.get(T, "ann")!.meta).toEqual({ n: 7 });
    const fault = new Error("a fault of the application");
    const error = refused(replica, () =>
      session.update(T, "ann", () => {
        throw fault;
      }),
    );
    expect(error).toBe(fault);
  });

  test("updates what it tracks by then, whatever the function did to it", () => {
    const replica = loneReplica();
    const session = replica.session();
    session.track(T, "ann", { n: 1 });
    session.update(T, "ann", () => {
      session.update(T, "ann", { n: 2 });
      return { n: 3 };
    });
    expect(session.get(T, "ann")!.meta).toEqual({ n: 3 });
    expect(replica.count(T)).toEqual({ keys: 1, entries: 1 });
    for (const end of [() => session.untrack(T, "ann"), () => session.close()]) {
      expect(() =>
        session.update(T, "ann", () => {
          end();
          return { n: 4 };
        }),
      ).toThrow(NotTrackedError);
      expect(replica.count(T)).toEqual({ keys: 0, entries: 0 });
      expect(session.size).toBe(0);
      if (!session.closed) session.track(T, "ann");
    }
    expect(replica.cluster(0)[0]!.entries).toBe(0);
  });

  test("does not update what it does not track", () => {
    const replica = loneReplica();
    const session = replica.session();
    replica.session().track(T, "ann");
    let called = false;
    const error = refused(replica, () =>
      session.update(T, "ann", (previous) => {
        called = true;
        return previous;
      }),
    );
    expect(error).toBeInstanceOf(NotTrackedError);
    expect(error).toMatchObject({ code: "NOT_TRACKED", name: "NotTrackedError" });
    expect(error.message).toContain('"ann"');
    expect(called).toBe(false);
  });

  test("once closed, does nothing any more, and closing it again is nothing", () => {
    const replica = loneReplica();
    const session = replica.session();
    session.track(T, "ann");
    expect(session.closed).toBe(false);
    session.close();
    session.close();
    expect(session.closed).toBe(true);
    expect(session.size).toBe(0);
    expect(session.get(T, "ann")).toBeUndefined();
    for (const call of [
      () => session.track(T, "ann"),
      () => session.update(T, "ann", {}),
      () => session.untrack(T, "ann"),
      () => session.onRemoved(() => undefined),
    ]) {
      expect(refused(replica, call)).toMatchObject({ code: "CLOSED", name: "ClosedError" });
      expect(call).toThrow(ClosedError);
    }
  });

  test("closes as one change, however much it holds", () => {
    const replica = loneReplica();
    const [session, other] = [replica.session(), replica.session()];
    const count = 20_000;
    replica.batch(() => {
      for (let index = 0; index < count; index++) session.track(T, `${index}`);
    });
    other.track(T, "stays");
    const leaves: number[] = [];
    replica.watch(T, (change) => change.type === "diff" && leaves.push(change.leaves.length));
    session.close();
    expect(leaves).toEqual([count]);
    expect(replica.list(T).map(({ key }) => key)).toEqual(["stays"]);
  });

  test("that is closed on one node is gone on the others in one change", () => {
    const cluster = new VirtualCluster(["a", "b"]);
    const session = cluster.node("a").endpoint.replica.session();
    for (let index = 0; index < 100; index++) session.track(T, `${index}`);
    cluster.time.advance(1_000);
    const leaves: number[] = [];
    cluster
      .node("b")
      .endpoint.replica.watch(T, (change) => change.type === "diff" && leaves.push(change.leaves.length));
    session.close();
    cluster.time.advance(1_000);
    expect(leaves).toEqual([100]);
  });
});

describe("a removal by another", () => {
  test("is told to the listeners of the session that held the entry, until they are ended", () => {
    const replica = loneReplica();
    const [one, two] = [replica.session(), replica.session()];
    const told: string[] = [];
    const end = one.onRemoved(({ key }) => told.push(`one ${key}`));
    one.onRemoved(({ meta }) => told.push(`also ${JSON.stringify(meta)}`));
    two.onRemoved(({ key }) => told.push(`two ${key}`));
    one.track(T, "ann", { n: 1 });
    expect(replica.remove(T, "ann")).toBe(1);
    expect(told).toEqual(["one ann", 'also {"n":1}']);
    end();
    one.track(T, "ann", { n: 2 });
    two.track(T, "ann", { n: 3 });
    expect(replica.remove(T, "ann")).toBe(2);
    expect(told.slice(2)).toEqual(['also {"n":2}', "two ann"]);
    expect([one.size, two.size]).toEqual([0, 0]);
    expect(replica.remove(T, "ann")).toBe(0);
    // What the session itself takes away is no news to it.
    one.track(T, "ann");
    one.untrack(T, "ann");
    two.track(T, "bob");
    two.close();
    expect(told).toHaveLength(4);
  });

  test("is told although a listener throws, and reported", () => {
    const replica = loneReplica();
    const session = replica.session();
    session.track(T, "ann");
    session.track(T, "bob");
    const told: string[] = [];
    session.onRemoved(({ key }) => {
      told.push(key);
      throw new Error("a fault of the application");
    });
    replica.batch(() => {
      replica.remove(T, "ann");
      replica.remove(T, "bob");
    });
    expect(told).toEqual(["ann", "bob"]);
    expect(replica.counters.listenerErrors).toBe(2);
    expect(session.size).toBe(0);
  });

  test("that a node down or cut off never hears of is undone by nobody, and its session keeps what nobody removed", () => {
    const cluster = new VirtualCluster(["a", "b"], { topics: [T] });
    const session = cluster.node("a").endpoint.replica.session();
    session.track(T, "ann");
    session.track(T, "bob");
    cluster.time.advance(2_000);
    cluster.cut("a", "b");
    cluster.node("b").endpoint.replica.remove(T, "ann");
    cluster.time.advance(10_000);
    expect(session.size).toBe(2);
    cluster.mend("a", "b");
    cluster.time.advance(5_000);
    expect(session.size).toBe(1);
    for (const node of cluster.nodes.values())
      expect(node.endpoint.replica.list(T).map(({ key }) => key)).toEqual(["bob"]);
  });
});

describe("a limit that is reached leaves everything as it was:", () => {
  const limits: readonly [
    option: keyof ReplicaOptions & `${string}Max`,
    limit: number,
    fill: (replica: Replica) => void,
    beyond: (replica: Replica) => unknown,
  ][] = [
    [
      "sessionsMax",
      2,
      (replica) => void [replica.session(), replica.session()],
      (replica) => replica.session(),
    ],
    [
      "entriesPerSessionMax",
      2,
      (replica) => {
        full = replica.session();
        full.track(T, "ann");
        full.track(T, "bob");
      },
      () => full.track("elsewhere", "ann"),
    ],
    [
      "entriesPerNodeMax",
      2,
      (replica) => {
        replica.session().track(T, "ann");
        replica.session().track("elsewhere", "ann");
      },
      (replica) => replica.session().track("a third place", "ann"),
    ],
    [
      "entriesPerTopicMax",
      2,
      (replica) => {
        replica.session().track(T, "ann");
        replica.session().track(T, "ann");
      },
      (replica) => replica.session().track(T, "bob"),
    ],
    [
      "metaBytesMax",
      20,
      () => undefined,
      (replica) => replica.session().track(T, "ann", { text: "x".repeat(20) }),
    ],
  ];
  let full = loneReplica().session();

  for (const [option, limit, fill, beyond] of limits) {
    test(option, () => {
      const replica = loneReplica({ [option]: limit });
      fill(replica);
      const error = refused(replica, () => beyond(replica));
      expect(error).toBeInstanceOf(LimitError);
      expect(error).toMatchObject({ code: "LIMIT_REACHED", option, limit });
      expect(error.message).toContain(option);
    });
  }

  test("watchersMax", () => {
    const replica = loneReplica({ watchersMax: 2 });
    const stops = [replica.watch(T, () => undefined), replica.watch("elsewhere", () => undefined)];
    let called = false;
    const beyond = () =>
      replica.watch(T, () => {
        called = true;
      });
    expect(beyond).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", option: "watchersMax", limit: 2 }),
    );
    expect(called).toBe(false);
    stops[1]!();
    stops[1]!();
    beyond();
    expect(called).toBe(true);
    expect(beyond).toThrow(LimitError);
  });

  test("and room that is given back can be taken again, by as many", () => {
    const replica = loneReplica({
      sessionsMax: 2,
      entriesPerSessionMax: 2,
      entriesPerNodeMax: 3,
      entriesPerTopicMax: 3,
    });
    for (let round = 0; round < 5; round++) {
      const [one, two] = [replica.session(), replica.session()];
      expect(() => replica.session()).toThrow(LimitError);
      one.track(T, "ann");
      one.track(T, "bob");
      two.track(T, "ann");
      expect(() => two.track(T, "bob")).toThrow(LimitError);
      // What is there may change at any time.
      one.track(T, "ann", { n: 1 });
      two.update(T, "ann", { n: 2 });
      if (round % 2 === 0) replica.remove(T, "ann");
      one.untrack(T, "ann");
      one.track(T, "cyd");
      one.close();
      two.close();
      two.close();
    }
  });

  test("an update beyond metaBytesMax", () => {
    const replica = loneReplica({ metaBytesMax: 20 });
    const session = replica.session();
    session.track(T, "ann", { n: 1 });
    for (const meta of [{ text: "x".repeat(20) }, () => ({ text: "x".repeat(20) })]) {
      const error = refused(replica, () => session.update(T, "ann", meta));
      expect(error).toMatchObject({ option: "metaBytesMax", limit: 20 });
    }
    expect(refused(replica, () => session.track(T, "ann", { text: "x".repeat(20) }))).toBeInstanceOf(
      LimitError,
    );
    expect(session.get(T, "ann")!.meta).toEqual({ n: 1 });
  });

  test("in the middle of a batch, what came before it stays", () => {
    const replica = loneReplica({ entriesPerSessionMax: 2 });
    const session = replica.session();
    expect(() =>
      replica.batch(() => {
        for (const key of ["ann", "bob", "cyd"]) session.track(T, key);
      }),
    ).toThrow(LimitError);
    expect(replica.list(T).map(({ key }) => key)).toEqual(["ann", "bob"]);
  });
});

describe("what cannot be a topic, a key or a meta is refused:", () => {
  const bad: readonly [what: string, topic: unknown, key: unknown, meta: unknown][] = [
    ["topic", "", "ann", {}],
    ["topic", undefined, "ann", {}],
    ["topic", 7, "ann", {}],
    ["topic", "x".repeat(256), "ann", {}],
    ["topic", "é".repeat(128), "ann", {}],
    ["key", T, "", {}],
    ["key", T, null, {}],
    ["key", T, { toString: () => "ann" }, {}],
    ["key", T, "日".repeat(86), {}],
    ["meta", T, "ann", null],
    ["meta", T, "ann", []],
    ["meta", T, "ann", "meta"],
    ["meta", T, "ann", 7],
    ["meta", T, "ann", () => ({})],
  ];
  for (const [index, [what, topic, key, meta]] of bad.entries()) {
    test(`a ${what} (${index + 1})`, () => {
      const replica = loneReplica();
      const session = replica.session();
      const error = refused(replica, () => session.track(topic as never, key as never, meta as never));
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", name: "InvalidArgumentError" });
      expect(error.message.startsWith(what)).toBe(true);
      expect(session.size).toBe(0);
    });
  }

  test("and what just can be one is taken", () => {
    const replica = loneReplica();
    const session = replica.session();
    for (const text of ["x".repeat(255), "é".repeat(127), "日".repeat(85), "👩".repeat(63)]) {
      session.track(text, text, {});
      expect(replica.get(text, text)).toHaveLength(1);
    }
  });
});
