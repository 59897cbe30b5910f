/**
 * Binary frames: the kind, one byte for the length of each field, the fields as UTF-8, then the payload as it is.
 *
 * A push of the server has no ref, so that its header is one byte shorter than that of a client's push.
 */
import { FrameError } from "./errors.ts";
import { Frame } from "./frame.ts";
import type { Message } from "./message.ts";

export const KIND = { push: 0, reply: 1, broadcast: 2 } as const;

const FIELD_BYTES_MAX = 255;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws {FrameError} naming the field that is longer than 255 bytes */
export function encodeBinary(
  kind: number,
  fields: Readonly<Record<string, string>>,
  payload: Uint8Array,
): Frame {
  const lengths = [kind];
  const texts: Uint8Array[] = [];
  for (const [name, text] of Object.entries(fields)) {
    const bytes = Buffer.from(text, "utf8");
    if (bytes.length > FIELD_BYTES_MAX)
      throw new FrameError(`${name} has ${bytes.length} bytes: a binary frame takes at most 255`);
    lengths.push(bytes.length);
    texts.push(bytes);
  }
  return new Frame(Buffer.concat([Uint8Array.from(lengths), ...texts, payload]));
}

/**
 * Reads a push of a client. The payload is a view of `bytes`, not a copy.
 *
 * @throws {FrameError} for another kind, lengths beyond the end, and text that is not UTF-8
 */
export function decodePush(bytes: Uint8Array): Message {
  const [kind, ...lengths] = bytes.subarray(0, 5);
  if (kind !== KIND.push) throw new FrameError(`a client sends binary frames of kind 0, not ${kind}`);
  let offset = 5;
  const [joinRef, ref, topic, event] = [0, 1, 2, 3].map((index) => {
    const end = offset + (lengths[index] ?? Number.POSITIVE_INFINITY);
    if (end > bytes.length) throw new FrameError("a binary frame ends before its fields do");
    const text = decodeText(bytes.subarray(offset, end));
    offset = end;
    return text;
  }) as [string, string, string, string];
  const payload = bytes.subarray(offset);
  return { joinRef: joinRef === "" ? null : joinRef, ref: ref === "" ? null : ref, topic, event, payload };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new FrameError("a field of a binary frame is not UTF-8", { cause: error });
  }
}
