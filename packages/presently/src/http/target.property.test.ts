import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Router } from "./router.ts";
import { parseQuery, parseTarget } from "./target.ts";

const router = new Router([
  {
    method: "PUT",
    path: "/api/topics/:topic/presences/:key",
    needs: "anybody",
    handle: () => ({ status: 200 }),
  },
]);

describe("a request target", () => {
  test("gives back every topic and key that was percent-encoded into it", () => {
    const name = fc.string({ unit: "binary", minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(name, name, (topic, key) => {
        const url = `/api/topics/${encodeURIComponent(topic)}/presences/${encodeURIComponent(key)}?a=b`;
        const { path } = parseTarget(url);
        expect({ ...router.find("PUT", path).params }).toEqual({ topic, key });
      }),
    );
  });

  test("gives back every query parameter that was encoded into it", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", minLength: 1 }),
        fc.string({ unit: "binary", minLength: 1 }),
        (a, b) => {
          const { query } = parseTarget(`/x?${new URLSearchParams({ a, b })}`);
          expect(parseQuery(query, ["a", "b"])).toEqual({ a, b });
        },
      ),
    );
  });
});
