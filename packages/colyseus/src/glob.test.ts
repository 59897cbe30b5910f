import { describe, expect, test } from "vitest";
import { matchesGlob } from "./glob.ts";

describe("a pattern", () => {
  test.each([
    ["*", "", true],
    ["*", "anything", true],
    ["", "", true],
    ["", "a", false],
    ["p:*", "p:", true],
    ["p:*", "p:1", true],
    ["p:*", "zp:1", false],
    ["*.*", "a.b", true],
    ["*.*", "ab", false],
    ["$*", "$one", true],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["*b*b*c", "abbabc", true],
    ["*b*b*c", "abc", false],
    ["[abc]x", "bx", true],
    ["[^abc]x", "bx", false],
    ["[^abc]x", "dx", true],
    ["[a-c]x", "cx", true],
    ["[c-a]x", "bx", true],
    ["[a-c]x", "dx", false],
    ["[\\]]", "]", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["a\\", "a\\", true],
    ["[ab", "a", true],
    ["(a|b)+", "(a|b)+", true],
    ["A", "a", false],
  ])("%j and the text %j: %j", (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  test("takes a time that grows with pattern and text, not with a power of them", () => {
    expect(matchesGlob("*a".repeat(200), `${"a".repeat(20_000)}b`)).toBe(false);
  });
});
