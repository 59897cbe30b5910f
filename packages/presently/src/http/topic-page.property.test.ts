import type { TopicSummary } from "@presently/replica";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pageOfTopics, parseCursor, type TopicPage, type TopicPlace } from "./topic-page.ts";

const summaries = (topics: readonly string[]) => topics.map((topic) => ({ topic, keys: 1, entries: 1 }));

describe("pages of topics", () => {
  test("show every topic once, the busiest first, whatever the page size", () => {
    const counted = fc.uniqueArray(
      fc.record({
        topic: fc.string({ unit: "grapheme", minLength: 1 }),
        keys: fc.integer({ min: 1, max: 4 }),
      }),
      { maxLength: 40, size: "max", selector: ({ topic }) => topic },
    );
    fc.assert(
      fc.property(counted, fc.integer({ min: 1, max: 50 }), (unsorted, limit) => {
        const topics = unsorted
          .map((topic) => ({ ...topic, entries: topic.keys }))
          .sort((a, b) => (a.topic < b.topic ? -1 : 1));
        const seen: TopicSummary[] = [];
        let after: TopicPlace | undefined;
        let page: TopicPage;
        do {
          page = pageOfTopics(topics.toReversed(), limit, after, "keys");
          after = parseCursor(page.nextCursor ?? undefined);
          expect(page.topics.length).toBeLessThanOrEqual(limit);
          seen.push(...page.topics);
        } while (page.nextCursor !== null);
        // A stable sort of what is in order of name.
        expect(seen).toEqual(topics.toSorted((a, b) => b.keys - a.keys));
        expect(page.total.keys).toBe(topics.reduce((sum, { keys }) => sum + keys, 0));
      }),
    );
  });

  test("show every topic once, in order, whatever the page size", () => {
    const names = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 50 }), (topics, limit) => {
        const unsorted = summaries(topics);
        const seen: string[] = [];
        let after: TopicPlace | undefined;
        let page: TopicPage;
        do {
          page = pageOfTopics(unsorted, limit, after);
          expect(page.topics.length).toBeLessThanOrEqual(limit);
          seen.push(...page.topics.map(({ topic }) => topic));
          after = parseCursor(page.nextCursor ?? undefined);
        } while (page.nextCursor !== null);
        expect(seen).toEqual([...topics].sort());
      }),
    );
  });
});
