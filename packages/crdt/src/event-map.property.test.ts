import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventMap } from "./event-map.ts";

/** Dense around a few places, so that pages fill, empty and come again. */
const numbers = fc
  .tuple(fc.constantFrom(0, 90, 2 ** 31, 2 ** 45), fc.nat(100))
  .map(([base, more]) => base + more);
const steps = fc.array(fc.tuple(fc.constantFrom("insert", "take", "look"), numbers), {
  maxLength: 300,
  size: "max",
});
const ascending = (one: readonly [number, unknown], other: readonly [number, unknown]) => one[0] - other[0];

function take(map: Map<number, string>, number: number): string | undefined {
  const value = map.get(number);
  map.delete(number);
  return value;
}

describe("a map of values by event number", () => {
  it("answers as a plain map does after any history", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const [map, model] = [new EventMap<string>(), new Map<number, string>()];
        for (const [what, number] of history) {
          if (what === "take") expect(map.take(number)).toBe(take(model, number));
          else if (what === "look" || model.has(number)) expect(map.get(number)).toBe(model.get(number));
          else {
            map.insert(number, `value ${number}`);
            model.set(number, `value ${number}`);
          }
          expect([map.size, map.has(number)]).toEqual([model.size, model.has(number)]);
        }
        const expected = [...model].sort(ascending);
        expect([...map].sort(ascending)).toEqual(expected);
        expect([...map.keys()].sort((one, other) => one - other)).toEqual(expected.map(([number]) => number));
        expect([...map.values()].sort()).toEqual(expected.map(([, value]) => value).sort());
        const told: [number, string][] = [];
        map.forEach((value, number) => void told.push([number, value]));
        expect(told.sort(ascending)).toEqual(expected);
      }),
    );
  });

  it("gives what was added in ascending order in that order", () => {
    fc.assert(
      fc.property(fc.uniqueArray(numbers, { maxLength: 300, size: "max" }), (added) => {
        const map = new EventMap<number>();
        const sorted = added.sort((one, other) => one - other);
        for (const number of sorted) map.insert(number, number);
        expect([...map.values()]).toEqual(sorted);
      }),
    );
  });

  it("comes upon everything that stays, and nothing that is gone, while it is taken from under a reader", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(numbers, { maxLength: 300, size: "max" }),
        fc.func(fc.uniqueArray(numbers)),
        (added, taken) => {
          const map = new EventMap<number>();
          for (const number of added) map.insert(number, number);
          const [seen, gone] = [new Set<number>(), new Set<number>()];
          for (const number of map.keys()) {
            expect(gone.has(number)).toBe(false);
            seen.add(number);
            for (const other of taken(number)) if (map.take(other) !== undefined) gone.add(other);
          }
          for (const number of added) expect(seen.has(number) || gone.has(number)).toBe(true);
        },
      ),
    );
  });

  it("keeps no page without a value", () => {
    const map = new EventMap<string>();
    for (let number = 1; number <= 1_000; number++) map.insert(number, "value");
    for (let number = 1; number <= 1_000; number++) map.take(number);
    expect((map as unknown as { pages: Map<number, unknown> }).pages.size).toBe(0);
  });
});
