/** How a broadcast travels between nodes: the payload stays encoded, so that no node makes it a second time. */
import { EncodedJson, UserBroadcast } from "./message.ts";
import { SharedBroadcast } from "./shared-broadcast.ts";

/** The channel of the cluster that all sockets of all nodes share. */
export const CLUSTER_CHANNEL = "phoenix";

/** A broadcast, and the channel that is not to get it; empty if all are. */
export interface Envelope {
  readonly broadcast: SharedBroadcast;
  readonly from: string;
}

/** JSON travels as an array of texts, bytes as bytes behind a header with the names. */
export function encodeEnvelope({ broadcast, from }: Envelope): readonly string[] | Uint8Array {
  const { room, event, payload } = broadcast;
  if (payload instanceof EncodedJson) return [room, event, payload.text, from];
  const names = [room, event, from];
  const isNamed = payload instanceof UserBroadcast;
  const header = Buffer.from(JSON.stringify(isNamed ? [...names, payload.event] : names), "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, isNamed ? payload.bytes : payload]);
}

/** Undefined for what is no envelope. */
export function decodeEnvelope(received: unknown): Envelope | undefined {
  if (received instanceof Uint8Array) return decodeBytes(received);
  if (!isTexts(received, 4)) return undefined;
  const [room, event, json, from] = received as [string, string, string, string];
  return { broadcast: new SharedBroadcast(room, event, new EncodedJson(json)), from };
}

function decodeBytes(bytes: Uint8Array): Envelope | undefined {
  if (bytes.length < 4) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 4 + buffer.readUInt32BE();
  if (end > bytes.length) return undefined;
  let header: unknown;
  try {
    header = JSON.parse(buffer.toString("utf8", 4, end));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isTexts(header, 3) && !isTexts(header, 4)) return undefined;
  const [room, event, from, name] = header as [string, string, string, string?];
  const content = buffer.subarray(end);
  const payload = name === undefined ? content : new UserBroadcast(name, content);
  return { broadcast: new SharedBroadcast(room, event, payload), from };
}

function isTexts(value: unknown, length: number): boolean {
  return Array.isArray(value) && value.length === length && value.every((text) => typeof text === "string");
}
