import { InvalidArgumentError } from "@presently/replica";
import { expect, test } from "vitest";
import { resolveBounds } from "./bounds.ts";

const defaults = { connectionsMax: 10, timeoutMs: 5 };

test("what is left out has its default, what is given counts, and the defaults stay as they are", () => {
  expect(resolveBounds(defaults)).toEqual(defaults);
  expect(resolveBounds(defaults, { timeoutMs: 1, connectionsMax: undefined })).toEqual({
    connectionsMax: 10,
    timeoutMs: 1,
  });
  expect(resolveBounds(defaults, { timeoutMs: 0 }, { least: 0 }).timeoutMs).toBe(0);
  expect(defaults).toEqual({ connectionsMax: 10, timeoutMs: 5 });
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "7", null, {}])(
  "%j is no bound, and the error names it",
  (value) => {
    const resolve = () => resolveBounds(defaults, { timeoutMs: value as number });
    expect(resolve).toThrow(InvalidArgumentError);
    expect(resolve).toThrow("limits.timeoutMs");
  },
);

test.each(["other", "__proto__", "constructor", "toString"])("%s is refused as unknown", (name) => {
  const given = JSON.parse(`{${JSON.stringify(name)}:1}`);
  expect(() => resolveBounds(defaults, given, { prefix: "times." })).toThrow(`times.${name}`);
});
