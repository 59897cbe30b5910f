/** What the clients of a topic share of one message. */
import { describe, expect, test, vi } from "vitest";
import { EncodedJson } from "./message.ts";
import { serializerFor } from "./serializer.ts";
import { SharedBroadcast } from "./shared-broadcast.ts";

const v1 = serializerFor("1.0.0")!;
const v2 = serializerFor("2.0.0")!;
const payload = { joins: { "b\u00f6b": { metas: [] } } };

function diff(json = JSON.stringify(payload), namesJoin = true): SharedBroadcast {
  return new SharedBroadcast("room:1", "presence_diff", new EncodedJson(json), { namesJoin });
}

describe("a message that names the join", () => {
  test.each(["3", '"', "\u00f6", 7])(
    "%j is the message with that reference, and else the same",
    (joinRef) => {
      const frame = diff().frameFor(v2, joinRef)!;
      expect(JSON.parse(frame.text!)).toEqual([joinRef, null, "room:1", "presence_diff", payload]);
      expect(Buffer.concat(frame.pieces).toString()).toBe(frame.text);
      expect(frame.size).toBe(Buffer.byteLength(frame.text!));
    },
  );

  test("names none to a client that has named none, or whose protocol has no place for it", () => {
    const shared = diff();
    expect(JSON.parse(shared.frameFor(v2, null)!.text!)[0]).toBeNull();
    expect(Object.keys(JSON.parse(shared.frameFor(v1, "3")!.text!))).toEqual([
      "event",
      "payload",
      "ref",
      "topic",
    ]);
  });

  test("is encoded once for all joins, and made once for those that share a reference", () => {
    const shared = diff();
    const broadcast = vi.spyOn(v2, "broadcast");
    const frames = new Set(Array.from({ length: 90 }, (_, index) => shared.frameFor(v2, String(index % 30))));
    expect(frames.size).toBe(30);
    expect(broadcast).toHaveBeenCalledTimes(1);
    broadcast.mockRestore();
  });

  test("keeps a bounded number of frames", () => {
    const shared = diff();
    for (let join = 0; join < 1_000; join++) shared.frameFor(v2, String(join));
    expect(shared.frameFor(v2, "0")).toBe(shared.frameFor(v2, "0"));
    expect(shared.frameFor(v2, "999")).not.toBe(shared.frameFor(v2, "999"));
  });

  test("that is large is in memory once, whatever the joins", () => {
    const shared = diff(JSON.stringify({ joins: { key: "x".repeat(100_000) } }));
    const frames = ["1", "22"].map((joinRef) => shared.frameFor(v2, joinRef)!);
    const [one, other] = frames.map(({ pieces }) => pieces[1]!);
    expect(one!.buffer).toBe(other!.buffer);
    for (const frame of frames) {
      expect(frame.pieces[0]!.length).toBeLessThan(10);
      expect(Buffer.concat(frame.pieces).toString()).toBe(frame.text);
    }
  });
});

test("any other message is one frame for all", () => {
  const shared = diff(undefined, false);
  expect(shared.frameFor(v2, "1")).toBe(shared.frameFor(v2, "2"));
  expect(JSON.parse(shared.frameFor(v2, "1")!.text!)[0]).toBeNull();
});
