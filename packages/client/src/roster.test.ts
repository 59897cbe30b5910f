/** What a break of a connection looks like in the list, case by case. */
import { expect, test } from "vitest";
import { Roster } from "./roster.ts";

const roster = (leaveDelayMs = 1_000) => new Roster<{ name?: string }>({ leaveDelayMs, heldMax: 10 });
const meta = (ref: string, fields: object = {}) => ({ phx_ref: ref, online_at: "1700000000", ...fields });

test("a connection that is told twice has one seat, and gives it up once", () => {
  const meta = { phx_ref: "1", name: "Bob" };
  for (const settlesBetween of [false, true]) {
    const roster = new Roster({ leaveDelayMs: 0, heldMax: 10 });
    roster.came("bob", [meta]);
    if (settlesBetween) roster.settle(0);
    roster.came("bob", [meta]);
    roster.settle(0);
    expect(roster.people.map(({ key, metas }) => [key, metas.length])).toEqual([["bob", 1]]);
    roster.came("bob", [meta]);
    roster.gone("bob", [meta]);
    roster.settle(0);
    expect(roster.people).toEqual([]);
  }
});

test("who comes back in time was never away: the same person, since the same time", () => {
  const list = roster();
  list.came("alice", [meta("1", { name: "A" })]);
  list.settle(0);
  const before = list.people;
  list.gone("alice", [meta("1")]);
  expect(list.settle(10)).toEqual([]);
  list.came("alice", [meta("2", { name: "A", online_at: "1700000099" })]);
  expect(list.settle(1_009)).toEqual([]);
  expect(list.people).toBe(before);
  expect(list.people[0]).toMatchObject({ key: "alice", metas: [{ name: "A" }], sinceMs: 1_700_000_000_000 });
  expect(list.expire(9_999)).toEqual([]);
});

test("who comes back with something else to say is an update", () => {
  const list = roster();
  list.came("alice", [meta("1", { name: "A" })]);
  list.settle(0);
  list.gone("alice", [meta("1")]);
  list.came("alice", [meta("2", { name: "B" })]);
  expect(list.settle(10)).toMatchObject([
    { type: "update", person: { meta: { name: "B" } }, previous: { meta: { name: "A" } } },
  ]);
});

test("who does not come back leaves when the time is over, and not before", () => {
  const list = roster();
  list.came("alice", [meta("1")]);
  list.settle(0);
  list.gone("alice", [meta("1")]);
  list.settle(5);
  expect([list.nextExpiryMs, list.expire(1_004), list.people.length]).toEqual([1_005, [], 1]);
  expect(list.expire(1_005)).toMatchObject([{ type: "leave", person: { key: "alice" } }]);
  expect([list.people, list.nextExpiryMs]).toEqual([[], undefined]);
});

test("the people of a node that could not be reached for a moment are there with their references of before", () => {
  const list = roster();
  list.came("alice", [meta("1")]);
  list.settle(0);
  list.gone("alice", [meta("1")]);
  list.settle(5);
  list.came("alice", [meta("1")]);
  list.settle(500);
  expect([list.nextExpiryMs, list.expire(5_000), list.people.length]).toEqual([undefined, [], 1]);
});

test("an update takes the place of what it replaces, while another tab comes back", () => {
  const list = roster();
  list.came("alice", [meta("1", { name: "one" }), meta("2", { name: "two" })]);
  list.settle(0);
  list.gone("alice", [meta("1"), meta("2")]);
  list.came("alice", [meta("4", { name: "one" }), meta("3", { name: "three", phx_ref_prev: "2" })]);
  list.settle(1);
  expect(list.people[0]!.metas).toEqual([{ name: "one" }, { name: "three" }]);
  expect(list.nextExpiryMs).toBeUndefined();
});
