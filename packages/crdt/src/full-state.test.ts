/** What a replica does with the state that another gives it as a whole, and what it gives itself. */
import { describe, expect, test } from "vitest";
import { type FullState, ObservedRemoveSet, type ReplicaId, replicaId } from "./index.ts";

const [A, B, C, D] = ["a", "b", "c", "d"].map((name) => replicaId(name, 1)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];

function newSet(id: ReplicaId) {
  const told: string[] = [];
  const set = new ObservedRemoveSet<string>(id, {
    inserted: (value) => void told.push(`+${value}`),
    deleted: (value) => void told.push(`-${value}`),
  });
  return { set, told };
}

/** A replica with entries "1", "2", … of its own, which it has told. */
function adder(count: number) {
  const { set } = newSet(A);
  for (let number = 1; number <= count; number++) set.add(`${number}`);
  const delta = set.takeDelta()!;
  return { set, delta };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Entries of A in the order of their events. */
function valuesOf(set: ObservedRemoveSet<string>): string[] {
  return [...set.entriesOf(A)].sort(([one], [other]) => one - other).map(([, value]) => value);
}

describe("merging", () => {
  test("entries are told in the order of their events, however far apart they came in another", () => {
    const a = adder(100);
    const state = a.set.snapshot();
    const b = newSet(B).set;
    for (const number of [100, 70, 40, 41, 3])
      b.stage({ origin: A, numbers: [number], values: [`${number}`] });
    expect(b.merge(state)).toBe("merged");
    expect(b.snapshot()).toEqual(state);
  });

  test("who holds just what a state calls live need not look which ones", () => {
    const a = adder(3);
    const { vector, live, pending } = a.set.snapshot();
    const unread = {
      hash: live.get(A)!.hash,
      get ranges(): never {
        throw new Error("ranges were read");
      },
    };
    const state: FullState<string> = { vector, live: new Map([[A, unread]]), pending, entries: [] };
    const [same, staged, empty] = [newSet(B).set, newSet(B).set, newSet(B).set];
    same.apply(a.delta);
    staged.stage({ origin: A, numbers: [1, 2, 3], values: ["1", "2", "3"] });
    for (const set of [same, staged]) expect(set.merge(state)).toBe("merged");
    expect(staged.digest()).toEqual(a.set.digest());
    expect(() => empty.merge(state)).toThrow("ranges were read");
  });

  test("an origin of which a state calls nothing live has nothing left", () => {
    const b = newSet(B);
    b.set.apply(adder(2).delta);
    expect(b.set.merge({ vector: new Map([[A, 2]]), live: new Map(), pending: [], entries: [] })).toBe(
      "merged",
    );
    expect([b.set.entriesOf(A).size, b.told]).toEqual([0, ["+1", "+2", "-1", "-2"]]);
  });

  test("an entry that is removed here and there before its add was seen is missed by nobody", () => {
    const b = newSet(B).set;
    b.apply(adder(1).delta);
    b.merge({ vector: new Map(), live: new Map(), pending: [{ origin: A, numbers: [2] }], entries: [] });
    const a = adder(3).set;
    a.remove([{ origin: A, numbers: [1, 2] }]);
    a.takeDelta();
    expect(b.merge(a.snapshot())).toBe("merged");
    expect([valuesOf(b), b.pendingOf(A).size, b.vectorOf(A)]).toEqual([["3"], 0, 4]);
    expect(b.digest()).toEqual(a.digest());
  });

  test("what a state calls live beyond its own vector makes up for nothing that is missing", () => {
    const b = newSet(B).set;
    b.merge({ vector: new Map(), live: new Map(), pending: [{ origin: A, numbers: [3] }], entries: [] });
    const live = new Map([[A, { ranges: [1, 1, 3, 3], hash: 1 }]]);
    expect(b.merge({ vector: new Map([[A, 1]]), live, pending: [], entries: [] })).toBe("incomplete");
    expect(b.vectorOf(A)).toBe(0);
  });
});

describe("staged entries", () => {
  test.each([
    ["more is known than the delta spans", 4],
    ["the delta spans more than is known", 1],
  ])("a delta takes them in, and touches neither what is known nor what comes later: %s", (_, known) => {
    const to = known + 3;
    const b = newSet(B);
    b.set.apply(adder(known).delta);
    const later = adder(to + 1);
    for (const number of [known + 2, to + 1])
      b.set.stage({ origin: A, numbers: [number], values: [`${number}`] });
    const numbers = upTo(to);
    expect(b.set.apply({ ...later.delta, to, numbers, values: numbers.map(String) })).toBe("applied");
    expect(valuesOf(b.set)).toEqual(upTo(to + 1).map(String));
    expect(b.told.toSorted()).toEqual(upTo(to + 1).map((number) => `+${number}`));
    expect([b.set.aheadOf(A), b.set.vectorOf(A)]).toEqual([1, to]);
    expect(b.set.hashOf(A)).toBe(adder(to).set.hashOf(A));
    expect(b.set.apply(later.delta)).toBe("applied");
    expect(b.set.digest()).toEqual(later.set.digest());
  });
});

describe("handing out", () => {
  /** Knows A's events with an entry removed and one staged ahead; events of its own; a removed dot of C; nothing of D's but a stage. */
  function witness() {
    const b = newSet(B).set;
    b.apply(adder(40).delta);
    b.add("own");
    b.remove([{ origin: A, numbers: [2] }]);
    b.takeDelta();
    b.stage({ origin: A, numbers: [50], values: ["50"] });
    b.merge({ vector: new Map(), live: new Map(), pending: [{ origin: C, numbers: [4, 2] }], entries: [] });
    b.stage({ origin: D, numbers: [1], values: ["staged"] });
    return b;
  }

  test("a frozen state is what the snapshot of that time says, whatever becomes of the set", () => {
    const b = witness();
    const { vector, live, pending, entries } = b.snapshot();
    const frozen = b.freeze();
    b.update(1, "newer");
    b.remove([{ origin: A, numbers: [1, 40] }]);
    b.merge({ vector: new Map(), live: new Map(), pending: [{ origin: D, numbers: [9] }], entries: [] });
    b.takeDelta();
    expect(frozen.pending).toEqual(pending);
    expect(pending).toEqual([{ origin: C, numbers: [4, 2] }]);
    expect(
      frozen.origins.map(({ entries: kept, ...origin }) => ({ ...origin, kept: [...kept.above(0)] })),
    ).toEqual(
      [...vector].map(([id, number]) => {
        const { numbers, values } = entries.find(({ origin }) => origin === id)!;
        const kept = numbers.map((each, index) => [each, values[index]]);
        return { id, vector: number, hash: live.get(id)!.hash, kept };
      }),
    );
    expect(
      frozen.origins.map(({ id, entries: kept }) => [id, kept.countAbove(0), kept.countAbove(1)]),
    ).toEqual([
      [B, 1, 0],
      [A, 39, 38],
    ]);
  });

  test("an origin whose entries are all gone has a vector, and no entries", () => {
    const { set } = adder(2);
    set.remove([{ origin: A, numbers: [1, 2] }]);
    set.takeDelta();
    expect(set.snapshot()).toEqual({
      vector: new Map([[A, 3]]),
      live: new Map([[A, { ranges: [], hash: 0 }]]),
      pending: [],
      entries: [],
    });
  });

  test("a delta that names no forgotten origin is passed on as it came, without a copy", () => {
    const b = newSet(B).set;
    b.apply(adder(1).delta);
    b.remove([{ origin: A, numbers: [1] }]);
    const delta = b.takeDelta()!;
    const c = newSet(C).set;
    c.apply(delta);
    expect(c.deltasSince(B, 0)![0]).toBe(delta);
    c.evict(A);
    expect(c.deltasSince(B, 0)).toEqual([{ ...delta, removals: [] }]);
  });

  test("an origin counts as soon as anything is known of it, and so does each removed dot that waits", () => {
    const b = witness();
    expect([b.originCount, b.pendingSize]).toEqual([4, 2]);
    b.merge({ vector: new Map(), live: new Map(), pending: [{ origin: D, numbers: [7] }], entries: [] });
    expect([b.originCount, b.pendingSize]).toEqual([4, 3]);
    b.evict(C);
    expect([b.originCount, b.pendingSize]).toEqual([3, 1]);
  });

  test("the hash of one origin is that of the digest, and that of an origin never heard of is nothing", () => {
    const b = witness();
    expect(b.hashOf(A)).toBe(b.digest().get(A)!.hash);
    expect(b.hashOf(A)).not.toBe(0);
    expect([b.hashOf(C), b.hashOf(replicaId("never", 1))]).toEqual([0, 0]);
  });
});
