import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Dialer } from "./dialer.ts";
import { Patience } from "./patience.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A dialer whose jitter is the longest, and the times of its attempts, on a clock that is driven by hand. */
function setUp() {
  const dials: number[] = [];
  const patience: number[] = [];
  const startMs = performance.now();
  const dialer = new Dialer({
    minMs: 100,
    maxMs: 1000,
    random: () => 1,
    now: () => performance.now(),
    patience: new Patience(2000),
    dial: (_, patienceMs) => {
      dials.push(Math.round(performance.now() - startMs));
      patience.push(patienceMs);
    },
  });
  const fail = () => {
    dialer.settled("x");
    dialer.later("x");
  };
  return { dialer, dials, patience, fail };
}

describe("a dialer", () => {
  test("waits longer after each failure, up to a bound, for ever", () => {
    const { dialer, dials, fail } = setUp();
    dialer.soon("x");
    for (let attempt = 0; attempt < 9; attempt += 1) {
      vi.advanceTimersToNextTimer();
      fail();
    }
    expect(dials).toEqual([0, 100, 300, 700, 1500, 2500, 3500, 4500, 5500]);
    expect(dialer.failures("x")).toBe(9);
  });

  test("waits longer for who was too slow, up to a bound, and as long as the round trip asks for once it is known", () => {
    const { dialer, patience, fail } = setUp();
    const next = () => {
      vi.advanceTimersToNextTimer();
      fail();
    };
    dialer.soon("x");
    next();
    // Who refuses is near enough.
    next();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      dialer.tooSlow("x");
      next();
    }
    for (const roundTripMs of [1500, 10, 60_000]) {
      dialer.measured("x", roundTripMs);
      next();
    }
    expect(patience).toEqual([2000, 2000, 4000, 8000, 8000, 4500, 2000, 8000]);
  });

  test("dials at once when asked, and starts from the shortest wait again", () => {
    const { dialer, dials, fail } = setUp();
    dialer.soon("x");
    for (let attempt = 0; attempt < 5; attempt += 1) {
      vi.advanceTimersToNextTimer();
      fail();
    }
    vi.advanceTimersByTime(500);
    dialer.soon("x");
    vi.advanceTimersToNextTimer();
    fail();
    vi.advanceTimersToNextTimer();
    expect(dials).toEqual([0, 100, 300, 700, 1500, 2000, 2100]);
  });

  test("does not dial more often than it may, however often it is asked", () => {
    const { dialer, dials } = setUp();
    for (let ms = 0; ms < 1000; ms += 1) {
      dialer.settled("x");
      dialer.soon("x");
      vi.advanceTimersByTime(1);
    }
    expect(dials.length).toBeLessThanOrEqual(11);
    expect(dials.length).toBeGreaterThan(8);
  });

  test("has one attempt an address under way", () => {
    const { dialer, dials } = setUp();
    dialer.soon("x");
    vi.advanceTimersByTime(0);
    dialer.soon("x");
    dialer.later("x");
    vi.advanceTimersByTime(10_000);
    expect(dials).toEqual([0]);
  });

  test("rests when told to, until asked again", () => {
    const { dialer, dials } = setUp();
    dialer.soon("x");
    dialer.rest("x");
    vi.advanceTimersByTime(10_000);
    expect(dials).toEqual([]);
    dialer.later("x", 50);
    vi.advanceTimersByTime(50);
    expect(dials).toEqual([10_050]);
  });

  test("holds off for the longest wait, even if asked", () => {
    const { dialer, dials } = setUp();
    dialer.holdOff("x");
    dialer.soon("x");
    vi.advanceTimersByTime(999);
    expect(dials).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(dials).toEqual([1000]);
  });

  test("leaves no timer behind when it stops", () => {
    const { dialer } = setUp();
    dialer.soon("x");
    dialer.later("y");
    dialer.stop();
    dialer.soon("z");
    expect(vi.getTimerCount()).toBe(0);
  });
});
