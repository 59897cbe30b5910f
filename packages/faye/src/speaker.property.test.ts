import fc from "fast-check";
import type { ReplicaId, ReplicaReport } from "presently";
import { expect, test } from "vitest";
import { speakerFor } from "./speaker.ts";

const names = ["a@1", "b@1", "c@2"] as ReplicaId[];
const statuses: ReplicaReport["status"][] = ["up", "suspect", "leaving", "down"];

test("nodes that agree on who is left choose one speaker, and it is the owner as long as that is left", () => {
  const left = fc.record({
    owner: fc.constantFrom(...names),
    status: fc.tuple(...names.map(() => fc.constantFrom(...statuses))),
  });
  fc.assert(
    fc.property(left, ({ owner, status }) => {
      const speaks = names.filter((_, index) => status[index] === "up" || status[index] === "suspect");
      const chosen = speaks.map((self) => {
        const cluster = names.map((replica, index) => ({
          replica,
          status: replica === self ? ("self" as const) : status[index]!,
        }));
        // Each node lists itself first.
        return speakerFor(
          owner,
          cluster.sort((one) => (one.replica === self ? -1 : 1)),
        );
      });
      expect(new Set(chosen).size).toBe(speaks.length === 0 ? 0 : 1);
      if (speaks.includes(owner)) expect(chosen[0]).toBe(owner);
    }),
  );
});
