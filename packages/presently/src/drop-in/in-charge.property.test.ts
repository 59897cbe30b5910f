import fc from "fast-check";
import { expect, test } from "vitest";
import { inCharge } from "./in-charge.ts";

type Node = Parameters<typeof inCharge>[0];
const STATUSES = ["up", "suspect", "leaving", "down"] as const;

const members = fc.uniqueArray(
  fc.record({
    name: fc.stringMatching(/^[a-z]{1,6}$/),
    status: fc.constantFrom(...STATUSES),
    able: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8, selector: ({ name }) => name },
);
type Member = { readonly name: string; readonly status: (typeof STATUSES)[number]; readonly able: boolean };

/** The cluster as `self` sees it. */
function seenBy(self: string, all: readonly Member[]): Node {
  return {
    cluster: () =>
      all.map(({ name, status }) => ({ replica: `${name}@1`, status: name === self ? "self" : status })),
    list: () => all.flatMap(({ name, able }) => (able ? [{ replica: `${name}@1` }] : [])),
  } as unknown as Node;
}

test("nodes that see the same cluster agree on who is in charge, and it is one that lives and can", () => {
  fc.assert(
    fc.property(members, fc.string(), fc.boolean(), (all, subject, isOpen) => {
      const charge = { subject, among: isOpen ? undefined : "able" };
      const living = all.filter(({ status }) => status === "up" || status === "suspect");
      const chosen = living.map(({ name }) => inCharge(seenBy(name, all), charge));
      expect(new Set(chosen).size).toBeLessThanOrEqual(1);
      const can = living.filter(({ able }) => isOpen || able).map(({ name }) => `${name}@1`);
      for (const replica of chosen) {
        if (can.length === 0) expect(replica).toBe(undefined);
        else expect(can).toContain(replica);
      }
    }),
  );
});

test("nobody else's charge moves when a node goes", () => {
  fc.assert(
    fc.property(members, fc.string(), (all, subject) => {
      const up = all.map((member) => ({ ...member, status: "up" as const }));
      const before = inCharge(seenBy("nobody", up), { subject });
      const after = inCharge(seenBy("nobody", up.slice(1)), { subject });
      if (before !== `${up[0]!.name}@1`) expect(after).toBe(before);
      else if (up.length === 1) expect(after).toBe(undefined);
    }),
  );
});
