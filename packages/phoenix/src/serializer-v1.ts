/** Version 1.0.0: every message is a JSON map. For clients that send no `vsn`. It has no binary frames. */
import { checkMessage, parseJson } from "./decode-json.ts";
import { FrameError } from "./errors.ts";
import { Frame } from "./frame.ts";
import { EVENT, type Payload, type Ref, toJson, UserBroadcast } from "./message.ts";
import type { Serializer } from "./serializer.ts";

export const serializerV1: Serializer = {
  version: 1,

  decodeText(text) {
    const map = parseJson(text);
    if (typeof map !== "object" || map === null || Array.isArray(map))
      throw new FrameError("a message of version 1 is a map");
    const { join_ref: joinRef, ref, topic, event, payload } = map as Readonly<Record<string, unknown>>;
    return checkMessage({ joinRef, ref, topic, event, payload });
  },

  decodeBinary() {
    throw new FrameError("version 1 has no binary frames: connect with vsn=2.0.0");
  },

  push: ({ ref, topic, event, payload }) => encode(ref, topic, event, json(payload)),

  reply: ({ ref, topic, status, payload }) =>
    encode(ref, topic, EVENT.reply, `{"status":${JSON.stringify(status)},"response":${json(payload)}}`),

  broadcast: ({ topic, event, payload }) => encode(null, topic, event, json(payload)),
};

function encode(ref: Ref, topic: string, event: string, payload: string): Frame {
  return new Frame(
    `{"event":${JSON.stringify(event)},"payload":${payload},"ref":${JSON.stringify(ref)},"topic":${JSON.stringify(topic)}}`,
  );
}

function json(payload: Payload): string {
  if (payload instanceof Uint8Array || payload instanceof UserBroadcast)
    throw new FrameError("version 1 has no binary frames");
  return toJson(payload);
}
