/** What travels between a client and its channels, before and after the wire. */
import { jsonOf } from "presently/drop-in";

/** Names a message, or the join that a message belongs to. Chosen by the client; phoenix.js uses strings. */
export type Ref = string | number | null;

/** JSON, or bytes, which travel as a binary frame. */
export type Payload = unknown;

/** A message of a client. */
export interface Message {
  /** The `ref` of the join that it belongs to; null if the client does not say. */
  readonly joinRef: Ref;
  readonly ref: Ref;
  readonly topic: string;
  readonly event: string;
  readonly payload: Payload;
}

/** A message of one channel to its own client. */
export interface Push {
  readonly joinRef: Ref;
  /** Null but for `phx_close` and `phx_error`, which repeat the join's. A binary push has none. */
  readonly ref: Ref;
  readonly topic: string;
  readonly event: string;
  readonly payload: Payload;
}

/** The answer to one message. */
export interface ReplyMessage {
  readonly joinRef: Ref;
  readonly ref: Ref;
  readonly topic: string;
  /** `ok`, `error`, or any other word that the client waits for. */
  readonly status: string;
  readonly payload: Payload;
}

/** A message to everybody who has joined a topic. */
export interface Broadcast {
  readonly topic: string;
  readonly event: string;
  readonly payload: Payload;
}

/**
 * Bytes with an event of their client's choice, as Supabase's clients send them: they travel as the event `broadcast` in
 * binary frames of kinds 3 and 4.
 */
export class UserBroadcast {
  readonly event: string;
  readonly bytes: Uint8Array;

  constructor(event: string, bytes: Uint8Array) {
    this.event = event;
    this.bytes = bytes;
  }
}

/** The events of the protocol itself. */
export const EVENT = {
  join: "phx_join",
  leave: "phx_leave",
  reply: "phx_reply",
  close: "phx_close",
  error: "phx_error",
  heartbeat: "heartbeat",
  broadcast: "broadcast",
  state: "presence_state",
  diff: "presence_diff",
} as const;

/** The topic of heartbeats. */
export const PROTOCOL_TOPIC = "phoenix";

/** A payload that is JSON text already, so that it is made once however many frames hold it. */
export class EncodedJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** @throws {InvalidArgumentError} for what JSON cannot say, a BigInt or a circle. `undefined` is an empty map. */
export function toJson(payload: Payload): string {
  if (payload instanceof EncodedJson) return payload.text;
  return payload === undefined ? "{}" : jsonOf("payload", payload);
}
