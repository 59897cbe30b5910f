/**
 * Binary frames: the kind, one byte for the length of each field, the fields as UTF-8, then the payload as it is.
 *
 * A push of the server has no ref, so that its header is one byte shorter than that of a client's push.
 */
import { parseJson } from "./decode-json.ts";
import { FrameError } from "./errors.ts";
import { Frame } from "./frame.ts";
import { EVENT, type Message, type Payload, type Ref, UserBroadcast } from "./message.ts";

/** Kinds 3 and 4 are Supabase's: a broadcast of a client, and one for a client. */
export const KIND = { push: 0, reply: 1, broadcast: 2, userPush: 3, userBroadcast: 4 } as const;

/** How the payload of kinds 3 and 4 is written. */
const ENCODING = { bytes: 0, json: 1 } as const;

const FIELD_BYTES_MAX = 255;
const EMPTY = new Uint8Array(0);
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

/** A broadcast of bytes for one of Supabase's clients. @throws {FrameError} as `encodeBinary` */
export function encodeUserBroadcast(topic: string, { event, bytes }: UserBroadcast): Frame {
  const frame = encodeBinary(KIND.userBroadcast, { topic, event, metadata: "" }, EMPTY);
  // The encoding stands between the lengths and the fields.
  const { bytes: head } = frame;
  return new Frame(
    Buffer.concat([head.subarray(0, 4), Uint8Array.of(ENCODING.bytes), head.subarray(4), bytes]),
  );
}

/**
 * Reads a message of a client: a push, or a broadcast of one of Supabase's clients. Bytes in it are a view of `bytes`, not
 * a copy.
 *
 * @throws {FrameError} for another kind, lengths beyond the end, text that is not UTF-8, JSON that is none
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const [kind] = bytes;
  if (kind === KIND.push) {
    const [[joinRef, ref, topic, event], payload] = fieldsOf<[string, string, string, string]>(bytes, 4, 5);
    return { joinRef: refOf(joinRef), ref: refOf(ref), topic, event, payload };
  }
  if (kind !== KIND.userPush)
    throw new FrameError(`a client sends binary frames of the kinds 0 and 3, not ${kind}`);
  const [[joinRef, ref, topic, event], content] = fieldsOf<[string, string, string, string]>(bytes, 5, 7);
  const payload = userPayload(event, bytes[6], content);
  return { joinRef: refOf(joinRef), ref: refOf(ref), topic, event: EVENT.broadcast, payload };
}

function userPayload(event: string, encoding: number | undefined, content: Uint8Array): Payload {
  if (encoding === ENCODING.bytes) return new UserBroadcast(event, content);
  if (encoding !== ENCODING.json) throw new FrameError(`a broadcast has the unknown encoding ${encoding}`);
  const payload = content.length === 0 ? {} : parseJson(decodeText(content));
  return { type: EVENT.broadcast, event, payload };
}

/** As many texts as there are lengths behind the kind, which begin at `offset`, and what follows them. */
function fieldsOf<Fields extends string[]>(
  bytes: Uint8Array,
  count: number,
  offset: number,
): [Fields, Uint8Array] {
  const fields: string[] = [];
  for (const length of bytes.subarray(1, 1 + count)) {
    const end = offset + length;
    if (end > bytes.length) break;
    fields.push(decodeText(bytes.subarray(offset, end)));
    offset = end;
  }
  if (fields.length < count) throw new FrameError("a binary frame ends before its fields do");
  return [fields as Fields, bytes.subarray(offset)];
}

function refOf(text: string): Ref {
  return text === "" ? null : text;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new FrameError("a field of a binary frame is not UTF-8", { cause: error });
  }
}
