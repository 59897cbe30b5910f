/** What is merged is what happened. */
import fc from "fast-check";
import type { Presence } from "presently";
import { expect, test } from "vitest";
import { PendingDiff } from "./pending-diff.ts";

const presence = (ref: number) =>
  ({ ref: String(ref), key: `key ${ref % 3}`, meta: {} }) as unknown as Presence;

/** Who is toggled: comes if absent, goes if present. And when the diff is taken. */
const history = fc.array(fc.oneof(fc.nat(12), fc.constant("take" as const)), { size: "max", maxLength: 300 });

test("the diffs, one after the other, do what the changes did, and name no reference in both halves", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const pending = new PendingDiff();
      const present = new Map<string, Presence>();
      const told = new Map<string, Presence>();
      for (const step of steps) {
        if (step === "take") {
          const { joins, leaves } = pending.take();
          const left = new Set(leaves.map(({ ref }) => ref));
          expect(joins.filter(({ ref }) => left.has(ref))).toEqual([]);
          for (const { ref } of leaves) expect(told.delete(ref)).toBe(true);
          for (const each of joins) told.set(each.ref, each);
          expect(pending.isEmpty).toBe(true);
        } else {
          const each = presence(step);
          if (present.delete(each.ref)) pending.leave(each);
          else {
            present.set(each.ref, each);
            pending.join(each);
          }
        }
      }
      const { joins, leaves } = pending.take();
      for (const { ref } of leaves) expect(told.delete(ref)).toBe(true);
      for (const each of joins) told.set(each.ref, each);
      expect([...told.keys()].toSorted()).toEqual([...present.keys()].toSorted());
    }),
  );
});
