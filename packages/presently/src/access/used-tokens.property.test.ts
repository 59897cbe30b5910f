import fc from "fast-check";
import { expect, test } from "vitest";
import { UsedTokens } from "./used-tokens.ts";

const use = fc.record({
  token: fc.nat(9),
  livesMs: fc.integer({ min: 1, max: 3_000 }),
  afterMs: fc.nat(1_500),
});

test("no token is used twice before it expires, and the table stays bounded", () => {
  fc.assert(
    fc.property(
      fc.array(use, { size: "max", maxLength: 100 }),
      fc.integer({ min: 1, max: 5 }),
      (uses, most) => {
        const used = new UsedTokens(most, "most");
        const validUntil = new Map<number, number>();
        let now = 0;
        for (const { token, livesMs, afterMs } of uses) {
          now += afterMs;
          const expiresAt = validUntil.get(token) ?? now + livesMs;
          // It is refused for its age before anybody asks here.
          if (expiresAt <= now) continue;
          try {
            expect(used.use(String(token), expiresAt, now)).toBe(!validUntil.has(token));
            validUntil.set(token, expiresAt);
          } catch (error) {
            expect(error).toMatchObject({ code: "LIMIT_REACHED" });
            expect(validUntil.has(token)).toBe(false);
          }
          expect(used.size).toBeLessThanOrEqual(most);
        }
      },
    ),
  );
});

test("room is made by tokens that have expired", () => {
  const used = new UsedTokens(2, "most");
  used.use("a", 10, 0);
  used.use("b", 5_000, 0);
  expect(() => used.use("c", 5_000, 0)).toThrow("too many");
  expect(used.use("c", 5_000, 1_000)).toBe(true);
  expect(used.use("b", 5_000, 1_000)).toBe(false);
});
