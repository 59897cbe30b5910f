import { describe, expect, test } from "vitest";
import { type Delta, ObservedRemoveSet, type ReplicaId, replicaId } from "./index.ts";

const A = replicaId("a", 1);
const B = replicaId("b", 1);
const C = replicaId("c", 1);
const D = replicaId("d", 1);

function replica(id: ReplicaId, logSizeMax = 1_000) {
  const visible = new Map<string, ReplicaId | undefined>();
  const left: [string, ReplicaId | undefined][] = [];
  const told: string[] = [];
  const set = new ObservedRemoveSet<string>(
    id,
    {
      inserted(value, origin) {
        visible.set(value, origin);
        told.push(`+${value}`);
      },
      deleted(value, _origin, _number, by) {
        if (visible.delete(value)) left.push([value, by]);
        told.push(`-${value}`);
      },
    },
    { logSizeMax },
  );
  const publish = () => set.takeDelta() as Delta<string>;
  return { id, set, publish, left, told, values: () => [...visible.keys()].sort() };
}

const dots = (origin: ReplicaId, ...numbers: number[]) => [{ origin, numbers }];

describe("trap 1: event seen is not entry seen", () => {
  test("learning that (A,2) was removed does not advance the vector past what (A,2) itself removed", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    a.set.add("first");
    const added = a.publish();
    a.set.update(1, "second"); // Event 2 adds an entry, and removes that of event 1.
    const updated = a.publish();
    b.set.apply(added);
    b.set.apply(updated);
    b.set.remove(dots(A, 2));
    const removed = b.publish();
    // C hears of the remove of (A,2) before it hears of (A,2).
    c.set.apply(added);
    c.set.apply(removed);
    expect(c.set.vectorOf(A)).toBe(1);
    expect([...c.set.pendingOf(A)]).toEqual([2]);
    expect(c.set.apply(updated)).toBe("applied");
    expect(c.values()).toEqual([]);
    expect(c.set.pendingOf(A).size).toBe(0);
    expect(c.set.digest()).toEqual(b.set.digest());
  });
});

describe("trap 2: a delta leaves out an added entry only if an event inside it removed that entry", () => {
  test("B relays A's events with the entry that C removed, so that losing C's event loses nothing else", () => {
    const [a, b, c, d] = [replica(A), replica(B), replica(C), replica(D)];
    a.set.add("x");
    const added = a.publish();
    for (const { set } of [b, c]) set.apply(added);
    c.set.remove(dots(A, 1));
    b.set.apply(c.publish());
    expect(b.values()).toEqual([]);
    for (const delta of b.set.deltasSince(A, 0)!) d.set.apply(delta);
    // D knows as much as A does: the same events, so the same entries.
    expect([...d.set.vector()]).toEqual([...a.set.vector()]);
    expect(d.values()).toEqual(["x"]);
    expect(d.set.digest()).toEqual(a.set.digest());
    for (const delta of b.set.deltasSince(C, 0)!) d.set.apply(delta);
    expect(d.values()).toEqual([]);
  });
});

describe("trap 3: forgetting a replica forgets who has seen its removes", () => {
  test("equal vectors with unequal sets show as unequal hashes, and one full exchange settles it", () => {
    const [a, b, c, d] = [replica(A), replica(B), replica(C), replica(D)];
    a.set.add("x");
    const added = a.publish();
    for (const { set } of [b, c, d]) set.apply(added);
    c.set.remove(dots(A, 1));
    b.set.apply(c.publish()); // C's remove reaches only B, then C is gone for good.
    for (const { set } of [b, d]) set.evict(C);
    expect([...b.set.vector()]).toEqual([...d.set.vector()]);
    expect(b.set.digest()).not.toEqual(d.set.digest());
    expect(d.set.merge({ ...b.set.snapshot(), entries: [] })).toBe("merged");
    expect(b.set.merge({ ...d.set.snapshot(), entries: [] })).toBe("merged");
    expect(d.values()).toEqual([]);
    expect(b.set.digest()).toEqual(d.set.digest());
    expect(d.left).toEqual([["x", undefined]]);
  });
});

