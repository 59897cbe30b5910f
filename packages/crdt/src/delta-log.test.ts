import { expect, test } from "vitest";
import { DeltaLog } from "./delta-log.ts";
import { type Delta, deltaSize, replicaId } from "./index.ts";

const A = replicaId("a", 1);

function delta(from: number, to: number, removes = 0): Delta<string> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + 1 + index);
  const removals = [{ origin: A, numbers: Array.from({ length: removes }, (_, index) => index + 1) }];
  return { origin: A, from, to, numbers, values: numbers.map(String), removals };
}

const intervals = (deltas: readonly Delta<string>[] | undefined) => deltas?.map(({ from, to }) => [from, to]);

test("the size of a delta is what it adds and what it removes", () => {
  expect(deltaSize(delta(3, 5, 4))).toBe(6);
});

test("a peer is given the deltas that have what it lacks, and no others", () => {
  const log = new DeltaLog<string>(1_000);
  for (const [from, to] of [
    [2, 4],
    [4, 5],
    [5, 9],
  ] as const)
    log.push(delta(from, to));
  expect(intervals(log.since(1))).toBeUndefined();
  expect(intervals(log.since(2))).toEqual([
    [2, 4],
    [4, 5],
    [5, 9],
  ]);
  expect(intervals(log.since(3))).toEqual(intervals(log.since(2)));
  expect(intervals(log.since(4))).toEqual([
    [4, 5],
    [5, 9],
  ]);
  expect(intervals(log.since(8))).toEqual([[5, 9]]);
});

test("an empty log reaches back to nothing, also after it was cleared", () => {
  const log = new DeltaLog<string>(3);
  expect(log.since(0)).toBeUndefined();
  for (let number = 0; number < 5; number++) log.push(delta(number, number + 1));
  log.clear();
  expect(log.since(5)).toBeUndefined();
  log.push(delta(5, 6));
  expect(intervals(log.since(5))).toEqual([[5, 6]]);
});

test("a cleared log has all its room again", () => {
  const log = new DeltaLog<string>(4);
  log.push(delta(0, 3));
  log.clear();
  log.push(delta(3, 6));
  expect(intervals(log.since(3))).toEqual([[3, 6]]);
});

test("the log holds as much as its bound says, counting each delta for one, and not one more", () => {
  const log = new DeltaLog<string>(6);
  log.push(delta(0, 1)); // 2 with itself.
  log.push(delta(1, 2, 2)); // 4.
  expect(intervals(log.since(0))).toEqual([
    [0, 1],
    [1, 2],
  ]);
  log.push({ ...delta(2, 3), numbers: [], values: [] }); // Even an empty one is too much.
  expect(log.since(0)).toBeUndefined();
  expect(intervals(log.since(1))).toEqual([
    [1, 2],
    [2, 3],
  ]);
  log.push(delta(3, 9)); // More than fits at all.
  expect(log.since(3)).toBeUndefined();
  log.push(delta(9, 10));
  expect(intervals(log.since(9))).toEqual([[9, 10]]);
});

test("a bounded log stays bounded in memory, however many deltas pass through", () => {
  const log = new DeltaLog<string>(20);
  const held = () => Reflect.get(log, "deltas") as (Delta<string> | undefined)[];
  for (let number = 0; number < 1_000; number++) {
    log.push(delta(number, number + 1));
    expect(held().filter((one) => one !== undefined).length).toBeLessThanOrEqual(10);
    expect(held().length).toBeLessThanOrEqual(2 * 32 + 2);
    const reach = Math.max(0, number - 9);
    expect(log.since(reach)).toHaveLength(number + 1 - reach);
  }
});

test.each([10, 500])(
  "what a push costs does not grow with the %s deltas that are held: they are moved seldom",
  (held) => {
    const log = new DeltaLog<string>(2 * held); // A delta of one add counts for two.
    const pushes = 2_000;
    let [moves, moved, last] = [0, 0, Reflect.get(log, "deltas") as unknown[]];
    for (let number = 0; number < pushes; number++) {
      log.push(delta(number, number + 1));
      const deltas = Reflect.get(log, "deltas") as unknown[];
      if (deltas === last) continue;
      moves++;
      moved += deltas.length;
      last = deltas;
    }
    expect(moves).toBeGreaterThan(0);
    expect(moves).toBeLessThanOrEqual(pushes / 32);
    expect(moved).toBeLessThanOrEqual(pushes);
  },
);
