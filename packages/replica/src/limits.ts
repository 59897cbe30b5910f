/** Checks of what callers hand in. Each names the argument, says what is wrong, and leaves everything as it was. */
import { InvalidArgumentError, LimitError } from "./errors.ts";
import { JsonCopy, MUST_BE_WELL_FORMED, utf8Length } from "./json-copy.ts";
import { checkUnmarked } from "./marks.ts";
import type { ReplicaSettings } from "./options.ts";
import { Packet, rawBytesOf } from "./packet.ts";
import type { Meta } from "./presence.ts";

/** @throws {InvalidArgumentError} unless `text` is a non-empty, well-formed string of at most `bytesMax` UTF-8 bytes */
export function checkText(what: "topic" | "key" | "channel", text: unknown, bytesMax: number): void {
  if (typeof text !== "string" || text === "")
    throw new InvalidArgumentError(what, "must be a non-empty string");
  if (!text.isWellFormed()) throw new InvalidArgumentError(what, MUST_BE_WELL_FORMED);
  if (text.length * 3 <= bytesMax) return;
  const bytes = utf8Length(text);
  if (bytes > bytesMax)
    throw new InvalidArgumentError(what, `must have at most ${bytesMax} bytes, not ${bytes}`);
}

/** What was taken from a caller: a copy, and about how many bytes it takes as JSON. */
export interface Taken<T> {
  readonly value: T;
  readonly bytes: number;
}

/**
 * Takes a meta by value: what its owner does to it afterwards changes nothing.
 *
 * @throws {InvalidArgumentError} unless it is a plain JSON map
 * @throws {LimitError} beyond `metaBytesMax`
 * Cost: O(its size); stops at the limit.
 */
export function takeMeta(
  meta: unknown,
  { metaBytesMax }: Pick<ReplicaSettings, "metaBytesMax">,
): Taken<Meta> {
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) {
    throw new InvalidArgumentError("meta", "must be a JSON map such as { device: 'phone' }");
  }
  const copy = new JsonCopy("meta", metaBytesMax, "metaBytesMax");
  const value = copy.of(meta) as Meta;
  checkUnmarked(value);
  return { value, bytes: copy.bytes };
}

/**
 * Takes the payload of a message by value: JSON is copied, and raw bytes are what they were, to be copied in the same call by
 * the encoding for others and by `ownPayload` for ourselves. Large ones are copied no more often than that.
 *
 * @throws {InvalidArgumentError} for a channel that is no topic, or a payload that is neither JSON, nor bytes, nor a packet
 * @throws {LimitError} JSON beyond `broadcastBytesMax`, bytes beyond `messageBytesMax`
 */
export function takePayload(
  channel: string,
  payload: unknown,
  settings: Pick<ReplicaSettings, "topicBytesMax" | "broadcastBytesMax" | "messageBytesMax">,
): unknown {
  const { topicBytesMax, broadcastBytesMax, messageBytesMax } = settings;
  checkText("channel", channel, topicBytesMax);
  if (payload === undefined)
    throw new InvalidArgumentError("payload", "must be JSON or bytes: undefined is not");
  const json = (value: unknown) => new JsonCopy("payload", broadcastBytesMax, "broadcastBytesMax").of(value);
  const isPacket = payload instanceof Packet;
  if (!isPacket && !(payload instanceof Uint8Array)) return json(payload);
  if ((isPacket ? rawBytesOf(payload) : payload.length) > messageBytesMax)
    throw new LimitError("messageBytesMax", messageBytesMax, "payload is too large");
  return isPacket ? new Packet(json(payload.header), payload.buffers) : payload;
}