describe("deltas", () => {
  test("an entry added and removed in one interval does not travel", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("short");
    a.set.add("long");
    a.set.remove(dots(A, 1));
    const delta = a.publish();
    expect(delta.numbers).toEqual([2]);
    b.set.apply(delta);
    expect(b.values()).toEqual(["long"]);
    expect(a.set.takeDelta()).toBeUndefined();
  });

  test("the leave tells who made the remove", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("x");
    b.set.apply(a.publish());
    b.set.remove(dots(A, 1));
    a.set.apply(b.publish());
    expect(a.left).toEqual([["x", B]]);
  });

  test("one that removes what it adds leaves nothing behind", () => {
    const b = replica(B);
    const delta = { origin: A, from: 0, to: 1, numbers: [1], values: ["x"], removals: dots(A, 1) };
    expect(b.set.apply(delta)).toBe("applied");
    expect([b.values(), b.set.aheadOf(A), b.set.digest().get(A)]).toEqual([[], 0, { vector: 1, hash: 0 }]);
  });

  test("removing what is not there makes no event", () => {
    const a = replica(A);
    expect(a.set.remove([...dots(A, 1), ...dots(B, 7)])).toBe(0);
    expect(a.set.nextNumber).toBe(1);
    expect(a.set.takeDelta()).toBeUndefined();
  });

  test("an update is told as an insert and then a delete, where it is made and where it is heard of, so that one of both is always there", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("before");
    b.set.apply(a.publish());
    expect(a.set.update(1, "after")).toBe(2);
    b.set.apply(a.publish());
    for (const { told } of [a, b]) expect(told).toEqual(["+before", "+after", "-before"]);
    expect([a.left, b.left]).toEqual([[["before", A]], [["before", A]]]);
  });

  test("an entry that a full state took comes back under a new dot, and nobody keeps the old one beside it", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    a.set.add("before");
    const first = a.publish();
    for (const { set } of [b, c]) set.apply(first);
    // Of the event that removed it nobody else hears.
    b.set.remove(dots(A, 1));
    b.publish();
    a.set.merge(b.set.snapshot());
    expect([a.values(), c.values()]).toEqual([[], ["before"]]);
    a.set.restore(1, "after");
    const delta = a.publish();
    for (const { set } of [b, c]) set.apply(delta);
    expect([a.values(), b.values(), c.values()]).toEqual([["after"], ["after"], ["after"]]);
  });

  test("one that overlaps what is known is applied from there on", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    for (const value of ["1", "2", "3"]) a.set.add(value);
    const all = a.publish();
    b.set.apply({ ...all, to: 2, numbers: [1, 2], values: ["1", "2"] });
    b.set.remove(dots(A, 1));
    expect(b.set.apply(all)).toBe("applied");
    expect(b.values()).toEqual(["2", "3"]);
    c.set.apply(all);
    c.set.apply(b.publish());
    expect(c.set.digest()).toEqual(b.set.digest());
  });

  test("the size of the open interval is what was added and removed since the last one", () => {
    const a = replica(A);
    a.set.add("x");
    a.set.add("y");
    expect(a.set.openSize).toBe(2);
    a.set.remove(dots(A, 1, 2));
    expect([a.set.openSize, a.set.nextNumber]).toEqual([4, 4]);
    const { from, to, numbers, removals } = a.publish();
    expect({ from, to, numbers, removals }).toEqual({ from: 0, to: 3, numbers: [], removals: dots(A, 1, 2) });
    expect(a.set.openSize).toBe(0);
    a.set.add("z");
    expect(a.publish()).toMatchObject({ from: 3, to: 4, numbers: [4], values: ["z"], removals: [] });
  });

  test("what others say of events that a replica has not made is not taken", () => {
    const [a, impostor] = [replica(A), replica(A)];
    impostor.set.add("x");
    const delta = impostor.publish();
    const state = impostor.set.snapshot();
    expect(a.set.apply(delta)).toBe("known");
    a.set.stage(state.entries[0]!);
    expect(a.set.merge(state)).toBe("incomplete");
    expect(a.set.merge({ ...state, live: new Map(), entries: [] })).toBe("merged");
    expect([a.told, a.set.nextNumber]).toEqual([[], 1]);
  });

  test("a log that no longer reaches back says so, and its memory stays bounded", () => {
    const a = replica(A, 10);
    for (let index = 0; index < 100; index++) {
      a.set.add(`${index}`);
      a.publish();
    }
    expect(a.set.deltasSince(A, 0)).toBeUndefined();
    expect(a.set.deltasSince(A, 97)!.map(({ from, to }) => [from, to])).toEqual([
      [97, 98],
      [98, 99],
      [99, 100],
    ]);
    expect(a.set.deltasSince(A, 100)).toEqual([]);
    expect(a.set.deltasSince(B, 0)).toEqual([]);
  });

  test("state is not handed out while local events are unpublished", () => {
    const a = replica(A);
    a.set.add("x");
    const message = "take the local delta before handing out state";
    for (const handOut of [() => a.set.snapshot(), () => a.set.freeze(), () => a.set.deltasSince(A, 0)])
      expect(handOut).toThrow(expect.objectContaining({ code: "OPEN_INTERVAL", message }));
  });

  test("an update of what is not live is refused", () => {
    expect(() => replica(A).set.update(1, "x")).toThrow(
      expect.objectContaining({
        name: "CrdtError",
        code: "NOT_LIVE",
        message: "update of event 1 of a@1, which is not live",
      }),
    );
  });
});

