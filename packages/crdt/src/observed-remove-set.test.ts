import { describe, expect, test } from "vitest";
import { type Delta, ObservedRemoveSet, type ReplicaId, replicaId } from "./index.ts";

const A = replicaId("a", 1);
const B = replicaId("b", 1);
const C = replicaId("c", 1);
const D = replicaId("d", 1);

function replica(id: ReplicaId, logSizeMax = 1_000) {
  const visible = new Map<string, ReplicaId | undefined>();
  const left: [string, ReplicaId | undefined][] = [];
  const set = new ObservedRemoveSet<string>(
    id,
    {
      inserted: (value, origin) => void visible.set(value, origin),
      deleted: (value, _origin, _number, by) => void (visible.delete(value) && left.push([value, by])),
    },
    { logSizeMax },
  );
  const publish = () => set.takeDelta() as Delta<string>;
  return { id, set, publish, left, values: () => [...visible.keys()].sort() };
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

  test("removing what is not there makes no event", () => {
    const a = replica(A);
    expect(a.set.remove([...dots(A, 1), ...dots(B, 7)])).toBe(0);
    expect(a.set.nextNumber).toBe(1);
    expect(a.set.takeDelta()).toBeUndefined();
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
    expect(() => a.set.snapshot()).toThrow(expect.objectContaining({ code: "OPEN_INTERVAL" }));
    expect(() => a.set.deltasSince(A, 0)).toThrow(expect.objectContaining({ code: "OPEN_INTERVAL" }));
  });

  test("an update of what is not live is refused", () => {
    expect(() => replica(A).set.update(1, "x")).toThrow(expect.objectContaining({ code: "NOT_LIVE" }));
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

  test("a replica does not evict itself", () => {
    expect(() => replica(A).set.evict(A)).toThrow(expect.objectContaining({ code: "OWN_REPLICA" }));
  });
});
