/** Both directions of the wire, held against the serializer of the npm client. */
import fc from "fast-check";
// @ts-expect-error The client ships no types for its parts.
import { Serializer } from "phoenix";
import { describe, expect, test } from "vitest";
import { FrameError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { EncodedJson } from "./message.ts";
import { serializerFor } from "./serializer.ts";

interface ClientMessage {
  readonly join_ref: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

const v2 = serializerFor("2.0.0")!;
const v1 = serializerFor(undefined)!;
const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const json = fc.jsonValue({ maxDepth: 4 });
const bytes = fc.uint8Array({ maxLength: 300 });

function clientEncodes(message: ClientMessage): string | ArrayBuffer {
  let encoded: string | ArrayBuffer | undefined;
  Serializer.encode(message, (result: string | ArrayBuffer) => {
    encoded = result;
  });
  return encoded!;
}

function clientDecodes(frame: Frame): ClientMessage {
  let decoded: ClientMessage | undefined;
  const { buffer, byteOffset, byteLength } = frame.bytes;
  const raw = frame.text ?? buffer.slice(byteOffset, byteOffset + byteLength);
  Serializer.decode(raw, (message: ClientMessage) => {
    decoded = message;
  });
  return decoded!;
}

describe("version 2", () => {
  test("reads every text frame that the client writes", () => {
    fc.assert(
      fc.property(
        fc.option(word),
        fc.option(word),
        word,
        word,
        json.filter((it) => it !== null),
        (join_ref, ref, topic, event, payload) => {
          const text = clientEncodes({ join_ref, ref, topic, event, payload }) as string;
          expect(v2.decodeText(text)).toEqual({
            joinRef: join_ref,
            ref,
            topic,
            event,
            payload: JSON.parse(JSON.stringify(payload)),
          });
        },
      ),
    );
  });

  test("reads every binary frame that the client writes", () => {
    fc.assert(
      fc.property(word, word, word, word, bytes, (join_ref, ref, topic, event, content) => {
        const payload = Uint8Array.from(content).buffer;
        const frame = clientEncodes({ join_ref, ref, topic, event, payload }) as ArrayBuffer;
        const message = v2.decodeBinary(new Uint8Array(frame));
        expect({ ...message, payload: [...(message.payload as Uint8Array)] }).toEqual({
          joinRef: join_ref,
          ref,
          topic,
          event,
          payload: [...content],
        });
      }),
    );
  });

  test("writes text frames that the client reads", () => {
    fc.assert(
      fc.property(word, word, word, word, json, (joinRef, ref, topic, event, payload) => {
        const same = JSON.parse(JSON.stringify(payload));
        expect(clientDecodes(v2.push({ joinRef, ref: null, topic, event, payload }))).toEqual({
          join_ref: joinRef,
          ref: null,
          topic,
          event,
          payload: same,
        });
        expect(clientDecodes(v2.broadcast({ topic, event, payload }))).toEqual({
          join_ref: null,
          ref: null,
          topic,
          event,
          payload: same,
        });
        expect(clientDecodes(v2.reply({ joinRef, ref, topic, status: event, payload }))).toEqual({
          join_ref: joinRef,
          ref,
          topic,
          event: "phx_reply",
          payload: { status: event, response: same },
        });
      }),
    );
  });

  test("writes binary frames that the client reads", () => {
    fc.assert(
      fc.property(word, word, word, word, bytes, (joinRef, ref, topic, event, payload) => {
        const buffer = Uint8Array.from(payload).buffer;
        expect(clientDecodes(v2.push({ joinRef, ref: null, topic, event, payload }))).toEqual({
          join_ref: joinRef,
          ref: null,
          topic,
          event,
          payload: buffer,
        });
        expect(clientDecodes(v2.broadcast({ topic, event, payload }))).toEqual({
          join_ref: null,
          ref: null,
          topic,
          event,
          payload: buffer,
        });
        expect(clientDecodes(v2.reply({ joinRef, ref, topic, status: event, payload }))).toEqual({
          join_ref: joinRef,
          ref,
          topic,
          event: "phx_reply",
          payload: { status: event, response: buffer },
        });
      }),
    );
  });

  test("says of any garbage that it is no message, and nothing else", () => {
    const check = (decode: () => unknown) => {
      try {
        decode();
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    };
    fc.assert(fc.property(bytes, (garbage) => check(() => v2.decodeBinary(garbage))));
    fc.assert(fc.property(fc.string(), (garbage) => check(() => v2.decodeText(garbage))));
    fc.assert(fc.property(fc.json(), (garbage) => check(() => v2.decodeText(garbage))));
    fc.assert(fc.property(fc.json(), (garbage) => check(() => v1.decodeText(garbage))));
  });
});

describe("version 1", () => {
  test("reads and writes maps", () => {
    fc.assert(
      fc.property(fc.option(word), word, word, json, (ref, topic, event, payload) => {
        const same = JSON.parse(JSON.stringify(payload));
        const text = JSON.stringify({ topic, event, payload, ref });
        expect(v1.decodeText(text)).toEqual({ joinRef: null, ref, topic, event, payload: same });
        const pushed = v1.push({ joinRef: "1", ref: null, topic, event, payload });
        expect(JSON.parse(pushed.text!)).toEqual({ event, payload: same, ref: null, topic });
        const reply = v1.reply({ joinRef: "1", ref, topic, status: "ok", payload });
        expect(JSON.parse(reply.text!)).toEqual({
          event: "phx_reply",
          payload: { status: "ok", response: same },
          ref,
          topic,
        });
      }),
    );
  });
});

test("an encoded payload is taken as it is", () => {
  fc.assert(
    fc.property(word, word, json, (topic, event, payload) => {
      const encoded = new EncodedJson(JSON.stringify(payload));
      for (const serializer of [v1, v2])
        expect(serializer.broadcast({ topic, event, payload: encoded }).text).toBe(
          serializer.broadcast({ topic, event, payload }).text,
        );
    }),
  );
});
