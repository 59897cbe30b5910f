/** Version 2.0.0: a message is a JSON array of five, or a binary frame if its payload is bytes. */
import { decodeMessage, encodeBinary, encodeUserBroadcast, KIND } from "./binary-frame.ts";
import { checkMessage, parseJson } from "./decode-json.ts";
import { FrameError } from "./errors.ts";
import { Frame } from "./frame.ts";
import { EVENT, type Ref, toJson, UserBroadcast } from "./message.ts";
import type { Serializer } from "./serializer.ts";

/** How a text frame begins that names no join. */
const NO_JOIN = "[null";

export const serializerV2: Serializer = {
  version: 2,

  decodeText(text) {
    const parts = parseJson(text);
    // What follows the five is for later versions.
    if (!Array.isArray(parts) || parts.length < 5) throw new FrameError("a message is an array of five");
    const [joinRef, ref, topic, event, payload] = parts;
    return checkMessage({ joinRef, ref, topic, event, payload });
  },

  decodeBinary: decodeMessage,

  push({ joinRef, ref, topic, event, payload }) {
    if (payload instanceof Uint8Array)
      return encodeBinary(KIND.push, { join_ref: refText(joinRef), topic, event }, payload);
    return encode(joinRef, ref, topic, event, toJson(payload));
  },

  reply({ joinRef, ref, topic, status, payload }) {
    if (payload instanceof Uint8Array) {
      const fields = { join_ref: refText(joinRef), ref: refText(ref), topic, status };
      return encodeBinary(KIND.reply, fields, payload);
    }
    const response = `{"status":${JSON.stringify(status)},"response":${toJson(payload)}}`;
    return encode(joinRef, ref, topic, EVENT.reply, response);
  },

  broadcast({ topic, event, payload }) {
    if (payload instanceof UserBroadcast) return encodeUserBroadcast(topic, payload);
    if (payload instanceof Uint8Array) return encodeBinary(KIND.broadcast, { topic, event }, payload);
    return encode(null, null, topic, event, toJson(payload));
  },

  underJoin(broadcast, joinRef) {
    return broadcast.withHead(`[${JSON.stringify(joinRef)}`, NO_JOIN.length);
  },
};

function encode(joinRef: Ref, ref: Ref, topic: string, event: string, payload: string): Frame {
  return new Frame(
    `[${JSON.stringify(joinRef)},${JSON.stringify(ref)},${JSON.stringify(topic)},${JSON.stringify(event)},${payload}]`,
  );
}

function refText(ref: Ref): string {
  return ref === null ? "" : String(ref);
}
