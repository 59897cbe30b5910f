import fc from "fast-check";
import { expect, test } from "vitest";
import {
  countInRanges,
  covers,
  incarnationOf,
  inRanges,
  isReplicaId,
  nameOf,
  type ReplicaId,
  rangesOf,
  replicaId,
  StateHash,
  sameVector,
  seedOf,
} from "./index.ts";

const ascending = fc
  .uniqueArray(fc.integer({ min: 1, max: 60 }))
  .map((numbers) => numbers.sort((one, other) => one - other));

test("ranges hold exactly the numbers they were made of", () => {
  fc.assert(
    fc.property(ascending, fc.nat(60), fc.nat(60), (numbers, above, upTo) => {
      const ranges = rangesOf(numbers);
      for (let number = 0; number <= 61; number++)
        expect(inRanges(ranges, number)).toBe(numbers.includes(number));
      expect(countInRanges(ranges, above, upTo)).toBe(
        numbers.filter((number) => number > above && number <= upTo).length,
      );
    }),
  );
});

test("neighbours share a range", () => {
  expect(rangesOf([1, 2, 3, 5, 7, 8])).toEqual([1, 3, 5, 5, 7, 8]);
  expect(rangesOf([])).toEqual([]);
});

test("the hash depends on the set of numbers, not on the order of changes", () => {
  fc.assert(
    fc.property(ascending, fc.array(fc.integer({ min: 1, max: 60 })), (numbers, detour) => {
      const [direct, roundabout] = [new StateHash(7), new StateHash(7)];
      for (const number of numbers) direct.toggle(number);
      for (const number of [...detour, ...numbers.toReversed(), ...detour]) roundabout.toggle(number);
      expect(roundabout.value).toBe(direct.value);
      expect(Number.isSafeInteger(direct.value)).toBe(true);
      roundabout.toggle(61);
      expect(roundabout.value).not.toBe(direct.value);
    }),
  );
});

test("a hash that takes over another holds what both held, and the other nothing", () => {
  const [whole, one, other] = [new StateHash(7), new StateHash(7), new StateHash(7)];
  for (const number of [1, 2, 3]) whole.toggle(number);
  one.toggle(1);
  other.toggle(2);
  other.toggle(3);
  one.absorb(other);
  expect([one.value, other.value]).toEqual([whole.value, 0]);
});

test("a hash tells what it would be with another's numbers, and both stay as they are", () => {
  const [whole, one, other] = [new StateHash(7), new StateHash(7), new StateHash(7)];
  for (const number of [1, 2, 3]) whole.toggle(number);
  one.toggle(1);
  for (const number of [2, 3]) other.toggle(number);
  const before = [one.value, other.value];
  expect(one.valueWith(other)).toBe(whole.value);
  expect([one.value, other.value]).toEqual(before);
});

test("hashes stay what they are from one version to the next: nodes of both compare them", () => {
  const hashes = ["a@1", "b@1"].map((id) => {
    const hash = new StateHash(seedOf(id));
    const values = [hash.value];
    for (const number of [1, 2, 2 ** 32 + 2]) {
      hash.toggle(number);
      values.push(hash.value);
    }
    return values;
  });
  expect(hashes).toMatchInlineSnapshot(`
    [
      [
        0,
        7319906403512739,
        45776912532088,
        5333202974929102,
      ],
      [
        0,
        6931996918120851,
        5307232818432206,
        8528245262137642,
      ],
    ]
  `);
});

test("hashes of a hundred thousand sets of one number do not collide, nor do large event numbers", () => {
  const seen = new Set<number>();
  for (let number = 1; number <= 100_000; number++) {
    const hash = new StateHash(seedOf("a@1"));
    hash.toggle(number);
    seen.add(hash.value);
  }
  const large = new StateHash(seedOf("a@1"));
  large.toggle(2 ** 40 + 1);
  seen.add(large.value);
  expect(seen.size).toBe(100_001);
});

test("a replica id gives back its name and incarnation, and nothing else passes for one", () => {
  const id = replicaId("shop@eu", 1_700_000_000_000);
  expect([nameOf(id), incarnationOf(id), isReplicaId(id)]).toEqual(["shop@eu", 1_700_000_000_000, true]);
  for (const incarnation of [0, 1, 12, Number.MAX_SAFE_INTEGER])
    expect(isReplicaId(replicaId("a", incarnation))).toBe(true);
  for (const text of ["", "a", "@1", "a@", "a@-1", "a@1.5", "a@01", "a@9007199254740992"])
    expect(isReplicaId(text)).toBe(false);
});

test("vectors compare by the events they contain", () => {
  const vector = (entries: Record<string, number>) =>
    new Map(Object.entries(entries) as [ReplicaId, number][]);
  expect(covers(vector({ a: 2, b: 1 }), vector({ a: 2 }))).toBe(true);
  expect(covers(vector({ a: 2 }), vector({ b: 1 }))).toBe(false);
  expect(sameVector(vector({ a: 2, b: 0 }), vector({ a: 2 }))).toBe(true);
  expect(sameVector(vector({ a: 2 }), vector({ a: 3 }))).toBe(false);
});
