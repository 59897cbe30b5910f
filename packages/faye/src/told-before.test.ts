import { expect, test } from "vitest";
import { noteOf, ToldBefore } from "./told-before.ts";

const room = "/presence/x";
const event = (number: number) => ({ channel: room, ext: noteOf(number) });

test("a client that leaves and comes back gets no event from before", () => {
  const told = new ToldBefore();
  told.begins("c", room, 3);
  expect(told.includes(event(3), "c")).toBe(true);
  expect(told.includes(event(4), "c")).toBe(false);
  // Subscribing again without leaving misses nothing.
  told.begins("c", room, 7);
  expect(told.includes(event(5), "c")).toBe(false);
  told.ends("c", room);
  told.begins("c", room, 7);
  expect(told.includes(event(5), "c")).toBe(true);
});

test("clients do not see the number, and others' events are nobody's business", () => {
  const told = new ToldBefore();
  told.begins("c", room, 3);
  const own = { channel: room, ext: { ...noteOf(4), more: 1 } };
  expect(told.includes(own, "c")).toBe(false);
  expect(own.ext).toEqual({ more: 1 });
  expect(told.includes(event(1), "d")).toBe(false);
  expect(told.includes(event(1), undefined)).toBe(false);
  expect(told.includes({ channel: room }, "c")).toBe(false);
});
