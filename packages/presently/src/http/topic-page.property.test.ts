import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pageOfTopics, parseCursor, type TopicPage } from "./topic-page.ts";

const summaries = (topics: readonly string[]) => topics.map((topic) => ({ topic, keys: 1, entries: 1 }));

describe("pages of topics", () => {
  test("show every topic once, in order, whatever the page size", () => {
    const names = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 50 }), (topics, limit) => {
        const sorted = summaries([...topics].sort());
        const seen: string[] = [];
        let after: string | undefined;
        let page: TopicPage;
        do {
          page = pageOfTopics(sorted, limit, after);
          expect(page.topics.length).toBeLessThanOrEqual(limit);
          seen.push(...page.topics.map(({ topic }) => topic));
          after = parseCursor(page.nextCursor ?? undefined);
        } while (page.nextCursor !== null);
        expect(seen).toEqual([...topics].sort());
      }),
    );
  });
});
