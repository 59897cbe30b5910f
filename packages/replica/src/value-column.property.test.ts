/** The values of one field come out as they went in, and nothing that a stranger writes in their place does harm. */
import * as fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { Allowance } from "./allowance.ts";
import { ProtocolError } from "./errors.ts";
import { decodeColumn, encodeColumn } from "./value-column.ts";

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });
const onTheWire = (value: unknown): unknown => packr.unpack(packr.pack(value));
const bytesOf = (value: unknown): number => packr.pack(value).length;

const few = fc.constantFrom("online", "away", "é".repeat(64), "x".repeat(129), true, false, null, "", 0, 7);
const whole = fc.oneof(fc.nat(300), fc.maxSafeInteger());
const rising = fc.array(fc.nat(70_000), { minLength: 2 }).map((gaps) => {
  let sum = 1_763_000_000_000;
  return gaps.map((gap) => (sum += gap));
});
const column = fc.oneof(
  fc.array(few, { minLength: 1, size: "max", maxLength: 60 }),
  fc.array(whole, { minLength: 1 }),
  rising,
  fc.array(
    fc.oneof(
      few,
      whole,
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0),
    ),
    {
      minLength: 1,
    },
  ),
  fc.array(fc.oneof(few, fc.constant({ device: ["phone"] })), { minLength: 1 }),
  fc.tuple(few, fc.integer({ min: 1, max: 100 })).map(([value, length]) => new Array(length).fill(value)),
);

describe("a column", () => {
  test("comes out as it went in", () => {
    fc.assert(
      fc.property(column, (values) => {
        expect(decodeColumn(onTheWire(encodeColumn(values)), values.length, new Allowance())).toEqual(values);
      }),
      { numRuns: 500 },
    );
  });

  test("takes hardly more bytes than its values one after the other", () => {
    fc.assert(
      fc.property(column, (values) => {
        expect(bytesOf(encodeColumn(values))).toBeLessThanOrEqual(bytesOf(values) + 8);
      }),
      { numRuns: 500 },
    );
  });

  test("of one repeated text is written once, and held once", () => {
    const values = new Array(1_000).fill("online");
    expect(bytesOf(encodeColumn(values))).toBeLessThan(20);
    expect(new Set(decodeColumn(onTheWire(encodeColumn(values)), 1_000, new Allowance())).size).toBe(1);
  });

  test("of times that follow each other is written as their distances", () => {
    const values = Array.from({ length: 1_000 }, (_, index) => 1_763_000_000_000 + index * 37);
    expect(bytesOf(encodeColumn(values))).toBeLessThan(1_020);
  });
});

describe("a column that nobody has encoded", () => {
  test.each([
    ["no column", 7],
    ["too few values", [[1]]],
    ["too many values", [["a", "b", "c"]]],
    ["values that are no JSON", [["a", new Date(0)]]],
    ["an empty dictionary", [[], 0]],
    ["a dictionary of many", [Array.from({ length: 17 }, (_, index) => `${index}`), [0, 1]]],
    ["a dictionary with a long text", [["x".repeat(129)], 0]],
    ["a dictionary with a map", [[{}], 0]],
    ["a place outside of its dictionary", [["a"], [0, 1]]],
    ["a place that is no count", [["a"], [0, "0"]]],
    ["too few places", [["a"], [0]]],
    ["no places", [["a"], "00"]],
    ["a first number that is none", [Number.NaN, [1]]],
    ["a first number that is not whole", [0.5, [1]]],
    ["too many differences", [1, [1, 1]]],
    ["a difference that is a text", [1, ["1"]]],
    ["a difference that is a list", [1, [[1]]]],
    ["a difference that is not whole", [1, [0.5]]],
    ["a sum beyond what is safe", [Number.MAX_SAFE_INTEGER, [1]]],
    ["no differences", [1, 1]],
    ["no differences at all", [1]],
    ["texts that are all empty", [[], 0, 0]],
  ])("is refused: %s", (_, value) => {
    expect(() => decodeColumn(value, 2, new Allowance())).toThrow(ProtocolError);
  });

  test("is refused, or is as many JSON values as there are metas, whatever it is", () => {
    const anything = fc.anything({ withDate: true, maxDepth: 3 });
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 3 }), (value, length) => {
        let values: readonly unknown[];
        try {
          values = decodeColumn(value, length, new Allowance());
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
        expect(values).toHaveLength(length);
      }),
      { numRuns: 500 },
    );
  });
});
