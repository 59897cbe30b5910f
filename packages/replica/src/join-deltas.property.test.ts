import { type Delta, ObservedRemoveSet, type ReplicaId, replicaId } from "@presently/crdt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { joinRuns } from "./join-deltas.ts";

const [A, B, C] = [replicaId("a", 1), replicaId("b", 1), replicaId("c", 1)];
const silent = { inserted: () => undefined, deleted: () => undefined };

type Step = { do: "add" | "remove" | "expel" | "update" | "kick"; at: number } | { do: "publish" };

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("add" as const, "remove", "expel", "update", "kick"),
      at: fc.nat(20),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("publish" as const) }) },
);

/** What a makes of these steps, while b's entries are there to be kicked. */
function deltasOf(steps: readonly Step[], other: Delta<string>): Delta<string>[] {
  const set = new ObservedRemoveSet<string>(A, silent);
  set.apply(other);
  const deltas: Delta<string>[] = [];
  const live = (id: ReplicaId) => [...set.entriesOf(id).keys()];
  const pick = (numbers: readonly number[], at: number) => numbers[at % numbers.length];
  for (const step of [...steps, { do: "publish" } as const]) {
    if (step.do === "publish") {
      const delta = set.takeDelta();
      if (delta !== undefined) deltas.push(delta);
    } else if (step.do === "add") set.add(`a ${step.at}`);
    else {
      const origin = step.do === "kick" ? B : A;
      const number = pick(live(origin), step.at);
      if (number === undefined) continue;
      if (step.do === "update") set.update(number, `again ${step.at}`);
      else if (step.do === "expel") set.remove([{ origin, numbers: [number], deliberate: true }]);
      else set.remove([{ origin, numbers: [number] }]);
    }
  }
  return deltas;
}

/** One that has come so far, and of whose entries it is written down from now on which were removed by order. */
function receiver(deltas: readonly Delta<string>[]): [ObservedRemoveSet<string>, Set<string>] {
  const known = new Set<string>();
  const expelled = new Set<string>();
  const set: ObservedRemoveSet<string> = new ObservedRemoveSet<string>(C, {
    inserted: () => undefined,
    deleted: (value, _origin, number, _by, deliberate) => {
      if (deliberate && known.has(`${number} ${value}`)) expelled.add(`${number} ${value}`);
    },
  });
  for (const delta of deltas) set.apply(delta);
  for (const [number, value] of set.entriesOf(A)) known.add(`${number} ${value}`);
  return [set, expelled];
}

test("joined deltas do what the single ones do, wherever the receiver has come to, and take no more room", () => {
  fc.assert(
    fc.property(fc.array(step, { size: "max", maxLength: 60 }), fc.nat(10), (steps, known) => {
      const b = new ObservedRemoveSet<string>(B, silent);
      for (let index = 0; index < 5; index++) b.add(`b ${index}`);
      const other = b.takeDelta()!;
      const deltas = deltasOf(steps, other);
      const joined = joinRuns(deltas);
      expect(joined.length).toBeLessThanOrEqual(1);
      for (const [first, later] of [
        [[other], []],
        [[], [other]],
      ] as const) {
        const [one, expelledByOne] = receiver([...first, ...deltas.slice(0, known)]);
        const [two, expelledByTwo] = receiver([...first, ...deltas.slice(0, known)]);
        for (const delta of [...deltas, ...later]) one.apply(delta);
        for (const delta of [...joined, ...later]) two.apply(delta);
        expect(expelledByTwo).toEqual(expelledByOne);
        for (const id of [A, B]) {
          expect(new Map(two.entriesOf(id))).toEqual(new Map(one.entriesOf(id)));
          expect([two.vectorOf(id), two.pendingOf(id)]).toEqual([one.vectorOf(id), one.pendingOf(id)]);
        }
        expect(two.digest()).toEqual(one.digest());
      }
    }),
  );
});

test("runs of different origins, and those with a gap between them, stay apart", () => {
  const delta = (origin: ReplicaId, from: number, to: number): Delta<string> => ({
    ...{ origin, from, to, numbers: [to], values: [`${to}`], removals: [] },
  });
  const joined = joinRuns([delta(A, 0, 1), delta(A, 1, 2), delta(B, 0, 1), delta(B, 2, 3), delta(A, 2, 3)]);
  expect(joined.map(({ origin, from, to }) => [origin, from, to])).toEqual([
    [A, 0, 2],
    [B, 0, 1],
    [B, 2, 3],
    [A, 2, 3],
  ]);
});
