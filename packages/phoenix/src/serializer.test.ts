import { describe, expect, test } from "vitest";
import { FrameError } from "./errors.ts";
import { serializerFor } from "./serializer.ts";

const v2 = serializerFor("2.0.0")!;
const v1 = serializerFor("1.0.0")!;
const bytes = Uint8Array.of(1, 2, 3);

describe("the version", () => {
  test.each([
    [undefined, 1],
    ["1.0.0", 1],
    ["2.0.0", 2],
    ["2.0.7", 2],
    ["3.0.0", undefined],
    ["2.1.0", undefined],
    ["2", undefined],
    ["", undefined],
    [{ a: "1" }, undefined],
  ])("%j is served by serializer %s", (vsn, version) => {
    expect(serializerFor(vsn)?.version).toBe(version);
  });
});

describe("frames as they were captured from the npm client", () => {
  test("a binary push", () => {
    const captured = Buffer.from("0001010a033336726f6f6d3a6c6f62627962696e010203", "hex");
    expect(v2.decodeBinary(captured)).toEqual({
      joinRef: "3",
      ref: "6",
      topic: "room:lobby",
      event: "bin",
      payload: Buffer.from(bytes),
    });
  });

  test("a join", () => {
    expect(v2.decodeText('["3","3","room:lobby","phx_join",{}]')).toEqual({
      joinRef: "3",
      ref: "3",
      topic: "room:lobby",
      event: "phx_join",
      payload: {},
    });
  });
});

describe("the layout of frames", () => {
  test("is an array of five in version 2", () => {
    expect(v2.push({ joinRef: "3", ref: null, topic: "t", event: "e", payload: { a: 1 } }).text).toBe(
      '["3",null,"t","e",{"a":1}]',
    );
    expect(v2.broadcast({ topic: "t", event: "e", payload: { a: 1 } }).text).toBe(
      '[null,null,"t","e",{"a":1}]',
    );
    expect(v2.reply({ joinRef: "3", ref: "4", topic: "t", status: "ok", payload: undefined }).text).toBe(
      '["3","4","t","phx_reply",{"status":"ok","response":{}}]',
    );
  });

  test("is a length for each field before the bytes", () => {
    expect([...v2.push({ joinRef: "3", ref: null, topic: "t", event: "e", payload: bytes }).bytes]).toEqual([
      0, 1, 1, 1, 0x33, 0x74, 0x65, 1, 2, 3,
    ]);
    expect([...v2.reply({ joinRef: "3", ref: "4", topic: "t", status: "ok", payload: bytes }).bytes]).toEqual(
      [1, 1, 1, 1, 2, 0x33, 0x34, 0x74, 0x6f, 0x6b, 1, 2, 3],
    );
    expect([...v2.broadcast({ topic: "t", event: "é", payload: bytes }).bytes]).toEqual([
      2, 1, 2, 0x74, 0xc3, 0xa9, 1, 2, 3,
    ]);
  });

  test("has no room for a field of more than 255 bytes", () => {
    const broadcast = (topic: string) => v2.broadcast({ topic, event: "e", payload: bytes });
    expect(broadcast("t".repeat(255)).bytes).toHaveLength(3 + 255 + 1 + 3);
    expect(() => broadcast("é".repeat(128))).toThrow("topic has 256 bytes");
  });

  test("tolerates what later versions may append", () => {
    expect(v2.decodeText('[null,"1","phoenix","heartbeat",{},"more"]').event).toBe("heartbeat");
  });

  test("has no bytes in version 1", () => {
    expect(() => v1.decodeBinary(bytes)).toThrow(FrameError);
    expect(() => v1.broadcast({ topic: "t", event: "e", payload: bytes })).toThrow(FrameError);
  });
});

describe("what is no message is refused", () => {
  test.each([
    ["no JSON", "[1,"],
    ["a map", '{"topic":"t"}'],
    ["four elements", '[null,"1","t","e"]'],
    ["a topic that is no text", '[null,"1",7,"e",{}]'],
    ["an event that is no text", '[null,"1","t",null,{}]'],
    ["a ref that is a map", '[null,{},"t","e",{}]'],
    ["deep nesting", `[null,"1","t","e",${"[".repeat(5_000)}${"]".repeat(5_000)}]`],
  ])("%s", (_, text) => {
    expect(() => v2.decodeText(text)).toThrow(FrameError);
  });

  test.each([
    ["nothing", []],
    ["a reply", [1, 0, 0, 0, 0]],
    ["half a header", [0, 1, 1]],
    ["lengths beyond the end", [0, 1, 1, 1, 200, 0x33]],
    ["what is not UTF-8", [0, 1, 0, 0, 0, 0xff]],
  ])("%s", (_, content) => {
    expect(() => v2.decodeBinary(Uint8Array.from(content))).toThrow(FrameError);
  });

  test("brackets in a text do not count as nesting", () => {
    expect(
      v2.decodeText(JSON.stringify([null, "1", "t", "e", { a: `"${"[".repeat(200)}\\` }])),
    ).toBeDefined();
  });
});
