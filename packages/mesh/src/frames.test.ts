import { expect, test } from "vitest";
import { decodeEnvelope, FRAME } from "./frames.ts";

test("a frame whose parts refer to each other is malformed: a few bytes must not stand for a lot of work", () => {
  // Thirty arrays, each of which holds the one before it twice, by msgpackr's extension for references.
  const levels = Array.from({ length: 30 }, (_, level) => {
    const pointer = [0xd6, 0x70, 0, 0, 0, level + 1];
    return [0xd6, 0x69, 0, 0, 0, level + 2, 0x92, ...pointer, ...pointer];
  });
  const references = [0xdc, 0, 31, 0xd6, 0x69, 0, 0, 0, 1, 0x90, ...levels.flat()];
  const body = [0x82, 0xa4, ...Buffer.from("body"), 0xc4, 0, 0xa4, ...Buffer.from("more"), ...references];
  const frame = Uint8Array.from([1, FRAME.hello, ...body]);
  expect(() => decodeEnvelope(frame)).toThrow(expect.objectContaining({ code: "MALFORMED" }));
});
