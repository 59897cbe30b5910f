import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { expect, test } from "vitest";
import { queryWithoutToken, tokenOf } from "./request-token.ts";
import type { ApiRequest } from "./route.ts";

function requestOf(query: string, method = "GET", authorization?: string): ApiRequest {
  const headers = authorization === undefined ? {} : { authorization };
  return { request: { method, headers } as IncomingMessage, query } as ApiRequest;
}

const token = fc.string({ unit: fc.constantFrom("a", "-", "_", ".", "~"), minLength: 1 });
const pair = fc
  .tuple(fc.constantFrom("key", "meta", "limit", "access_tokens", "x_access_token"), fc.string())
  .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);

test("a token in the query is found wherever it stands, and everything else is left as it was", () => {
  fc.assert(
    fc.property(fc.array(pair), fc.array(pair), token, (before, after, shown) => {
      const query = [...before, `access_token=${shown}`, ...after].join("&");
      expect(tokenOf(requestOf(query))).toBe(shown);
      expect(queryWithoutToken(requestOf(query))).toBe([...before, ...after].join("&"));
    }),
  );
});

test("no token in the query counts for what changes something", () => {
  fc.assert(
    fc.property(fc.array(pair), token, fc.constantFrom("PUT", "DELETE", "POST"), (others, shown, method) => {
      const query = [...others, `access_token=${shown}`].join("&");
      expect(tokenOf(requestOf(query, method))).toBeUndefined();
      expect(queryWithoutToken(requestOf(query, method))).toBe(query);
    }),
  );
});

test("whatever stands in the header field is a token, a bad one, or one too many; and never none", () => {
  fc.assert(
    fc.property(fc.string(), fc.boolean(), (text, alsoInQuery) => {
      const request = requestOf(alsoInQuery ? "access_token=a" : "", "GET", text);
      try {
        expect(tokenOf(request)).toBeDefined();
      } catch (error) {
        expect(error).toMatchObject({ code: "SEVERAL_TOKENS", status: 400 });
      }
    }),
  );
  expect(tokenOf(requestOf("", "GET", "bearer  a.b-c "))).toBe("a.b-c");
});
