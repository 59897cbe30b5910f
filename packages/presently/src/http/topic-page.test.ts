import { describe, expect, test } from "vitest";
import { pageOfTopics, parseCursor, parseLimit } from "./topic-page.ts";

const summaries = (topics: readonly string[]) => topics.map((topic) => ({ topic, keys: 1, entries: 1 }));

describe("pages of topics", () => {
  test("neither repeat nor skip a topic because others came or went in between", () => {
    const { nextCursor } = pageOfTopics(summaries(["b", "d", "f"]), 2, undefined);
    const page = pageOfTopics(summaries(["a", "c", "d", "e", "f"]), 2, parseCursor(nextCursor!));
    expect(page.topics.map(({ topic }) => topic)).toEqual(["e", "f"]);
    expect(page.nextCursor).toBeNull();
  });

  test.each(["0", "1001", "-1", "1.5", "ten", "1e2", "99999"])("limit %j is refused", (limit) => {
    expect(() => parseLimit(limit)).toThrow(/^limit .* must be a whole number from 1 to 1000/);
  });

  test.each(["!", "%", "YQ==", "_w", "a"])("cursor %j is refused, as no page gave it", (cursor) => {
    expect(() => parseCursor(cursor)).toThrow(/^cursor /);
  });
});
