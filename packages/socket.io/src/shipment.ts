/**
 * A message between servers: a header, and the frames that Socket.IO's encoder made of a packet. The frames travel as they
 * are, so that clients of all servers get the same bytes.
 */
import { InvalidArgumentError, Packet } from "presently";

/** A part of an encoded packet: a text, or an attachment. */
export type Frame = string | Uint8Array | ArrayBuffer | DataView;

/** What was sent. */
export interface Shipment {
  readonly header: unknown;
  readonly frames: readonly (string | Buffer)[];
}

/** @throws {InvalidArgumentError} for an attachment that is no bytes, such as a Blob. Cost: O(bytes). */
export function pack(header: object, frames: readonly Frame[] = []): Packet {
  const texts = frames.map((frame) => typeof frame === "string");
  const parts = frames.map((frame) => (typeof frame === "string" ? Buffer.from(frame) : bytesOf(frame)));
  // As bytes, the header may be as large as it likes, and have half characters in it.
  return new Packet(texts, [Buffer.from(JSON.stringify(header)), ...parts]);
}

/** @throws {InvalidArgumentError} for what is no bytes, such as a Blob */
export function bytesOf(frame: Exclude<Frame, string>): Uint8Array {
  if (frame instanceof Uint8Array) return frame;
  if (frame instanceof ArrayBuffer) return new Uint8Array(frame);
  if (ArrayBuffer.isView(frame)) return new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
  throw new InvalidArgumentError("attachment", "must be bytes: a Buffer, ArrayBuffer or view of one");
}

/** Undefined for what `pack` has not made. */
export function unpack(payload: unknown): Shipment | undefined {
  if (!(payload instanceof Packet)) return undefined;
  const { header: texts, buffers } = payload;
  const [head, ...parts] = buffers.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  if (head === undefined || !Array.isArray(texts) || texts.length !== parts.length) return undefined;
  try {
    const header: unknown = JSON.parse(head.toString());
    return { header, frames: parts.map((part, index) => (texts[index] === true ? part.toString() : part)) };
  } catch {
    return undefined;
  }
}
