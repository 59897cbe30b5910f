/** Throttling in virtual time: how often, how many at once, and that the last value arrives. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { settled, VirtualClock } from "../../../test/helpers/client-clock.ts";
import { Throttled } from "./throttled.ts";

const steps = fc.array(fc.record({ waitMs: fc.nat(120), answerMs: fc.nat(200) }), {
  size: "max",
  maxLength: 60,
});

test("at most one send an interval and one on its way; values keep their order, and the last one always arrives", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 100 }), async (actions, intervalMs) => {
      const clock = new VirtualClock();
      const sent: { value: number; atMs: number }[] = [];
      let onTheirWay = 0;
      let answerMs = 0;
      const throttled = new Throttled<number>(
        (value) => {
          expect(++onTheirWay).toBe(1);
          sent.push({ value, atMs: clock.now() });
          return new Promise((resolve) => {
            clock.after(answerMs, () => {
              onTheirWay--;
              resolve(undefined);
            });
          });
        },
        { intervalMs, clock },
      );
      for (const [index, action] of actions.entries()) {
        answerMs = action.answerMs;
        throttled.set(index);
        await clock.advance(action.waitMs);
      }
      await clock.advance(10_000);
      expect(sent.map(({ value }) => value)).toEqual(
        [...sent.map(({ value }) => value)].sort((a, b) => a - b),
      );
      for (const [index, { atMs }] of sent.entries())
        if (index > 0) expect(atMs - sent[index - 1]!.atMs).toBeGreaterThanOrEqual(intervalMs);
      expect(sent.at(-1)?.value).toBe(actions.length === 0 ? undefined : actions.length - 1);
      expect([throttled.pending, clock.pending]).toEqual([false, 0]);
    }),
    { numRuns: 60 },
  );
});

test("the first value after a quiet interval goes out at once", async () => {
  const clock = new VirtualClock();
  const sent: unknown[] = [];
  const throttled = new Throttled<string>(async (value) => void sent.push([clock.now(), value]), {
    intervalMs: 50,
    clock,
  });
  throttled.set("a");
  throttled.set("b");
  throttled.set("c");
  await clock.advance(49);
  expect(sent).toEqual([[0, "a"]]);
  await clock.advance(200);
  throttled.set("d");
  expect(sent).toEqual([
    [0, "a"],
    [50, "c"],
    [249, "d"],
  ]);
});

test("a send that fails does not end it, and flush waits for nothing", async () => {
  const clock = new VirtualClock();
  const sent: number[] = [];
  const throttled = new Throttled<number>(
    (value) => {
      sent.push(value);
      return value === 1 ? Promise.reject(new Error("refused")) : new Promise(() => {});
    },
    { intervalMs: 50, clock },
  );
  throttled.set(1);
  throttled.set(2);
  await clock.advance(50);
  throttled.set(3);
  await clock.advance(1_000);
  expect(sent).toEqual([1, 2]);
  throttled.flush();
  await settled();
  expect([sent, throttled.pending]).toEqual([[1, 2, 3], false]);
});
