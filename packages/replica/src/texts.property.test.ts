/** Many texts come out as they went in, keep no more than themselves in memory, and no stranger can make others of them. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtocolError } from "./errors.ts";
import { decodeTexts, encodeTexts } from "./texts.ts";
import { unshared } from "./utf8.ts";

/** With a byte order mark in front, which decoders like to swallow. */
const marked = fc.string({ minLength: 1, maxLength: 40 }).map((text) => `\ufeff${text}`);
const wellFormed = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("", "👩‍👩‍👧", "user-1"),
  marked,
);
const texts = fc.oneof(
  fc.array(wellFormed, { size: "max", maxLength: 80 }),
  fc.array(fc.uuid(), { size: "max", maxLength: 80 }),
  fc.array(marked, { size: "max", maxLength: 80 }),
  fc.array(fc.string({ minLength: 40, maxLength: 66 }), { size: "max", maxLength: 40 }),
);

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const bytes = (text: string) => new TextEncoder().encode(text);

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
        for (const chunk of chunks) expect(utf8.decode(chunk).length).toBeLessThanOrEqual(256);
      }),
    );
  });

  test("with half characters stand by themselves, so that neighbours do not become one", () => {
    expect(encodeTexts(["a\ud83d", "\udc69b", "c", "d"])).toBeUndefined();
  });

  test("of one length name it once", () => {
    expect(encodeTexts(["ab", "cd", "ef", "gh"])).toEqual([[bytes("abcdefgh")], 2]);
  });

  test("that are copied are the same", () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        expect(unshared(text)).toBe(text);
      }),
    );
  });
});

describe("texts that nobody has encoded", () => {
  test.each<[string, unknown[], unknown]>([
    ["too few", [bytes("a")], [1]],
    ["too many", [bytes("abc")], [1, 1, 1]],
    ["that end too early", [bytes("ab")], [1, 2]],
    ["across the border of a chunk", [bytes("ab"), bytes("c")], [1, 2]],
    ["with characters left over", [bytes("abc")], [1, 1]],
    ["with a chunk left over", [bytes("ab"), bytes("c")], [1, 1]],
    ["with an empty chunk", [bytes(""), bytes("ab")], [1, 1]],
    ["without chunks", [], 1],
    ["that are all empty", [], 0],
    ["cut inside of a character", [bytes("👩")], 1],
    ["that are not UTF-8", [Uint8Array.of(0x61, 0xff)], [1, 1]],
    ["that are no bytes", ["ab"], [1, 1]],
    ["of negative length", [bytes("ab")], [-1, 3]],
    ["of a length that is no count", [bytes("ab")], ["1", "1"]],
    ["of no lengths", [bytes("ab")], null],
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
