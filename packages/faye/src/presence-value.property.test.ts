import fc from "fast-check";
import type { Presence } from "presently";
import { saidIn } from "presently/drop-in";
import { expect, test } from "vitest";
import { metaOf, shownValue } from "./presence-value.ts";

const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)));
const id = fc.oneof(fc.string({ minLength: 1 }), fc.integer({ min: 1 }));
/** The usual request, and any other: more fields, another order, a number for an id. */
const presence = fc.oneof(
  fc.record({ id, data: json }, { requiredKeys: ["id"], noNullPrototype: true }),
  fc.tuple(id, json, json).map(([given, data, more]) => ({ data, more, id: given })),
  fc.tuple(id, json).map(([given, more]) => ({ id: given, more, $at: 1 })),
);

test("a request is shown as it was sent, to the letter, and says its data to other protocols", () => {
  fc.assert(
    fc.property(presence, fc.nat(), (sent, at) => {
      const key = String(sent.id);
      const other = { key, meta: { info: 1, $at: at }, ref: "a" } as unknown as Presence;
      const meta = metaOf({ id: key, presence: sent }, [other]);
      expect(JSON.stringify(shownValue({ key, meta }, "request"))).toBe(JSON.stringify(sent));
      const data = (sent as { data?: unknown }).data;
      expect(shownValue({ key, meta }, "data")).toEqual(data ?? null);
      expect(saidIn(meta)).toEqual({ info: data, at: at + 1 });
    }),
  );
});

test("who came by another protocol is shown with what it says there as data", () => {
  expect(shownValue({ key: "alice", meta: { device: "phone" } }, "request")).toEqual({
    id: "alice",
    data: { device: "phone" },
  });
  expect(shownValue({ key: "alice", meta: { info: "hello", $at: 7 } }, "request")).toEqual({
    id: "alice",
    data: "hello",
  });
  expect(shownValue({ key: "alice", meta: { socketId: "x", $at: 0 } }, "request")).toEqual({ id: "alice" });
});
