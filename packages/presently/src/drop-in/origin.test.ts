import { InvalidArgumentError } from "presently";
import { expect, test } from "vitest";
import { originCheck } from "./origin.ts";

test("clients that are no web page are not asked", () => {
  expect(originCheck(true)(undefined, "a.example")).toBe(true);
  expect(originCheck([])(undefined, "a.example")).toBe(true);
});

test.each([
  [true, "https://a.example", "a.example:4000", true],
  [true, "http://127.0.0.1:5173", "127.0.0.1:4001", true],
  [true, "https://b.example", "a.example", false],
  [true, "null", "a.example", false],
  [true, "https://a.example", undefined, false],
  [false, "https://b.example", "a.example", true],
  [["https://b.example"], "https://b.example", "a.example", true],
  [["https://b.example"], "http://b.example", "a.example", false],
  [["//b.example"], "http://b.example:81", "a.example", true],
  [["//*.b.example"], "https://c.b.example", "a.example", true],
  [["//*.b.example"], "https://cb.example", "a.example", false],
  [["//b.example"], "https://a.example", "a.example", false],
])("check %j lets a page of %s connect to %s: %s", (option, origin, host, allowed) => {
  expect(originCheck(option)(origin, host)).toBe(allowed);
});

test.each(["b.example", "ftp://b.example", "//"])("entry %j is refused", (entry) => {
  expect(() => originCheck([entry])).toThrow(InvalidArgumentError);
});