describe("full states", () => {
  test("an interrupted one leaves visible entries behind that the next one does not repeat", () => {
    const [a, b] = [replica(A), replica(B)];
    for (let index = 0; index < 10; index++) a.set.add(`${index}`);
    a.publish();
    const state = a.set.snapshot();
    const [{ origin, numbers, values }] = state.entries as [(typeof state.entries)[0]];
    b.set.stage({ origin, numbers: numbers.slice(0, 6), values: values.slice(0, 6) });
    expect(b.values()).toHaveLength(6);
    expect(b.set.vectorOf(A)).toBe(0);
    expect(b.set.aheadOf(A)).toBe(6);
    const rest = { ...state, entries: [{ origin, numbers: numbers.slice(6), values: values.slice(6) }] };
    expect(b.set.merge(rest)).toBe("merged");
    expect(b.values()).toHaveLength(10);
    expect(b.set.aheadOf(A)).toBe(0);
    expect(b.set.digest()).toEqual(a.set.digest());
  });

  test("one that lacks an entry which it calls live changes nothing but what was staged", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("x");
    a.publish();
    expect(b.set.merge({ ...a.set.snapshot(), entries: [] })).toBe("incomplete");
    expect(b.set.vectorOf(A)).toBe(0);
    expect(b.set.merge(a.set.snapshot())).toBe("merged");
    expect(b.values()).toEqual(["x"]);
  });

  test("one that comes while entries beyond it are staged takes none of those into the state", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("1");
    a.publish();
    const early = a.set.snapshot();
    for (const value of ["2", "3", "4"]) a.set.add(value);
    a.publish();
    const { numbers, values } = a.set.snapshot().entries[0]!;
    b.set.stage({ origin: A, numbers: numbers.slice(1), values: values.slice(1) });
    b.set.stage(early.entries[0]!); // Pieces may come in any order.
    b.set.remove(dots(A, 1, 2, 3)); // Of several staged entries the last one stays.
    expect(b.set.merge(early)).toBe("merged");
    expect([b.values(), b.set.aheadOf(A)]).toEqual([["4"], 1]);
    expect(b.set.digest().get(A)).toEqual({ vector: 1, hash: 0 });
    expect(b.set.merge(a.set.snapshot())).toBe("merged");
    expect([b.values(), b.set.aheadOf(A)]).toEqual([["4"], 0]);
  });

  test("a staged entry that its delta leaves out was removed by its origin in that interval", () => {
    const [a, b] = [replica(A), replica(B)];
    for (const value of ["1", "2", "3"]) a.set.add(value);
    const delta = a.publish();
    b.set.stage(a.set.snapshot().entries[0]!);
    b.set.apply({ ...delta, numbers: [1, 3], values: ["1", "3"] });
    expect(b.values()).toEqual(["1", "3"]);
    expect(b.left).toEqual([["2", A]]);
    expect(b.told).toEqual(["+1", "+2", "+3", "-2"]);
    expect(b.set.aheadOf(A)).toBe(0);
  });

  test("one that brings nothing new leaves the log as it is", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("x");
    b.set.apply(a.publish());
    expect(b.set.merge(a.set.snapshot())).toBe("merged");
    expect(b.set.deltasSince(A, 0)).toHaveLength(1);
  });

  test("one that moves the vector empties the log, which has no deltas for the leap", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("x");
    b.set.apply(a.publish());
    a.set.add("y");
    a.publish();
    expect(b.set.merge(a.set.snapshot())).toBe("merged");
    expect(b.set.deltasSince(A, 0)).toBeUndefined();
    expect(b.set.deltasSince(A, 1)).toBeUndefined();
    expect(b.set.deltasSince(A, 2)).toEqual([]);
  });

  test("a snapshot stays as it was while the set goes on", () => {
    const a = replica(A);
    a.set.add("x");
    a.publish();
    const state = a.set.snapshot();
    a.set.remove(dots(A, 1));
    a.publish();
    expect(state.entries[0]!.values).toEqual(["x"]);
    expect([...state.vector]).toEqual([[A, 1]]);
  });
});

