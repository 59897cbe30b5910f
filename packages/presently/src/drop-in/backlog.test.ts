import { expect, test } from "vitest";
import { Backlog } from "./backlog.ts";

test("a message larger than the bound goes out, and so do those behind it", () => {
  const backlog = new Backlog();
  expect(backlog.exceeds(100, 0, 5_000)).toBe(false);
  expect(backlog.exceeds(100, 5_000, 10)).toBe(false);
  expect(backlog.exceeds(100, 5_101, 10)).toBe(true);
});

test("what was large once is not excused for ever", () => {
  const backlog = new Backlog();
  backlog.exceeds(100, 0, 5_000);
  expect(backlog.exceeds(100, 0, 10)).toBe(false);
  expect(backlog.exceeds(100, 200, 10)).toBe(true);
});
