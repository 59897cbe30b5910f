import fc from "fast-check";
import { expect, test } from "vitest";
import { DeliveryQueue, type DeliveryQueueOptions } from "./delivery-queue.ts";

const options: DeliveryQueueOptions = {
  batchEventsMax: 3,
  batchDelayMs: 100,
  queueEventsMax: 5,
  retryMinMs: 10,
  retryMaxMs: 40,
  retryForMs: 1_000,
};

const events = (from: number, to = from) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ id: String(from + index), body: {} }));
const ids = (batch: { events: readonly { id: string }[] } | undefined) =>
  batch?.events.map(({ id }) => Number(id));

test("events wait for each other, but a full batch for nothing", () => {
  const queue = new DeliveryQueue(options);
  expect(queue.dueAt).toBe(Number.POSITIVE_INFINITY);
  queue.push(events(1), 0);
  expect(queue.take(99)).toBeUndefined();
  queue.push(events(2), 50);
  expect(ids(queue.take(100))).toEqual([1, 2]);
  queue.delivered(110);
  queue.push(events(3, 5), 120);
  expect(queue.dueAt).toBe(120);
});

test("a batch is tried again after growing pauses, as it was, and others wait behind it", () => {
  const queue = new DeliveryQueue(options);
  queue.push(events(1), 0);
  const first = queue.take(100)!;
  queue.push(events(2), 100);
  const pauses: number[] = [];
  for (let attempt = 0, now = 100; attempt < 5; attempt++) {
    expect(queue.dueAt).toBe(Number.POSITIVE_INFINITY);
    expect(queue.failed(now, false, 1)).toBe(0);
    pauses.push(queue.dueAt - now);
    now = queue.dueAt;
    expect(queue.take(now)).toMatchObject({ id: first.id, events: first.events, attempts: attempt + 2 });
  }
  expect(pauses).toEqual([10, 20, 40, 40, 40]);
  queue.delivered(500);
  expect(ids(queue.take(500))).toEqual([2]);
});

test("a batch that is too old, or that nobody wants, is given up", () => {
  const queue = new DeliveryQueue(options);
  queue.push(events(1, 2), 0);
  queue.take(100);
  expect(queue.failed(200, true, 0)).toBe(2);
  queue.push(events(3), 200);
  queue.take(300);
  expect(queue.failed(1_299, false, 0)).toBe(0);
  queue.take(1_400);
  expect(queue.failed(1_400, false, 0)).toBe(1);
  expect(queue.size).toBe(0);
});

test("the queue stays bounded, the oldest go, and what is taken comes in its order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(4), fc.constantFrom("take", "ok", "fail" as const)), {
        maxLength: 60,
        size: "max",
      }),
      (steps) => {
        const queue = new DeliveryQueue(options);
        let [now, made, dropped, last] = [0, 0, 0, 0];
        let underWay: number[] | undefined;
        for (const step of steps) {
          now += 200;
          if (typeof step === "number") {
            dropped += queue.push(events(made + 1, made + step), now);
            made += step;
          } else if (step === "take") {
            const batch = ids(queue.take(now));
            if (batch !== undefined) {
              expect(batch[0]).toBeGreaterThan(last);
              underWay = batch;
            }
          } else if (underWay !== undefined) {
            if (step === "ok") queue.delivered(now);
            else dropped += queue.failed(now, false, 0.5);
            if (step === "ok") last = underWay.at(-1)!;
            underWay = undefined;
          }
          expect(queue.size).toBeLessThanOrEqual(options.queueEventsMax + options.batchEventsMax);
        }
        expect(dropped).toBeGreaterThanOrEqual(0);
      },
    ),
  );
});
