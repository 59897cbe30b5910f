/**
 * Socket.IO's own encoder and decoder, for what travels between servers. No other codec repeats its values: a Map, a Date or an
 * object with `toJSON` would be one thing for the clients of this server and another for those of the next.
 */
import type { Frame } from "./shipment.ts";

/** A packet of Socket.IO; `data` begins with the name of the event. */
export interface Packet {
  readonly type: number;
  nsp?: string;
  id?: number;
  readonly data: unknown[];
}

interface Decoder {
  on(event: "decoded", listener: (packet: Packet) => void): void;
  add(frame: unknown): void;
  destroy?(): void;
}

/** What another server sent cannot be read. */
export class MalformedError extends TypeError {}

/** What of a Socket.IO server makes packets of values and back; the option `parser` of the server may replace both. */
export interface ParsingServer {
  readonly encoder: { encode(packet: Packet): Frame[] };
  readonly _parser: { readonly Decoder: new (options: object) => Decoder };
}

const EVENT = 2;

/** The bound on attachments is for what clients send. */
const OPTIONS = { maxAttachments: Number.MAX_SAFE_INTEGER };

/** Stands where packets have the name of their event. */
const VALUE = "value";

export class Codec {
  readonly #server: ParsingServer;
  readonly #namespace: string;
  /** What packets were made into, for as long as these are around. */
  readonly #known = new WeakMap<Packet, Frame[]>();

  constructor(server: ParsingServer, namespace: string) {
    this.#server = server;
    this.#namespace = namespace;
  }

  /** As the server's encoder, once for each packet: `remember` and `shipped` packets are not encoded again. */
  encode(packet: Packet): Frame[] {
    return this.#known.get(packet) ?? this.#server.encoder.encode(packet);
  }

  /** Encodes a packet that is sent here and elsewhere. */
  remember(packet: Packet): readonly Frame[] {
    packet.nsp = this.#namespace;
    const frames = this.#server.encoder.encode(packet);
    this.#known.set(packet, frames);
    return frames;
  }

  /** The packet that another server has encoded. It is decoded only if somebody looks at its data. */
  shipped(frames: readonly Frame[]): Packet {
    let data: unknown[] | undefined;
    const decode = () => (data ??= this.#decode(frames));
    const packet: Packet = {
      type: EVENT,
      nsp: this.#namespace,
      get data() {
        return decode();
      },
    };
    this.#known.set(packet, [...frames]);
    return packet;
  }

  /**
   * A packet of the same event that is encoded anew, as one with an id of this server must be.
   *
   * @throws {MalformedError} for frames that are not one event
   */
  copied(frames: readonly Frame[]): Packet {
    return { type: EVENT, nsp: this.#namespace, data: this.#decode(frames) };
  }

  /** @throws whatever the encoder throws, for a circular value for example */
  encodeValue(value: unknown): Frame[] {
    return this.#server.encoder.encode({ type: EVENT, nsp: this.#namespace, data: [VALUE, value] });
  }

  /** @throws {MalformedError} for frames that are not one value */
  decodeValue(frames: readonly Frame[]): unknown {
    return this.#decode(frames)[1];
  }

  #decode(frames: readonly Frame[]): unknown[] {
    const decoder = new this.#server._parser.Decoder(OPTIONS);
    let decoded: Packet | undefined;
    decoder.on("decoded", (packet) => {
      decoded = packet;
    });
    try {
      for (const frame of frames) decoder.add(frame);
    } catch (cause) {
      throw new MalformedError("the frames cannot be decoded", { cause });
    } finally {
      decoder.destroy?.();
    }
    if (!Array.isArray(decoded?.data)) throw new MalformedError("the frames are not one event");
    return decoded.data;
  }
}
