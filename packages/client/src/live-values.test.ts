/** Pointers, typing and fields that change often, in virtual time. */
import { expect, test } from "vitest";
import { NotingRoom, VirtualClock } from "../../../test/helpers/client-clock.ts";
import { liveValues } from "./live-values.ts";
import type { AnyRoom } from "./room.ts";
import { throttledUpdates } from "./throttled-updates.ts";
import { typing } from "./typing.ts";

function world() {
  const [noting, clock] = [new NotingRoom(), new VirtualClock()];
  return { noting, clock, room: noting as unknown as AnyRoom };
}

test("one's own value goes out at once and then once an interval; taking it back goes out at once", async () => {
  const { noting, clock, room } = world();
  const pointers = liveValues<number>(room, "pointer", { intervalMs: 50, clock });
  for (const x of [1, 2, 3]) pointers.set(x);
  await clock.advance(50);
  pointers.set(4);
  pointers.clear();
  pointers.clear();
  await clock.advance(50);
  expect(noting.sent).toEqual([
    ["pointer", { value: 1 }],
    ["pointer", { value: 3 }],
    ["pointer", {}],
  ]);
});

test("values of others are kept until they are taken back, their person leaves, or nothing new comes", async () => {
  const { noting, clock, room } = world();
  const pointers = liveValues<number>(room, "pointer", { expireMs: 100, clock });
  let changes = 0;
  pointers.onChange(() => void changes++);
  const hear = (said: unknown, key: string) => noting.emit("message pointer", said, key);
  hear({ value: 1 }, "alice");
  hear({ value: 2 }, "bob");
  hear({ value: 3 }, "carol");
  const before = pointers.values;
  expect([...before]).toEqual([
    ["alice", 1],
    ["bob", 2],
    ["carol", 3],
  ]);
  hear({}, "bob");
  hear({}, "nobody");
  hear("no value", "alice");
  hear(null, "alice");
  noting.emit("leave", { key: "carol" });
  expect([[...before].length, [...pointers.values], changes]).toEqual([3, [["alice", 1]], 5]);
  await clock.advance(60);
  hear({ value: 4 }, "dave");
  await clock.advance(40);
  expect([...pointers.values]).toEqual([["dave", 4]]);
  await clock.advance(60);
  expect([pointers.values.size, clock.pending]).toEqual([0, 0]);
  expect(pointers.values).toBe(pointers.values);
});

test("as many values are kept as may be: the oldest gives way", () => {
  const { noting, clock, room } = world();
  const pointers = liveValues<number>(room, "pointer", { valuesMax: 2, clock });
  for (const [key, value] of [
    ["a", 1],
    ["b", 2],
    ["a", 3],
    ["c", 4],
  ] as const)
    noting.emit("message pointer", { value }, key);
  expect([...pointers.values]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
});

test("leaving the room takes one's own value back, and leaves nothing behind", async () => {
  const { noting, clock, room } = world();
  const pointers = liveValues<number>(room, "pointer", { clock });
  noting.emit("message pointer", { value: 1 }, "alice");
  pointers.set(1);
  pointers.set(2);
  noting.emit("leaving");
  pointers.set(3);
  await clock.advance(1_000);
  expect(noting.sent.map(([, said]) => said)).toEqual([{ value: 1 }, {}]);
  expect([pointers.values.size, clock.pending, noting.listeners]).toEqual([0, 0, 0]);
});

test("typing is told at once, twice while it lasts, and is over by itself", async () => {
  const { noting, clock, room } = world();
  const own = typing(room, { expireMs: 4_000, clock });
  for (let ms = 0; ms < 4_000; ms += 100) {
    own.touch();
    await clock.advance(100);
  }
  expect(noting.sent.every(([event, said]) => event === "typing" && (said as { value: true }).value)).toBe(
    true,
  );
  expect([2, 3]).toContain(noting.sent.length);
  own.stop();
  expect(noting.sent.at(-1)).toEqual(["typing", {}]);
  noting.emit("message typing", { value: true }, "bob");
  noting.emit("message typing", { value: true }, "alice");
  const { keys } = own;
  expect([keys, own.keys === keys]).toEqual([["alice", "bob"], true]);
  await clock.advance(4_000);
  expect(own.keys).toEqual([]);
});

test("of fields that change often the last values are said, and leaving the room says what waits", async () => {
  const { noting, clock, room } = world();
  noting.meta = { name: "Alice" };
  const fields = throttledUpdates<Record<string, unknown>>(room, { intervalMs: 100, clock });
  fields.set({ x: 1 });
  fields.set({ x: 2 });
  fields.set({ x: 3, y: 1 });
  fields.set({ y: 2 });
  await clock.advance(100);
  fields.set({ x: 4 });
  expect(fields.pending).toBe(true);
  noting.emit("leaving");
  fields.set({ x: 5 });
  await clock.advance(1_000);
  expect(noting.updates).toEqual([
    { name: "Alice", x: 1 },
    { name: "Alice", x: 3, y: 2 },
    { name: "Alice", x: 4, y: 2 },
  ]);
  expect([clock.pending, noting.listeners]).toEqual([0, 0]);
});
