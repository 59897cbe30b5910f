/** The parts of a key space that stand for themselves. */
import fc from "fast-check";
import type { ReplicaId } from "presently";
import { describe, expect, test } from "vitest";
import { ExpiryQueue } from "./expiry-queue.ts";
import { HybridClock } from "./hybrid-clock.ts";
import { itemOf, utf8Length } from "./item.ts";
import { type KeyspaceOptions, resolveKeyspaceOptions } from "./options.ts";
import { integerOf, Slot } from "./slot.ts";

const a = "a@1" as ReplicaId;
const b = "b@1" as ReplicaId;
const everybody = () => true;

describe("a hybrid clock", () => {
  test("never repeats a stamp, nor falls back when the wall clock does", () => {
    const clock = new HybridClock(60_000);
    const stamps = [1_000, 1_000, 500, 1_001, 2_000].map((wallMs) => clock.next(wallMs));
    expect(stamps).toEqual([...new Set(stamps)].sort((one, other) => one - other));
  });

  test("is later than all it has seen, but for a clock that is far ahead", () => {
    const clock = new HybridClock(60_000);
    clock.witness(1_030_000_000, 1_000_000);
    expect(clock.next(1_000_000)).toBe(1_030_000_001);
    clock.witness(9_000_000_000_000, 1_000_000);
    expect(clock.next(1_000_000)).toBe(1_060_000_001);
  });
});

test("an expiry queue gives what is due, the earliest first, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.nat(50), (times, nowMs) => {
      const queue = new ExpiryQueue();
      for (const [index, atMs] of times.entries()) queue.add(`${index}`, atMs);
      expect(queue.nextMs).toBe(Math.min(Number.POSITIVE_INFINITY, ...times));
      const taken: number[] = [];
      for (let key = queue.take(nowMs); key !== undefined; key = queue.take(nowMs))
        taken.push(times[Number(key)]!);
      expect(taken).toEqual(times.filter((atMs) => atMs <= nowMs).sort((one, other) => one - other));
    }),
  );
});

describe("a slot", () => {
  const register = (origin: ReplicaId, stamp: number, value: string, bound = false) => ({
    item: itemOf("string", "k", { value, stamp, bound }),
    origin,
    number: 1,
  });
  const count = (origin: ReplicaId, number: number) => ({
    item: itemOf("count", "k", { number }),
    origin,
    number: 2,
  });

  test("shows the newest of concurrent registers, whichever came first", () => {
    for (const registers of [
      [register(a, 1, "old"), register(b, 2, "new")],
      [register(b, 2, "new"), register(a, 1, "old")],
      [register(a, 2, "old"), register(b, 2, "new")],
    ]) {
      const slot = new Slot();
      slot.registers.push(...registers);
      expect(slot.text(everybody)).toBe("new");
    }
  });

  test("adds all counts to a number, and lets a text hide them", () => {
    const slot = new Slot();
    slot.counts.push(count(a, 3), count(b, -1));
    expect(slot.text(everybody)).toBe("2");
    slot.registers.push(register(a, 1, "40"));
    expect(slot.text(everybody)).toBe("42");
    slot.registers.push(register(b, 2, "text"));
    expect(slot.text(everybody)).toBe("text");
  });

  test("hides what stands for a process that is not seen", () => {
    const slot = new Slot();
    slot.registers.push(register(a, 1, "mine"), register(b, 2, "its", true));
    expect(slot.text((origin) => origin === a)).toBe("mine");
    expect(slot.text(everybody)).toBe("its");
  });
});

test("only what Redis reads as an integer is one", () => {
  expect(["0", "-1", "9007199254740991"].map(integerOf)).toEqual([0, -1, 9_007_199_254_740_991]);
  for (const text of ["", "01", "-0", "+1", "1.0", "1e3", " 1", "9007199254740992", "0x1", "NaN"])
    expect(integerOf(text)).toBeUndefined();
});

test("the bytes of a text are those of its UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
    }),
  );
  expect(utf8Length("\ud800")).toBe(3);
});

describe("the options", () => {
  test("have defaults, which undefined leaves as they are", () => {
    expect(resolveKeyspaceOptions({ keysMax: undefined as never, name: "game" })).toMatchObject({
      keysMax: 100_000,
      name: "game",
    });
  });

  test.each([
    [{ keysMax: 0 }, "keysMax"],
    [{ bytesMax: Number.NaN }, "bytesMax"],
    [{ name: "not valid!" }, "name"],
    [{ keyMax: 1 }, "keyMax"],
  ])("%j is refused by name", (options, named) => {
    expect(() => resolveKeyspaceOptions(options as KeyspaceOptions)).toThrow(named);
  });
});
