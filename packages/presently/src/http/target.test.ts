import { describe, expect, test } from "vitest";
import type { Route } from "./route.ts";
import { Router } from "./router.ts";
import { parseQuery, parseTarget } from "./target.ts";

const route = (method: Route["method"], path: string): Route => ({
  method,
  path,
  needs: "anybody",
  handle: () => ({ status: 200 }),
});
const router = new Router([
  route("GET", "/api/topics"),
  route("GET", "/api/topics/:topic"),
  route("PUT", "/api/topics/:topic/presences/:key"),
  route("DELETE", "/api/topics/:topic/presences/:key"),
]);

describe("a request target", () => {
  test("is taken in the absolute form that proxies send", () => {
    expect(parseTarget("http://node:4001/api/topics?a=b")).toEqual({ path: "/api/topics", query: "a=b" });
  });

  test.each(["/%", "/%zz", "/a%2", "/%ff", "/%C3%28", "/é", "/%ED%A0%80", "*", "", "api"])(
    "is refused if broken: %j",
    (url) => {
      expect(() => parseTarget(url)).toThrow(expect.objectContaining({ code: "BAD_URL", status: 400 }));
    },
  );

  test.each(["a=%", "%=a", "a=%ff", "a=1&a=2", "b=1", "__proto__=1", "constructor=1"])(
    "has no such query: %j",
    (query) => {
      expect(() => parseQuery(query, ["a"])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );

  test("counts an empty parameter as none", () => {
    expect(parseQuery("prefix=&limit&cursor=", ["prefix", "limit", "cursor"])).toEqual({});
  });
});

describe("the router", () => {
  test("finds the handler of GET for HEAD", () => {
    expect(router.find("HEAD", "/api/topics/a").params).toEqual({ topic: "a" });
  });

  test("tells an unknown path from a wrong method", () => {
    expect(() => router.find("GET", "/nope")).toThrow(expect.objectContaining({ status: 404 }));
    expect(() => router.find("BREW", "/nope")).toThrow(expect.objectContaining({ status: 404 }));
    for (const method of ["GET", "POST", "BREW", "__proto__"]) {
      expect(() => router.find(method, "/api/topics/a/presences/b")).toThrow(
        expect.objectContaining({ status: 405, headers: { allow: "PUT, DELETE, OPTIONS" } }),
      );
    }
    expect(router.allowedMethods("/api/topics/a")).toEqual(["GET", "HEAD", "OPTIONS"]);
  });
});
