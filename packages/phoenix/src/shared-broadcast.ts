/**
 * One message to everybody on a topic: its frame is made once for each protocol version, not once for each socket.
 *
 * A message that changes what a client holds names the join that it belongs to. phoenix.js drops a message of an earlier
 * join. Without the name it would keep a diff that was on its way when its user left and joined again, and apply it to the
 * newer state. The frames of all joins share one encoding.
 */
import { freezeJson } from "presently/drop-in";
import { FrameError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { type Broadcast, EncodedJson, type Payload, type Ref, type UserBroadcast } from "./message.ts";
import type { Serializer } from "./serializer.ts";

/** Frames of different joins that are kept: clients of one application mostly join under the same few refs. */
const JOINS_KEPT_MAX = 32;

export interface BroadcastOptions {
  /** Whether each client is told which of its joins the message belongs to. Default: not. */
  readonly namesJoin?: boolean;
}

export class SharedBroadcast {
  /** The room whose members get it. */
  readonly room: string;
  readonly event: string;
  readonly payload: EncodedJson | Uint8Array | UserBroadcast;
  readonly #namesJoin: boolean;
  /** By version. */
  readonly #frames: (Frame | undefined)[] = [];
  /** Of the version that names joins, by the join. */
  readonly #framesOfJoins = new Map<Ref, Frame>();
  #decoded: { readonly payload: Payload } | undefined;

  constructor(
    room: string,
    event: string,
    payload: EncodedJson | Uint8Array | UserBroadcast,
    { namesJoin = false }: BroadcastOptions = {},
  ) {
    this.room = room;
    this.event = event;
    this.payload = payload;
    this.#namesJoin = namesJoin;
  }

  /**
   * The frame for a client that has joined under `joinRef`, and knows the room as `topic`: all members of a room know it as
   * the same. Undefined if this version of the protocol has no frame for it:
   * bytes in version 1, long names with bytes in version 2.
   */
  frameFor(serializer: Serializer, joinRef: Ref, topic = this.room): Frame | undefined {
    const { version, underJoin } = serializer;
    if (!(version in this.#frames))
      this.#frames[version] = encode(serializer, { topic, event: this.event, payload: this.payload });
    const frame = this.#frames[version];
    if (!this.#namesJoin || joinRef === null || underJoin === undefined || !frame) return frame;
    const made = this.#framesOfJoins.get(joinRef);
    if (made !== undefined) return made;
    const own = underJoin(frame, joinRef);
    if (this.#framesOfJoins.size < JOINS_KEPT_MAX) this.#framesOfJoins.set(joinRef, own);
    return own;
  }

  /** The payload as a value, for callbacks: frozen, since they all get the same. */
  get value(): Payload {
    const { payload } = this;
    this.#decoded ??= {
      payload: payload instanceof EncodedJson ? freezeJson(JSON.parse(payload.text)) : payload,
    };
    return this.#decoded.payload;
  }
}

function encode(serializer: Serializer, broadcast: Broadcast): Frame | undefined {
  try {
    return serializer.broadcast(broadcast);
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}
