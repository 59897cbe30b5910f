import fc from "fast-check";
import { expect, test } from "vitest";
import { EventMap } from "./event-map.ts";

const number = fc.integer({ min: 1, max: 200 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("insert" as const, "take"), number }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("freeze" as const), number }) },
);

test("what was frozen stays as it was, in order, whatever becomes of the map", () => {
  fc.assert(
    fc.property(fc.array(step, { size: "max", maxLength: 200 }), number, (steps, above) => {
      const map = new EventMap<string>();
      const model = new Map<number, string>();
      const frozen: { events: ReturnType<typeof map.freeze>; held: [number, string][] }[] = [];
      steps.forEach(({ do: what, number }, index) => {
        if (what === "freeze") {
          const held = [...model].filter(([each]) => each <= number).sort(([one], [other]) => one - other);
          frozen.push({ events: map.freeze(number), held });
        } else if (what === "take") {
          expect(map.take(number)).toBe(model.get(number));
          model.delete(number);
        } else if (!model.has(number)) {
          map.insert(number, `${index}`);
          model.set(number, `${index}`);
        }
      });
      expect(new Map(map)).toEqual(model);
      expect(map.size).toBe(model.size);
      for (const { events, held } of frozen) {
        expect([...events.above(0)]).toEqual(held);
        expect([...events.above(above)]).toEqual(held.filter(([each]) => each > above));
        expect(events.countAbove(above)).toBe(held.filter(([each]) => each > above).length);
      }
    }),
  );
});
