import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CountSchedule } from "./count-schedule.ts";

const DELAY_MS = 3_000;
const BLOCKED_UNTIL = 10_000;

/** Runs a history of connects and disconnects, publishing whenever it is due; answers when that was. */
function publications(events: readonly { readonly gap: number; readonly type: "connect" | "disconnect" }[]) {
  const schedule = new CountSchedule({ delayMs: DELAY_MS, blockedUntil: BLOCKED_UNTIL });
  const published: number[] = [];
  const times: { at: number; type: string }[] = [];
  let now = 0;
  const runUntil = (until: number) => {
    while (schedule.dueAt <= until) {
      const at = Math.max(now, schedule.dueAt);
      if (schedule.take(at)) published.push(at);
      now = at;
    }
    now = until;
  };
  for (const { gap, type } of events) {
    runUntil(now + gap);
    times.push({ at: now, type });
    if (type === "connect") schedule.connect(now);
    else schedule.disconnect();
  }
  runUntil(now + 100_000);
  return { published, times };
}

const histories = fc.array(
  fc.record({
    gap: fc.nat({ max: 6_000 }),
    type: fc.constantFrom("connect" as const, "disconnect" as const),
  }),
  { maxLength: 40, size: "max" },
);

describe("the schedule of counts", () => {
  test("publishes nothing while it is blocked", () => {
    fc.assert(
      fc.property(histories, (events) => {
        for (const at of publications(events).published) expect(at).toBeGreaterThanOrEqual(BLOCKED_UNTIL);
      }),
    );
  });

  test("publishes at once after a disconnect", () => {
    fc.assert(
      fc.property(histories, (events) => {
        const { published, times } = publications(events);
        for (const { at } of times.filter(({ type }) => type === "disconnect"))
          expect(published).toContain(Math.max(at, BLOCKED_UNTIL));
      }),
    );
  });

  test("lets no connect go without a count that comes after its delay, and none later than another delay", () => {
    fc.assert(
      fc.property(histories, (events) => {
        const { published, times } = publications(events);
        for (const { at } of times.filter(({ type }) => type === "connect")) {
          const due = Math.max(at + DELAY_MS, BLOCKED_UNTIL);
          expect(published.some((time) => time >= due && time <= due + DELAY_MS)).toBe(true);
        }
      }),
    );
  });

  test("is silent when nothing happens", () => {
    expect(publications([]).published).toEqual([]);
  });

  test("counts a crowd that connects together no more than twice", () => {
    const crowd = Array.from({ length: 1_000 }, () => ({ gap: 1, type: "connect" as const }));
    const late = [{ gap: 20_000, type: "connect" as const }, ...crowd];
    expect(publications(late).published.length).toBeLessThanOrEqual(2);
  });
});
