import { describe, expect, test } from "vitest";
import { duration, printable, table } from "./terminal.ts";

describe("what a terminal gets", () => {
  test("is the text itself, if that is harmless", () => {
    expect(printable("Zoë 👩‍🚀 #1")).toBe("Zoë 👩‍🚀 #1");
  });

  test("lines up in columns", () => {
    expect(
      table(
        ["KEY", "NODE"],
        [
          ["alice", "n1"],
          ["Zoë", "n22"],
        ],
      ),
    ).toBe("KEY    NODE\nalice  n1\nZoë    n22");
  });

  test.each([
    [12.4, "12 ms"],
    [1_499, "1 s"],
    [150_000, "3 min"],
    [10_800_000, "3 h"],
  ])("says %d ms as %s", (milliseconds, text) => {
    expect(duration(milliseconds)).toBe(text);
  });
});
