import { describe, expect, test } from "vitest";
import { backOffMs } from "./back-off.ts";

const bounds = { minMs: 100, maxMs: 1000 };

describe("back-off", () => {
  test.each([
    [1, 50, 100],
    [2, 100, 200],
    [3, 200, 400],
    [4, 400, 800],
    [5, 500, 1000],
    [6, 500, 1000],
    [1_000_000, 500, 1000],
  ])("after %i failures the wait is from %i ms to %i ms", (failures, shortest, longest) => {
    expect(backOffMs(bounds, failures, 0)).toBe(shortest);
    expect(backOffMs(bounds, failures, 0.999_999)).toBeCloseTo(longest, 1);
    expect(backOffMs(bounds, failures, 0.999_999)).toBeLessThan(longest);
  });
});
