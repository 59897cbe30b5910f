/** What travels of several local events that are handed out together, and what a remove that came early leaves behind. */
import { expect, test } from "vitest";
import { ObservedRemoveSet, type ReplicaId, replicaId } from "./index.ts";
import { OpenInterval } from "./open-interval.ts";

const [A, B, C] = ["a", "b", "c"].map((name) => replicaId(name, 1)) as [ReplicaId, ReplicaId, ReplicaId];

function newSet(id: ReplicaId): ObservedRemoveSet<string> {
  return new ObservedRemoveSet<string>(id, { inserted: () => undefined, deleted: () => undefined });
}

function valuesOf(set: ObservedRemoveSet<string>, origin: ReplicaId): [number, string][] {
  return [...set.entriesOf(origin)];
}

test("an entry that is updated before anybody was told of it does not travel, and is named as removed", () => {
  const a = newSet(A);
  a.update(a.add("old"), "new");
  expect(a.takeDelta()).toMatchObject({ from: 0, to: 2, numbers: [2], values: ["new"] });
  const b = newSet(B);
  b.apply(a.deltasSince(A, 0)![0]!);
  expect(valuesOf(b, A)).toEqual([[2, "new"]]);
});

test("an entry that is updated after others were told of it is removed and added by one event", () => {
  const a = newSet(A);
  a.add("old");
  a.takeDelta();
  a.update(1, "new");
  expect(a.takeDelta()).toMatchObject({
    from: 1,
    to: 2,
    numbers: [2],
    removals: [{ origin: A, numbers: [1] }],
  });
});

test("one event adds an entry in the place of others, whoever added them", () => {
  const [a, b] = [newSet(A), newSet(B)];
  a.add("a's");
  b.apply(a.takeDelta()!);
  b.add("b's");
  b.takeDelta();
  expect(
    b.replace(
      [
        { origin: A, numbers: [1] },
        { origin: B, numbers: [1] },
      ],
      "instead",
    ),
  ).toBe(2);
  const delta = b.takeDelta()!;
  expect(delta).toMatchObject({ from: 1, to: 2, numbers: [2], values: ["instead"] });
  expect([valuesOf(b, A), valuesOf(b, B)]).toEqual([[], [[2, "instead"]]]);
  for (const earlier of b.deltasSince(B, 0)!) a.apply(earlier);
  expect([valuesOf(a, A), valuesOf(a, B)]).toEqual([[], [[2, "instead"]]]);
});

test("a remove that is pending elsewhere takes the entry of whoever has seen its add, and waits for nobody", () => {
  const [a, b, c] = [newSet(A), newSet(B), newSet(C)];
  a.add("entry");
  const added = a.takeDelta()!;
  b.apply(added);
  b.remove([{ origin: A, numbers: [1] }]);
  c.apply(b.takeDelta()!);
  expect([...c.pendingOf(A)]).toEqual([1]);
  const d = newSet(replicaId("d", 1));
  d.apply(added);
  expect(d.merge(c.snapshot())).toBe("merged");
  expect([valuesOf(d, A), [...d.pendingOf(A)], d.vectorOf(B)]).toEqual([[], [], 1]);
  // And whoever has not seen the add waits for it, too.
  const e = newSet(replicaId("e", 1));
  e.merge(c.snapshot());
  expect([...e.pendingOf(A)]).toEqual([1]);
});

test("a remove that is made on purpose is told as such to everybody, and others of the same interval are not", () => {
  const told: [string, boolean][] = [];
  const a = newSet(A);
  const b = new ObservedRemoveSet<string>(B, {
    inserted: () => undefined,
    deleted: (value, _origin, _number, _by, deliberate) => told.push([value, deliberate]),
  });
  for (const value of ["left", "kicked", "kicked too"]) a.add(value);
  b.apply(a.takeDelta()!);
  a.remove([{ origin: A, numbers: [1] }]);
  a.remove([{ origin: A, numbers: [2, 3], deliberate: true }]);
  const delta = a.takeDelta()!;
  expect(delta.removals).toHaveLength(2);
  b.apply(delta);
  expect(told.sort()).toEqual(
    [
      ["kicked too", true],
      ["kicked", true],
      ["left", false],
    ].sort(),
  );
});

test("an update of an entry that others know is no removal on purpose", () => {
  const told: [string, boolean][] = [];
  const a = newSet(A);
  const b = new ObservedRemoveSet<string>(B, {
    inserted: () => undefined,
    deleted: (value, _origin, _number, _by, deliberate) => told.push([value, deliberate]),
  });
  a.add("old");
  b.apply(a.takeDelta()!);
  a.update(1, "new");
  const delta = a.takeDelta()!;
  expect(delta.removals).toEqual([{ origin: A, numbers: [1] }]);
  b.apply(delta);
  expect(told).toEqual([["old", false]]);
});

test("an interval tells what happened in it once: the next one starts empty", () => {
  const interval = new OpenInterval<string>();
  expect(interval.close(A, 0)).toBeUndefined();
  interval.add(1, "first");
  interval.add(2, "second");
  expect(interval.close(A, 2)).toEqual({
    origin: A,
    from: 0,
    to: 2,
    numbers: [1, 2],
    values: ["first", "second"],
    removals: [],
  });
  interval.remove(A, 1, true, true);
  interval.remove(A, 2, true);
  interval.remove(B, 7, false);
  expect(interval.size).toBe(3);
  expect(interval.close(A, 5)).toEqual({
    origin: A,
    from: 2,
    to: 5,
    numbers: [],
    values: [],
    removals: [
      { origin: A, numbers: [2] },
      { origin: B, numbers: [7] },
      { origin: A, numbers: [1], deliberate: true },
    ],
  });
  interval.add(6, "third");
  interval.remove(A, 6, true, true);
  expect(interval.close(A, 7)).toEqual({
    origin: A,
    from: 5,
    to: 7,
    numbers: [],
    values: [],
    removals: [{ origin: A, numbers: [6], deliberate: true }],
  });
  interval.add(8, "fourth");
  expect(interval.close(A, 8)).toMatchObject({ numbers: [8], removals: [] });
  expect(interval.close(A, 8)).toBeUndefined();
});
