/** Active or away, in virtual time, against a model that looks at every moment. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { NotingRoom, VirtualClock } from "../../../test/helpers/client-clock.ts";
import type { ActivitySource } from "./activity.ts";
import type { AnyRoom } from "./room.ts";
import { mergeStatus, trackStatus } from "./status.ts";

class Page implements ActivitySource {
  hidden = false;
  listeners: Parameters<ActivitySource["listen"]>[0] | undefined;

  listen(listeners: Parameters<ActivitySource["listen"]>[0]): () => void {
    this.listeners = listeners;
    return () => {
      this.listeners = undefined;
    };
  }

  hide(hidden: boolean): void {
    this.hidden = hidden;
    this.listeners?.visibility();
  }
}

function start(options: { idleMs: number; hiddenMs?: number; hidden?: boolean }) {
  const [room, page, clock] = [new NotingRoom(), new Page(), new VirtualClock()];
  page.hidden = options.hidden ?? false;
  const tracker = trackStatus(room as unknown as AnyRoom, { ...options, activity: page, clock });
  return { room, page, clock, tracker };
}

const steps = fc.array(
  fc.record({ waitMs: fc.nat(150), act: fc.constantFrom("touch", "hide", "show", "none") }),
  { size: "max", maxLength: 50 },
);

test("one is away exactly while the page was hidden, or nothing was touched, for long enough", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(0, 30), async (actions, hiddenMs) => {
      const idleMs = 100;
      const { room, page, clock, tracker } = start({ idleMs, hiddenMs });
      let [touchedAtMs, hiddenAtMs] = [0, Number.POSITIVE_INFINITY];
      for (const { waitMs, act } of actions) {
        await clock.advance(waitMs);
        if (act === "touch") {
          touchedAtMs = clock.now();
          page.listeners!.activity();
        } else if (act === "hide") {
          hiddenAtMs = Math.min(hiddenAtMs, clock.now());
          page.hide(true);
        } else if (act === "show") {
          [touchedAtMs, hiddenAtMs] = [clock.now(), Number.POSITIVE_INFINITY];
          page.hide(false);
        }
        const isAway = clock.now() >= Math.min(touchedAtMs + idleMs, hiddenAtMs + hiddenMs);
        expect(tracker.status).toBe(isAway ? "away" : "active");
        expect(room.meta.status).toBe(tracker.status);
        expect(clock.pending).toBe(isAway ? 0 : 1);
      }
      // Only what is different is said.
      for (const [index, said] of room.updates.entries())
        if (index > 0) expect(said).not.toEqual(room.updates[index - 1]);
    }),
    { numRuns: 60 },
  );
});

test("hiding is away at once, the first sign of life is active at once, and the rest of the meta stays", async () => {
  const { room, page, clock, tracker } = start({ idleMs: 1_000 });
  room.meta = { ...room.meta, name: "Alice" };
  page.hide(true);
  expect(room.meta).toEqual({ name: "Alice", status: "away" });
  page.hide(false);
  expect(room.meta.status).toBe("active");
  await clock.advance(1_000);
  expect(room.meta.status).toBe("away");
  page.listeners!.activity();
  expect([room.meta.status, tracker.status]).toEqual(["active", "active"]);
});

test("stopping, or leaving the room, leaves nothing behind, and a page that is hidden from the start is away", async () => {
  const { room, page, clock, tracker } = start({ idleMs: 1_000, hidden: true });
  expect(room.meta.status).toBe("away");
  const changes: string[] = [];
  tracker.onChange((status) => void changes.push(status));
  page.hide(false);
  room.emit("leaving");
  expect([page.listeners, clock.pending, changes]).toEqual([undefined, 0, ["active"]]);
});

test("outside of a page it says what is missing", () => {
  expect(() => trackStatus(new NotingRoom() as unknown as AnyRoom)).toThrow(
    expect.objectContaining({ code: "NO_ACTIVITY_SOURCE" }),
  );
});

test.each([
  [[{ status: "away" }, { status: "active" }], "active"],
  [[{ status: "away" }, { status: "away" }], "away"],
  [[{ status: "away" }, {}], "active"],
  [[{}], "active"],
] as const)("of the tabs of a person %j is %s", (metas, merged) => {
  expect(mergeStatus(metas)).toBe(merged);
});