describe("eviction", () => {
  test("takes the entries, the vector and the log, and late copies cannot bring them back", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    a.set.add("x");
    const delta = a.publish();
    for (const { set } of [b, c]) set.apply(delta);
    expect([...b.set.evict(A).values()]).toEqual(["x"]);
    expect(b.set.vectorOf(A)).toBe(0);
    expect(b.set.digest().size).toBe(0);
    expect(b.set.apply(delta)).toBe("known");
    expect(b.set.merge(c.set.snapshot())).toBe("merged");
    b.set.stage(c.set.snapshot().entries[0]!);
    expect(b.set.entriesOf(A).size).toBe(0);
    expect(b.set.isEvicted(A)).toBe(true);
  });

  test("touches nothing but the origin: pending dots and logs of others stay", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    a.set.add("x");
    b.set.apply(a.publish());
    b.set.remove(dots(A, 1));
    c.set.apply(b.publish());
    c.set.evict(D);
    expect(c.set.isEvicted(D)).toBe(true);
    expect([c.set.isEvicted(A), c.set.isEvicted(B)]).toEqual([false, false]);
    expect([...c.set.pendingOf(A)]).toEqual([1]);
    expect(c.set.deltasSince(B, 0)).toHaveLength(1);
  });

  test("takes what is pending and staged too, and tells the listener nothing", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    for (const value of ["1", "2"]) a.set.add(value);
    b.set.apply(a.publish());
    b.set.remove(dots(A, 1));
    c.set.apply(b.publish());
    c.set.stage(a.set.snapshot().entries[0]!);
    expect(c.set.originIds().sort()).toEqual([A, B]);
    expect([...c.set.evict(A)]).toEqual([[2, "2"]]);
    expect(c.told).toEqual(["+2"]);
    expect([c.set.pendingOf(A).size, c.set.aheadOf(A), c.set.deltasSince(A, 0)]).toEqual([0, 0, []]);
    expect(c.set.originIds()).toEqual([B]);
    c.set.apply(b.publish() ?? b.set.deltasSince(B, 0)![0]!);
    expect(c.set.pendingOf(A).size).toBe(0);
  });

  test("removals of a forgotten origin are not taken, neither from deltas nor from states", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    a.set.add("x");
    b.set.apply(a.publish());
    b.set.remove(dots(A, 1));
    const removed = b.publish();
    c.set.evict(A);
    c.set.merge({ vector: new Map(), live: new Map(), pending: dots(A, 1), entries: [] });
    c.set.apply(removed);
    expect(c.set.pendingOf(A).size).toBe(0);
    expect(c.set.snapshot().pending).toEqual([]);
  });

  test("what is relayed of a delta that removed from a forgotten origin is everything else", () => {
    const [a, b, c, d] = [replica(A), replica(B), replica(C), replica(D)];
    a.set.add("x");
    b.set.add("y");
    for (const delta of [a.publish(), b.publish()]) c.set.apply(delta);
    c.set.add("z");
    c.set.remove([...dots(A, 1), ...dots(B, 1)]);
    c.publish();
    c.set.evict(A);
    const [delta] = c.set.deltasSince(C, 0)!;
    expect(delta).toMatchObject({ numbers: [1], values: ["z"], removals: dots(B, 1) });
    d.set.apply(delta!);
    expect([d.set.pendingOf(A).size, d.set.pendingOf(B).size]).toEqual([0, 1]);
  });

  test("readmitting one origin readmits no other", () => {
    const b = replica(B);
    b.set.evict(A);
    b.set.evict(C);
    b.set.readmit(A);
    expect([b.set.isEvicted(A), b.set.isEvicted(C)]).toEqual([false, true]);
  });

  test("a readmitted origin is followed again from its first event on", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("x");
    const delta = a.publish();
    b.set.apply(delta);
    b.set.evict(A);
    b.set.readmit(A);
    expect(b.set.apply(delta)).toBe("applied");
    expect(b.values()).toEqual(["x"]);
  });

  test("removals of a forgotten origin are not relayed: they would wait at newcomers for ever", () => {
    const [a, b, c, d] = [replica(A), replica(B), replica(C), replica(D)];
    a.set.add("x");
    const added = a.publish();
    for (const { set } of [b, c]) set.apply(added);
    c.set.remove(dots(A, 1));
    b.set.apply(c.publish());
    b.set.evict(A);
    for (const delta of b.set.deltasSince(C, 0)!) d.set.apply(delta);
    expect(d.set.pendingOf(A).size).toBe(0);
    expect(d.set.vectorOf(C)).toBe(1);
  });

  test("a delta does not name dots of an origin that was evicted after they were removed", () => {
    const [a, b, d] = [replica(A), replica(B), replica(D)];
    a.set.add("x");
    b.set.apply(a.publish());
    b.set.remove(dots(A, 1));
    b.set.evict(A);
    d.set.apply(b.publish());
    expect([d.set.pendingOf(A).size, d.set.vectorOf(B)]).toEqual([0, 1]);
  });

  test("a replica does not evict itself", () => {
    expect(() => replica(A).set.evict(A)).toThrow(
      expect.objectContaining({ code: "OWN_REPLICA", message: "a replica cannot evict itself (a@1)" }),
    );
  });
});

