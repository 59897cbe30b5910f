/** One message to everybody on a topic: its frame is made once for each protocol version, not once for each socket. */
import { FrameError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { type Broadcast, EncodedJson, type Payload } from "./message.ts";
import type { Serializer } from "./serializer.ts";

export class SharedBroadcast implements Broadcast {
  readonly topic: string;
  readonly event: string;
  readonly payload: EncodedJson | Uint8Array;
  /** By version. */
  readonly #frames: (Frame | undefined)[] = [];
  #decoded: { readonly payload: Payload } | undefined;

  constructor(topic: string, event: string, payload: EncodedJson | Uint8Array) {
    this.topic = topic;
    this.event = event;
    this.payload = payload;
  }

  /** Undefined if this version of the protocol has no frame for it: bytes in version 1, long names with bytes in version 2. */
  frameFor(serializer: Serializer): Frame | undefined {
    const { version } = serializer;
    if (!(version in this.#frames)) this.#frames[version] = encode(serializer, this);
    return this.#frames[version];
  }

  /** The payload as a value, for callbacks. */
  get value(): Payload {
    const { payload } = this;
    this.#decoded ??= { payload: payload instanceof EncodedJson ? JSON.parse(payload.text) : payload };
    return this.#decoded.payload;
  }
}

function encode(serializer: Serializer, broadcast: SharedBroadcast): Frame | undefined {
  try {
    return serializer.broadcast(broadcast);
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}
