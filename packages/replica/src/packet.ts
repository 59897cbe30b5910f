/** A payload with raw bytes beside it: for whatever has its own encoding already, and for what is large. */
import { InvalidArgumentError } from "./errors.ts";
import { copyBytes, freezeJson } from "./json-copy.ts";

/**
 * A JSON header and buffers. Only the header is encoded; the buffers are copied as they are, and cost nothing but that,
 * however large they are. To be sent and answered like any other payload, and it comes out as a packet.
 */
export class Packet {
  readonly header: unknown;
  readonly buffers: readonly Uint8Array[];

  /** @throws {InvalidArgumentError} unless `buffers` is a list of Uint8Array */
  constructor(header: unknown, buffers: readonly Uint8Array[]) {
    if (!Array.isArray(buffers) || buffers.some((buffer) => !(buffer instanceof Uint8Array)))
      throw new InvalidArgumentError("buffers", "must be a list of Uint8Array");
    this.header = header;
    this.buffers = Object.freeze([...buffers]);
    Object.freeze(this);
  }
}

/** Bytes of all buffers. */
export function rawBytesOf({ buffers }: Packet): number {
  let bytes = 0;
  for (const { length } of buffers) bytes += length;
  return bytes;
}

/** What cannot be frozen, and therefore is copied for each listener. */
export function isRaw(payload: unknown): payload is Uint8Array | Packet {
  return payload instanceof Uint8Array || payload instanceof Packet;
}

/** A payload that its caller may change after the call, for a receiver here. */
export function ownPayload(payload: unknown): unknown {
  return isRaw(payload) ? copyRaw(payload) : payload;
}

/** Cost: O(bytes). */
function copyRaw(payload: Uint8Array | Packet): Uint8Array | Packet {
  if (payload instanceof Uint8Array) return copyBytes(payload);
  return new Packet(freezeJson(payload.header), payload.buffers.map(copyBytes));
}
