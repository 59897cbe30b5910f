/** The public reference of an entry, which applications keep and compare. */
import { type ReplicaId, replicaId } from "@presently/crdt";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { refOf } from "./entry.ts";

const replica = fc
  .tuple(fc.constantFrom("a", "b", "node-1"), fc.constantFrom(0, 35, 1_763_000_000_000))
  .map(([name, incarnation]) => replicaId(name, incarnation));
const number = fc.oneof(fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 1, max: 2 ** 53 - 1 }));

/** In digits of base 36, as the incarnation is. */
function written(replica: ReplicaId, number: number): string {
  const [name, incarnation] = replica.split("@");
  return `${name}@${Number(incarnation).toString(36)}.${number.toString(36)}`;
}

test("a reference is the name, incarnation and event number, whichever was asked for before", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(replica, number), { maxLength: 60, size: "max" }), (dots) => {
      for (const [replica, number] of dots) expect(refOf(replica, number)).toBe(written(replica, number));
    }),
  );
});

test("all references of neighbouring events differ", () => {
  const refs = Array.from({ length: 50_000 }, (_, index) => refOf(replicaId("a", 1), index + 1));
  expect(new Set(refs).size).toBe(refs.length);
});
