import fc from "fast-check";
import { Packet } from "presently";
import { expect, test } from "vitest";
import { pack, unpack } from "./shipment.ts";

const frame = fc.oneof(fc.string({ unit: "grapheme" }), fc.uint8Array());
const header = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.array(fc.string())));

test("what is packed is unpacked as it was", () => {
  fc.assert(
    fc.property(header, fc.array(frame), (given, frames) => {
      const taken = unpack(pack(given, frames));
      expect(JSON.stringify(taken?.header)).toBe(JSON.stringify(given));
      expect(taken?.frames.map((part) => (typeof part === "string" ? part : new Uint8Array(part)))).toEqual(
        frames,
      );
    }),
  );
});

test("anything else is refused, and nothing throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(fc.uint8Array(), { minLength: 1 }), (given, buffers) => {
      for (const payload of [given, buffers[0], new Packet("header", buffers), new Packet([], [])])
        expect(unpack(payload)).toBeUndefined();
      void unpack(new Packet(given, buffers));
    }),
  );
});

test("views of any kind travel as their bytes, and what is no bytes is refused", () => {
  const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
  for (const view of [bytes.buffer, new DataView(bytes.buffer), new Float32Array(bytes.buffer) as never])
    expect(unpack(pack({}, [view]))?.frames).toEqual([Buffer.from(bytes)]);
  expect(() => pack({}, [new Blob(["x"]) as never])).toThrow(/must be bytes/);
});
