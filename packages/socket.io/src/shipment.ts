/**
 * A message between servers: a header, and the frames that Socket.IO's encoder made of a packet. The frames travel as they
 * are, so that clients of all servers get the same bytes.
 *
 * Bytes: the length of the header (4), the header as JSON, and of each frame its kind (1: text, 2: bytes) and length (4).
 */

import { InvalidArgumentError } from "presently";

/** A part of an encoded packet: a text, or an attachment. */
export type Frame = string | Uint8Array | ArrayBuffer | DataView;

/** What was sent. The frames that are bytes share memory with the message. */
export interface Shipment {
  readonly header: unknown;
  readonly frames: readonly (string | Buffer)[];
}

const TEXT = 1;
const BYTES = 2;

/**
 * The message as bytes. Cost: O(bytes); everything is copied once.
 *
 * @throws {InvalidArgumentError} for an attachment that is no bytes, such as a Blob
 */
export function pack(header: object, frames: readonly Frame[] = []): Uint8Array {
  const head = Buffer.from(JSON.stringify(header));
  const parts = frames.map((frame) =>
    typeof frame === "string"
      ? { kind: TEXT, bytes: Buffer.from(frame) }
      : { kind: BYTES, bytes: bytesOf(frame) },
  );
  const size = parts.reduce((sum, { bytes }) => sum + 5 + bytes.length, 4 + head.length);
  const packed = Buffer.allocUnsafe(size);
  let at = packed.writeUInt32BE(head.length);
  packed.set(head, at);
  at += head.length;
  for (const { kind, bytes } of parts) {
    at = packed.writeUInt8(kind, at);
    at = packed.writeUInt32BE(bytes.length, at);
    packed.set(bytes, at);
    at += bytes.length;
  }
  return packed;
}

/** @throws {InvalidArgumentError} for what is no bytes, such as a Blob */
export function bytesOf(frame: Exclude<Frame, string>): Uint8Array {
  if (frame instanceof ArrayBuffer) return new Uint8Array(frame);
  if (ArrayBuffer.isView(frame)) return new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
  throw new InvalidArgumentError("attachment", "must be bytes: a Buffer, ArrayBuffer or view of one");
}

/** Undefined for what `pack` has not made. */
export function unpack(payload: unknown): Shipment | undefined {
  if (!(payload instanceof Uint8Array)) return undefined;
  const packed = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  try {
    let at = 4;
    const take = (length: number): Buffer => {
      if (at + length > packed.length) throw new RangeError("cut off");
      at += length;
      return packed.subarray(at - length, at);
    };
    const header: unknown = JSON.parse(take(packed.readUInt32BE(0)).toString());
    const frames: (string | Buffer)[] = [];
    while (at < packed.length) {
      const kind = take(1)[0];
      const bytes = take(take(4).readUInt32BE(0));
      if (kind !== TEXT && kind !== BYTES) return undefined;
      frames.push(kind === TEXT ? bytes.toString() : bytes);
    }
    return { header, frames };
  } catch {
    return undefined;
  }
}
