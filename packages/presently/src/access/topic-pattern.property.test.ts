import fc from "fast-check";
import { expect, test } from "vitest";
import { topicPattern } from "./topic-pattern.ts";

/** Few characters, so that parts are found where they should not be, and repeat themselves. */
const text = fc.string({ unit: fc.constantFrom("a", "b", ":"), maxLength: 8 });
const pattern = fc.string({ unit: fc.constantFrom("a", "b", ":", "*"), maxLength: 8 });

/** The obvious matcher, which takes exponential time. */
function matchesNaively(topic: string, given: string): boolean {
  if (given === "") return topic === "";
  if (given[0] === "*") {
    for (let skipped = 0; skipped <= topic.length; skipped++)
      if (matchesNaively(topic.slice(skipped), given.slice(1))) return true;
    return false;
  }
  return topic[0] === given[0] && matchesNaively(topic.slice(1), given.slice(1));
}

test("a pattern matches what the obvious matcher matches", () => {
  fc.assert(
    fc.property(pattern, text, (given, topic) => {
      expect(topicPattern(given).matches(topic, "x")).toBe(matchesNaively(topic, given));
    }),
    { numRuns: 2_000 },
  );
});

test("a pattern without a star matches itself and nothing else", () => {
  fc.assert(
    fc.property(text, text, (given, topic) => {
      expect(topicPattern(given).matches(given, "x")).toBe(true);
      expect(topicPattern(given).matches(topic, "x")).toBe(topic === given);
    }),
  );
});

const id = fc.string({ unit: fc.constantFrom("a", "*", "{", "}", "i", "d", "$", "&", ":"), maxLength: 6 });

test("{id} stands for the id as it is, whatever characters it has", () => {
  fc.assert(
    fc.property(id, id, (own, other) => {
      const inbox = topicPattern("inbox:{id}");
      expect(inbox.matches(`inbox:${own}`, own)).toBe(true);
      expect(inbox.matches(`inbox:${other}`, own)).toBe(own === other);
    }),
  );
});

test("a pattern of many stars takes no time to speak of for a topic that almost matches", () => {
  const many = topicPattern(`${"*a".repeat(2_000)}*b`);
  expect(many.matches("a".repeat(4_000), "x")).toBe(false);
  expect(many.matches(`${"a".repeat(4_000)}b`, "x")).toBe(true);
});
