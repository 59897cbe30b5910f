import { expect, test } from "vitest";
import { parseParams } from "./params.ts";

const plain = (query: string) => JSON.parse(JSON.stringify(parseParams(query)));

test.each([
  ["user_id=u1&vsn=2.0.0", { user_id: "u1", vsn: "2.0.0" }],
  ["n%5Ba%5D=1&n%5Bb%5D%5Bc%5D=2", { n: { a: "1", b: { c: "2" } } }],
  ["a[]=1&a[]=2", { a: ["1", "2"] }],
  ["a[][b]=1&a[][b]=2", { a: [{ b: "1" }, { b: "2" }] }],
  ["a=1&a=2", { a: "2" }],
  ["a[b]=1&a[]=2", { a: { b: "1" } }],
  ["name=J%C3%BCrgen+K&empty=", { name: "Jürgen K", empty: "" }],
  ["a[b=1&]c=2&[d]=3", { "a[b": "1", "]c": "2", "[d]": "3" }],
  ["", {}],
  ["&", {}],
])("%s", (query, expected) => {
  expect(plain(query)).toEqual(expected);
});

test("names of an object's own are names", () => {
  const params = parseParams("__proto__=1&constructor[prototype]=2");
  expect(Object.entries(params).map(([name]) => name)).toEqual(["__proto__", "constructor"]);
  expect(({} as Record<string, unknown>).prototype).toBeUndefined();
});

test("what is too deep or too much is left out", () => {
  expect(plain(`a${"[b]".repeat(20)}=1`)).toEqual({});
  const many = Array.from({ length: 1_500 }, (_, index) => `p${index}=1`).join("&");
  expect(Object.keys(parseParams(many))).toHaveLength(1_000);
});
