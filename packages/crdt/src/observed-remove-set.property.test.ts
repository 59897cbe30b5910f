import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CrdtWorld, steps } from "../../../test/helpers/crdt-world.ts";
import type { FullState } from "./index.ts";

const SIZE = 3;

test("every history of changes, late, lost and repeated deltas, relays and merges gives the state of the reference", () => {
  fc.assert(
    fc.property(steps(SIZE), fc.constantFrom(3, 1_000), (history, logSizeMax) => {
      new CrdtWorld(SIZE, logSizeMax).run(history);
    }),
    { numRuns: 3_000 },
  );
});

test("deltas in any order, with loss and repetition, reach what merging full states reaches", () => {
  fc.assert(
    fc.property(steps(SIZE), fc.infiniteStream(fc.nat()), (history, picks) => {
      const world = new CrdtWorld(SIZE, 1_000);
      world.run(history);
      for (const member of world.members) world.publish(member);
      const byDeltas = world.members[0]!;
      const arrivals = shuffled([...world.deltas, ...world.deltas], picks);
      // A delta that comes too early is a gap; whoever pulls gets it again.
      for (let known = -1; known < size(byDeltas.vector); ) {
        known = size(byDeltas.vector);
        for (const delta of arrivals) world.deliver(byDeltas, delta);
      }
      const byStates = world.members[1]!;
      for (const { set } of world.members) world.merge(byStates, set.snapshot());
      world.check(byDeltas);
      world.check(byStates);
      expect(byDeltas.vector).toEqual(byStates.vector);
      expect(byDeltas.set.digest()).toEqual(byStates.set.digest());
    }),
    { numRuns: 300 },
  );
});

test("merge is commutative, associative and idempotent", () => {
  fc.assert(
    fc.property(steps(SIZE), (history) => {
      const world = new CrdtWorld(SIZE, 1_000);
      world.run(history);
      for (const member of world.members) world.publish(member);
      const [a, b, c] = world.members.map(({ set }) => set.snapshot());
      const merged = (...states: FullState<string>[]) => {
        const observer = new CrdtWorld(SIZE + 1, 1_000).members[SIZE]!;
        for (const state of states) expect(observer.set.merge(state)).toBe("merged");
        return observer;
      };
      const content = ({ set, heard }: ReturnType<typeof merged>) => [
        set.digest(),
        [...heard].sort(),
        world.members.map(({ id }) => [...set.pendingOf(id)].sort()),
      ];
      const abc = content(merged(a!, b!, c!));
      expect(content(merged(c!, b!, a!))).toEqual(abc);
      expect(content(merged(b!, c!, a!))).toEqual(abc);
      expect(content(merged(a!, merged(b!, c!).set.snapshot()))).toEqual(abc);
      expect(content(merged(a!, b!, a!, c!, c!, b!))).toEqual(abc);
    }),
    { numRuns: 300 },
  );
});

test("an add concurrent with a remove survives, and a removed dot never returns", () => {
  fc.assert(
    fc.property(steps(SIZE), steps(SIZE), (before, after) => {
      const world = new CrdtWorld(SIZE, 1_000);
      world.run(before);
      const [remover, adder] = [world.members[0]!, world.members[1]!];
      const removed = world.members.flatMap(({ id: origin }) =>
        [...remover.set.entriesOf(origin)].map(([number, value]) => ({ origin, number, value })),
      );
      const added = world.add(adder);
      world.remove(remover, removed);
      exchange(world);
      for (const { set, heard } of world.members) {
        expect(set.entriesOf(added.origin).has(added.number)).toBe(true);
        expect(removed.filter(({ value }) => heard.has(value))).toEqual([]);
      }
      world.run(after);
      for (const { heard } of world.members)
        expect(removed.filter(({ value }) => heard.has(value))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test.each([
  ["evicted", evictEverywhere],
  ["readmitted", readmitEverywhere],
])(
  "whoever some had evicted is %s everywhere: one full exchange later, equal vectors imply equal states",
  (_, settle) => {
    fc.assert(
      fc.property(steps(SIZE, { evictions: true }), steps(SIZE), (before, after) => {
        const world = new CrdtWorld(SIZE, 1_000);
        world.run(before);
        settle(world);
        exchange(world);
        expectEqualStates(world);
        // What was sent before the exchange has not heard of it.
        world.deltas.length = 0;
        world.snapshots.length = 0;
        for (const step of after) {
          // Who has been forgotten may go on, but nobody listens to what it tells of others either.
          if ("at" in step && world.isForgotten(step.at)) continue;
          world.run([step]);
          expectEqualStates(world);
        }
      }),
      { numRuns: 300 },
    );
  },
);

/** Whoever was evicted by anyone is gone for good. */
function evictEverywhere(world: CrdtWorld): void {
  const gone = world.members.filter(({ id }) => world.members.some(({ set }) => set.isEvicted(id)));
  for (const member of world.members) for (const { id } of gone) world.evict(member, id);
}

function readmitEverywhere(world: CrdtWorld): void {
  for (const member of world.members) for (const { id } of world.members) world.readmit(member, id);
}

/** Everyone merges the state of everyone. */
function exchange(world: CrdtWorld): void {
  for (const member of world.members) world.publish(member);
  const states = world.members.map(({ set }) => set.snapshot());
  for (const member of world.members) {
    for (const state of states) world.merge(member, state, { known: true });
    world.check(member);
  }
}

function expectEqualStates({ members }: CrdtWorld): void {
  for (const one of members) {
    for (const other of members) {
      if (!isDeepStrictEqual(one.set.vector(), other.set.vector())) continue;
      expect(one.set.digest()).toEqual(other.set.digest());
    }
  }
}

function size(vector: ReadonlyMap<unknown, number>): number {
  let events = 0;
  for (const number of vector.values()) events += number;
  return events;
}

function shuffled<T>(items: T[], picks: fc.Stream<number>): T[] {
  const random = picks[Symbol.iterator]();
  for (let index = items.length - 1; index > 0; index--) {
    const other = (random.next().value as number) % (index + 1);
    [items[index], items[other]] = [items[other]!, items[index]!];
  }
  return items;
}
