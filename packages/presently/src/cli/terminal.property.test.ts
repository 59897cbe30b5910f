import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printable, printableJson, table } from "./terminal.ts";

describe("what a terminal gets", () => {
  test("never holds a control sequence, whatever people call themselves", () => {
    const hostile = fc.string({ unit: "binary" }).map((text) => `\u001b]0;owned\u0007${text}\u009b2J\u202e`);
    fc.assert(
      fc.property(hostile, (text) => {
        for (const shown of [printable(text), printableJson({ [text]: text }), table(["A"], [[text]])]) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
          expect(shown.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
        }
      }),
    );
  });
});
