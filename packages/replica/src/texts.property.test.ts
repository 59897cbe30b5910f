/** Many texts come out as they went in, keep no more than themselves in memory, and no stranger can make others of them. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtocolError } from "./errors.ts";
import { decodeTexts, encodeTexts } from "./texts.ts";

const wellFormed = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("", "👩‍👩‍👧", "user-1"),
);
const texts = fc.oneof(
  fc.array(wellFormed, { size: "max", maxLength: 80 }),
  fc.array(fc.uuid(), { size: "max", maxLength: 80 }),
  fc.array(fc.string({ minLength: 40, maxLength: 66 }), { size: "max", maxLength: 40 }),
);

describe("texts", () => {
  test("come out as they went in", () => {
    fc.assert(
      fc.property(texts, (texts) => {
        const encoded = encodeTexts(texts);
        if (encoded === undefined)
          expect(texts.length < 4 || texts.some(({ length }) => length > 64)).toBe(true);
        else expect(decodeTexts(encoded[0], encoded[1], texts.length)).toEqual(texts);
      }),
      { numRuns: 500 },
    );
  });

  test("that are long are in chunks that keep little else in memory", () => {
    fc.assert(
      fc.property(texts, (texts) => {
        const [chunks] = encodeTexts(texts) ?? [[]];
        // What is shorter than this is copied when it is cut out.
        if (texts.every(({ length }) => length < 13)) return;
        for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(256);
      }),
    );
  });

  test("with half characters stand by themselves, so that neighbours do not become one", () => {
    expect(encodeTexts(["a\ud83d", "\udc69b", "c", "d"])).toBeUndefined();
  });

  test("of one length name it once", () => {
    expect(encodeTexts(["ab", "cd", "ef", "gh"])).toEqual([["abcdefgh"], 2]);
  });
});

describe("texts that nobody has encoded", () => {
  test.each<[string, unknown[], unknown]>([
    ["too few", ["a"], [1]],
    ["too many", ["abc"], [1, 1, 1]],
    ["that end too early", ["ab"], [1, 2]],
    ["across the border of a chunk", ["ab", "c"], [1, 2]],
    ["with characters left over", ["abc"], [1, 1]],
    ["with a chunk left over", ["ab", "c"], [1, 1]],
    ["with an empty chunk", ["", "ab"], [1, 1]],
    ["without chunks", [], 1],
    ["cut inside of a character", ["👩"], 1],
    ["that are no texts", [7], [1, 1]],
    ["of negative length", ["ab"], [-1, 3]],
    ["of a length that is no count", ["ab"], ["1", "1"]],
    ["of no lengths", ["ab"], null],
  ])("are refused: %s", (_, chunks, lengths) => {
    expect(() => decodeTexts(chunks, lengths, 2)).toThrow(ProtocolError);
  });

  test("are refused, or are as many as there should be, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.anything()), fc.anything(), fc.nat(5), (chunks, lengths, length) => {
        try {
          expect(decodeTexts(chunks, lengths, length)).toHaveLength(length);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