describe("reading", () => {
  test("an origin is listed once it has an event or an entry, and has a digest once it has an event", () => {
    const [a, b, c] = [replica(A), replica(B), replica(C)];
    expect([a.set.originIds(), [...a.set.vector()], [...a.set.digest()]]).toEqual([[], [], []]);
    a.set.add("x");
    a.set.remove(dots(A, 1));
    expect(a.set.originIds()).toEqual([A]);
    expect([...a.set.digest()]).toEqual([[A, { vector: 1 + 1, hash: 0 }]]);
    a.set.add("y");
    a.publish();
    // A gap, and a remove of what was never seen, make an origin known, but give it nothing to list.
    b.set.apply({ origin: C, from: 5, to: 6, numbers: [6], values: ["z"], removals: [] });
    b.set.merge({ vector: new Map(), live: new Map(), pending: dots(D, 1), entries: [] });
    expect([b.set.originIds(), [...b.set.vector()], [...b.set.digest()]]).toEqual([[], [], []]);
    const { vector, live, pending } = b.set.snapshot();
    expect([[...vector], [...live], pending]).toEqual([[], [], dots(D, 1)]);
    c.set.stage(a.set.snapshot().entries[0]!);
    expect([c.set.originIds(), [...c.set.vector()], [...c.set.digest()]]).toEqual([[A], [], []]);
    expect([...c.set.entriesOf(A)]).toEqual([[3, "y"]]);
  });

  test("an origin never heard of is empty", () => {
    const { set } = replica(A);
    const empty = [set.vectorOf(B), set.aheadOf(B), set.entriesOf(B).size, set.pendingOf(B).size];
    expect([...empty, set.isEvicted(B), set.evict(B).size]).toEqual([0, 0, 0, 0, false, 0]);
  });

  test("a snapshot tells nothing of what is only staged", () => {
    const [a, b] = [replica(A), replica(B)];
    a.set.add("1");
    b.set.apply(a.publish());
    const state = b.set.snapshot();
    a.set.add("2");
    a.publish();
    b.set.stage(a.set.snapshot().entries[0]!);
    expect(b.values()).toEqual(["1", "2"]);
    expect(b.set.snapshot()).toEqual(state);
  });

  test("a snapshot lists entries in the order of their events, whatever order they came in", () => {
    const [a, b] = [replica(A), replica(B)];
    for (const value of ["1", "2", "3"]) a.set.add(value);
    a.publish();
    const state = a.set.snapshot();
    b.set.stage({ origin: A, numbers: [3], values: ["3"] });
    b.set.merge(state);
    expect(b.set.snapshot().entries).toEqual(state.entries);
    expect(b.set.snapshot().live).toEqual(state.live);
  });
});
