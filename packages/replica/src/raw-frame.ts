/**
 * The frame of a message with raw bytes beside it: the bytes stand behind the message as they are, and are read where they
 * stand. Its fields: version, type, whether the bytes are the whole payload, how many buffers and how long each, how long the
 * message without them, that message, the buffers.
 */
import { ProtocolError } from "./errors.ts";

const HEADER_BYTES = 2 + 1 + 4;
const LENGTH_BYTES = 4;

export interface RawParts {
  /** Whether the one buffer is the whole payload. */
  readonly isBare: boolean;
  /** The frame of the message without them. */
  readonly inner: Uint8Array;
  readonly buffers: readonly Uint8Array[];
}

/** Cost: one copy of each buffer. */
export function joinRaw(version: number, type: number, { isBare, inner, buffers }: RawParts): Uint8Array {
  let length = HEADER_BYTES + LENGTH_BYTES * (buffers.length + 1) + inner.length;
  for (const buffer of buffers) length += buffer.length;
  const frame = new Uint8Array(length);
  const view = new DataView(frame.buffer);
  frame.set([version, type, isBare ? 1 : 0]);
  view.setUint32(3, buffers.length);
  let at = HEADER_BYTES;
  for (const part of [...buffers, inner]) {
    view.setUint32(at, part.length);
    at += LENGTH_BYTES;
  }
  for (const part of [inner, ...buffers]) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** The parts are views of the frame. @throws {ProtocolError} `BAD_FRAME` */
export function splitRaw(frame: Uint8Array): RawParts {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const count = frame.length < HEADER_BYTES ? Number.POSITIVE_INFINITY : view.getUint32(3);
  let at = HEADER_BYTES + LENGTH_BYTES * (count + 1);
  if (at > frame.length) throw new ProtocolError("BAD_FRAME", "a frame with raw bytes is too short");
  const lengths = Array.from({ length: count + 1 }, (_, index) =>
    view.getUint32(HEADER_BYTES + LENGTH_BYTES * index),
  );
  const isBare = frame[2] === 1;
  if (isBare && count !== 1) throw new ProtocolError("BAD_FRAME", "one buffer was expected");
  const next = (length: number): Uint8Array => {
    at += length;
    return frame.subarray(at - length, at);
  };
  const inner = next(lengths.pop()!);
  const buffers = lengths.map(next);
  if (at !== frame.length) throw new ProtocolError("BAD_FRAME", "raw bytes are missing, or too many");
  return { isBare, inner, buffers };
}
