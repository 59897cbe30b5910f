/** How interest in a topic is named between nodes: short, whatever the names, and even. */

import { ProtocolError } from "../errors.ts";

/** 48 bits. */
export type TopicHash = number;

const TOPIC_HASH_BYTES = 6;

/**
 * Names a topic of a channel. Two of 100,000 topics have the same name once in 50,000 such clusters; then a node gets
 * broadcasts that nobody there waits for, and nothing worse. Cost: O(length).
 */
export function topicHash(channel: string, topic: string): TopicHash {
  let low = 0x811c9dc5 ^ channel.length;
  let high = 0x41c6ce57;
  for (const text of [channel, topic])
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      low = Math.imul(low ^ unit, 0x9e3779b1);
      high = Math.imul(high ^ unit, 0x5f356495);
    }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return (high & 0xffff) * 0x1_0000_0000 + (low >>> 0);
}

/** One after the other, as bytes. */
export function encodeTopicHashes(hashes: readonly TopicHash[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * TOPIC_HASH_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, hash] of hashes.entries()) {
    view.setUint16(index * TOPIC_HASH_BYTES, hash / 0x1_0000_0000);
    view.setUint32(index * TOPIC_HASH_BYTES + 2, hash >>> 0);
  }
  return bytes;
}

/** @throws {ProtocolError} `BAD_FRAME` for what is none */
export function decodeTopicHashes(value: unknown): TopicHash[] {
  if (!(value instanceof Uint8Array) || value.length % TOPIC_HASH_BYTES !== 0)
    throw new ProtocolError("BAD_FRAME", "hashes of topics were expected");
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const hashes: TopicHash[] = [];
  for (let at = 0; at < value.length; at += TOPIC_HASH_BYTES)
    hashes.push(view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2));
  return hashes;
}
