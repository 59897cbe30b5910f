import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Action } from "./access.ts";
import { grantOf, grantsOf } from "./scope.ts";
import { authorizeByScopes } from "./scoped-identity.ts";

const name = fc.constantFrom("room:1", "room:2", "ann", "ben", "");
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant("track" as const), topic: name, key: name }),
  fc.record({ kind: fc.constantFrom("watch" as const, "publish" as const), topic: name }),
  fc.record({
    kind: fc.constant("inspect" as const),
    what: fc.constantFrom("topics" as const, "cluster" as const, "metrics" as const),
  }),
  fc.record({
    kind: fc.constant("operate" as const),
    what: fc.constant("kick" as const),
    topic: name,
    key: name,
  }),
  fc.record({ kind: fc.constant("operate" as const), what: fc.constant("evict" as const), replica: name }),
);
const scope = fc.oneof(
  fc.constantFrom(
    "*",
    "inspect",
    "inspect:metrics",
    "operate",
    "operate:kick",
    "operate:evict",
    "operate:kick:room:*",
  ),
  fc
    .tuple(
      fc.constantFrom("track", "track-any", "watch", "publish"),
      fc.constantFrom("*", "room:*", "room:1", "{id}"),
    )
    .map((parts) => parts.join(":")),
);
const identity = (claims: Record<string, unknown>) => ({ id: "ann", claims });

describe("scopes", () => {
  test("only ever add up: more of them never forbid what fewer allow", () => {
    fc.assert(
      fc.property(fc.array(scope), fc.array(scope), action, (some, more, asked) => {
        const together = grantsOf([...more, ...some])(asked, "ann");
        expect(together).toBe(grantsOf(some)(asked, "ann") || grantsOf(more)(asked, "ann"));
      }),
    );
  });

  test("none of them allow nothing, and * allows everything", () => {
    fc.assert(
      fc.property(action, (asked) => {
        expect(grantsOf([])(asked, "ann")).toBe(false);
        expect(grantsOf(["*"])(asked, "ann")).toBe(true);
      }),
    );
  });

  test("each allows actions of its own kind only", () => {
    fc.assert(
      fc.property(scope, action, (given, asked) => {
        fc.pre(given !== "*");
        const verb = given.split(":")[0]!.replace("-any", "");
        if (grantOf(given)!(asked, "ann")) expect(asked.kind).toBe(verb);
      }),
    );
  });

  test("track: allows the own id as the key, and no other", () => {
    fc.assert(
      fc.property(name, (key) => {
        const asked = { kind: "track", topic: "room:1", key } as const;
        expect(grantOf("track:room:*")!(asked, "ann")).toBe(key === "ann");
        expect(grantOf("track-any:room:*")!(asked, "ann")).toBe(true);
      }),
    );
  });

  test("any text is either a scope that grants something or none", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          scope.map((given) => `${given}x`),
        ),
        (text) => {
          const grant = grantOf(text);
          if (grant === undefined) expect(() => grantsOf([text])).toThrow("scopes has");
        },
      ),
    );
  });

  test.each([
    "track",
    "track:",
    "watch",
    "inspect:",
    "inspect:secrets",
    "operate:stop",
    "operate:kick:",
    "admin",
    "",
  ])("%j is none", (text) => {
    expect(grantOf(text)).toBeUndefined();
  });
});

describe("the scopes among claims", () => {
  test("are those of both claims, in a list or in a text", () => {
    fc.assert(
      fc.property(
        fc.array(scope),
        fc.array(scope),
        fc.boolean(),
        action,
        (presently, others, asText, asked) => {
          const claims = { presently, scope: asText ? others.join(" ") : others };
          const counted = [...presently, ...others.filter((text) => text !== "*")];
          expect(authorizeByScopes(identity(claims), asked)).toBe(grantsOf(counted)(asked, "ann"));
        },
      ),
    );
  });

  test("may be of any shape: what is no scope grants nothing", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), action, (presently, other, asked) => {
        const texts = JSON.stringify([presently, other]) ?? "";
        fc.pre(!/track|watch|publish|inspect|operate|\*/.test(texts));
        expect(authorizeByScopes(identity({ presently, scope: other }), asked)).toBe(false);
      }),
    );
  });

  test("that stand beyond the bound are not looked at", () => {
    const many = new Array(256).fill("watch:other");
    const asked = { kind: "watch", topic: "room" } as const;
    expect(authorizeByScopes(identity({ presently: [...many.slice(1), "watch:room"] }), asked)).toBe(true);
    expect(authorizeByScopes(identity({ presently: [...many, "watch:room"] }), asked)).toBe(false);
  });
});
