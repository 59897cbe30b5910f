import fc from "fast-check";
import { expect, test } from "vitest";
import { CrdtWorld, type Step, steps } from "../../../test/helpers/crdt-world.ts";
import type { FullState } from "./index.ts";

const RUNS = { numRuns: 3_000 };
const SIZE = 3;

test("every history of changes, late, lost and repeated deltas, relays and merges gives the state of the reference", () => {
  fc.assert(
    fc.property(steps(SIZE), fc.constantFrom(3, 1_000), (history, logSizeMax) => {
      new CrdtWorld(SIZE, logSizeMax).run(history);
    }),
    RUNS,
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
      for (let round = 0; round < world.deltas.length + 1; round++) {
        for (const delta of arrivals) world.deliver(byDeltas, delta);
      }
      const byStates = world.members[1]!;
      for (const { set } of world.members) world.merge(byStates, set.snapshot(), false);
      world.check(byDeltas);
      world.check(byStates);
      expect(byDeltas.vector).toEqual(byStates.vector);
      expect(byDeltas.set.digest()).toEqual(byStates.set.digest());
    }),
    { numRuns: 500 },
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
        return [observer.set.digest(), [...observer.heard].sort()];
      };
      const abc = merged(a!, b!, c!);
      expect(merged(c!, b!, a!)).toEqual(abc);
      expect(merged(b!, c!, a!)).toEqual(abc);
      expect(merged(a!, b!, a!, c!, c!, b!)).toEqual(abc);
    }),
    { numRuns: 500 },
  );
});

test("an add concurrent with a remove survives, and a removed dot never returns", () => {
  fc.assert(
    fc.property(steps(SIZE), steps(SIZE), (before, after) => {
      const world = new CrdtWorld(SIZE, 1_000);
      world.run(before);
      for (const member of world.members) {
        const known = new Set(world.history.live(member.vector));
        const gone = [...known].find((dot) => dot.startsWith(member.id));
        if (gone === undefined) continue;
        const concurrent = world.members.find(({ id }) => id !== member.id)!;
        world.add(concurrent);
        const survivor = `${concurrent.id}#${concurrent.vector.get(concurrent.id)}`;
        const number = Number(gone.slice(gone.indexOf("#") + 1));
        member.set.remove([{ origin: member.id, numbers: [number] }]);
        const removed = world.history.record(member.id, {
          adds: false,
          removes: [{ origin: member.id, number }],
        });
        member.vector.set(member.id, removed);
        for (const one of world.members)
          for (const other of world.members) world.publish(one) ?? world.deliver(other, undefined);
        for (const one of world.members)
          for (const other of world.members) world.merge(one, other.set.snapshot(), false);
        for (const one of world.members) {
          expect(one.heard.has(survivor)).toBe(true);
          expect(one.heard.has(gone)).toBe(false);
        }
        world.run(after.filter((step: Step) => step.do !== "remove" && step.do !== "update"));
        for (const one of world.members) expect(one.heard.has(gone)).toBe(false);
        return;
      }
    }),
    { numRuns: 500 },
  );
});

function shuffled<T>(items: T[], picks: fc.Stream<number>): T[] {
  const random = picks[Symbol.iterator]();
  for (let index = items.length - 1; index > 0; index--) {
    const other = (random.next().value as number) % (index + 1);
    [items[index], items[other]] = [items[other]!, items[index]!];
  }
  return items;
}
