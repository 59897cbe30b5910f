import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JSON_DEPTH_MAX, utf8Length } from "./json-copy.ts";
import { checkText, takeMeta, takePayload } from "./limits.ts";

const SETTINGS = { metaBytesMax: 8_192 };
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  // Any code units at all, halves of characters among them.
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc
    .array(
      fc.constantFrom(0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff),
    )
    .map((units) => String.fromCharCode(...units)),
);
const codeOf = (call: () => unknown) => {
  try {
    call();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

test("utf8Length is what an encoder would write", () => {
  fc.assert(
    fc.property(text, (text) => {
      expect(utf8Length(text)).toBe(Buffer.byteLength(text));
    }),
    { numRuns: 1_000 },
  );
});

describe("a topic or a key", () => {
  test("is taken if it is a text that everybody can read, and has at most so many bytes", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 60 }), (text, bytesMax) => {
        const good =
          text !== "" && text === Buffer.from(text).toString() && Buffer.byteLength(text) <= bytesMax;
        expect(codeOf(() => checkText("key", text, bytesMax))).toBe(good ? undefined : "INVALID_ARGUMENT");
      }),
      { numRuns: 1_000 },
    );
  });

  test("is taken up to the border, and not beyond it, of whatever it is made", () => {
    for (const [character, bytes] of [
      ["x", 1],
      ["é", 2],
      ["日", 3],
      ["👩", 4],
    ] as const) {
      for (const bytesMax of [1, 2, 3, 4, 12, 85, 254, 255, 256, 300]) {
        const most = Math.floor(bytesMax / bytes);
        if (most > 0) checkText("topic", character.repeat(most), bytesMax);
        const rest = "x".repeat(bytesMax - most * bytes);
        if (most > 0) checkText("topic", character.repeat(most) + rest, bytesMax);
        expect(() => checkText("topic", `${character.repeat(most)}${rest}x`, bytesMax)).toThrow(
          `at most ${bytesMax} bytes`,
        );
      }
    }
  });
});

describe("a meta", () => {
  test("is measured within a small factor of its JSON, and refused where that is above the limit", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.integer({ min: 1, max: 300 }),
        (meta, metaBytesMax) => {
          if (JSON.stringify(meta).includes('"__proto__"')) return;
          const bytes = Buffer.byteLength(JSON.stringify(meta));
          const { bytes: measured } = takeMeta(meta, SETTINGS);
          expect(measured).toBeLessThanOrEqual(5 * bytes);
          // A control character of a short text takes six bytes as JSON, and counts for one.
          expect(bytes).toBeLessThanOrEqual(6 * measured);
          expect(codeOf(() => takeMeta(meta, { metaBytesMax }))).toBe(
            measured > metaBytesMax ? "LIMIT_REACHED" : undefined,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  test("is measured exactly enough where it matters: long texts count in UTF-8", () => {
    for (const character of ["x", "é", "日", "👩"]) {
      const length = Buffer.byteLength(character);
      const fits = Math.floor((SETTINGS.metaBytesMax - 20) / length);
      takeMeta({ text: character.repeat(fits) }, SETTINGS);
      expect(codeOf(() => takeMeta({ text: character.repeat(fits + 10) }, SETTINGS))).toBe("LIMIT_REACHED");
    }
  });

  test("may be nested so deep, and no deeper", () => {
    const nested = (levels: number, wrap: (inner: unknown) => unknown) => {
      let value: unknown = {};
      for (let level = 1; level < levels; level++) value = wrap(value);
      return { value };
    };
    for (const wrap of [(inner: unknown) => [inner], (inner: unknown) => ({ inner })]) {
      takeMeta(nested(JSON_DEPTH_MAX - 1, wrap), SETTINGS);
      expect(() => takeMeta(nested(JSON_DEPTH_MAX, wrap), SETTINGS)).toThrow(`deeper than ${JSON_DEPTH_MAX}`);
      expect(codeOf(() => takeMeta(nested(100_000, wrap), SETTINGS))).toBeDefined();
    }
  });

  test("that refers to itself is refused", () => {
    const [map, list, wide]: [Record<string, unknown>, unknown[], Record<string, unknown>] = [{}, [], {}];
    map.self = map;
    list.push(list);
    for (let index = 0; index < 50; index++) wide[`${index}`] = wide;
    for (const meta of [map, { list }, wide]) expect(codeOf(() => takeMeta(meta, SETTINGS))).toBeDefined();
  });

  class Person {
    readonly name = "ann";
  }
  class Names extends Map<string, string> {}
  const notJson: readonly [string, unknown][] = [
    ["not a number", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["a function", () => 1],
    ["a symbol", Symbol("x")],
    ["a big integer", 1n],
    ["a date", new Date(0)],
    ["a map", new Map([["a", 1]])],
    ["a set", new Set([1])],
    ["bytes", new Uint8Array(3)],
    ["a buffer", Buffer.from("x")],
    ["an instance of a class", new Person()],
    ["an instance of a derived class", new Names()],
    ["an error", new Error("x")],
    ["a pattern", /x/],
    ["a promise", Promise.resolve()],
    ["a boxed text", new String("x")],
    ["a field named __proto__", JSON.parse('{"__proto__": 1}')],
  ];
  for (const [what, value] of notJson) {
    test(`with ${what} in it, anywhere, is refused`, () => {
      for (const meta of [{ value }, { list: [1, value] }, { deep: { er: [{ value }] } }])
        expect(codeOf(() => takeMeta(meta, SETTINGS))).toBe("INVALID_ARGUMENT");
      if (typeof value === "object") expect(codeOf(() => takeMeta(value, SETTINGS))).toBe("INVALID_ARGUMENT");
    });
  }

  test("is not the only thing that is checked so: the error names what was handed in", () => {
    for (const value of [Number.NaN, () => 1, new Date(0), [new Map()], JSON.parse('{"__proto__": 1}')])
      expect(() =>
        takePayload("x", value, { topicBytesMax: 9, broadcastBytesMax: 100, messageBytesMax: 100 }),
      ).toThrow(/^payload /);
  });

  test("of plain maps is taken, wherever they come from", () => {
    const bare: Record<string, unknown> = Object.create(null);
    bare.name = "ann";
    for (const meta of [bare, JSON.parse('{"a": [1, {"b": null}]}'), { a: undefined }, { deep: bare }, {}])
      expect(takeMeta(meta, SETTINGS).bytes).toBeGreaterThan(0);
    // Another realm has an Object of its own.
    const foreign = Object.create(Object.create(null)) as Record<string, unknown>;
    foreign.name = "ann";
    expect(takeMeta(foreign, SETTINGS).bytes).toBeGreaterThan(0);
  });

  test("is measured no further than the limit", () => {
    let reads = 0;
    const meta: Record<string, unknown> = {};
    for (let index = 0; index < 1_000; index++) {
      Object.defineProperty(meta, `field ${index}`, {
        enumerable: true,
        get: () => {
          reads++;
          return "x".repeat(100);
        },
      });
    }
    expect(codeOf(() => takeMeta(meta, SETTINGS))).toBe("LIMIT_REACHED");
    expect(reads).toBeLessThan(100);
  });
});
