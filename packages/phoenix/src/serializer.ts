/** How messages become frames: two versions of the protocol, chosen by the client's parameter `vsn`. */
import type { Frame } from "./frame.ts";
import type { Broadcast, Message, Push, Ref, ReplyMessage } from "./message.ts";
import { serializerV1 } from "./serializer-v1.ts";
import { serializerV2 } from "./serializer-v2.ts";

export interface Serializer {
  readonly version: 1 | 2;
  /** @throws {FrameError} for what is no message */
  decodeText(text: string): Message;
  /** @throws {FrameError} for what is no message; in version 1 always */
  decodeBinary(bytes: Uint8Array): Message;
  /** @throws {FrameError} for bytes that this version, or the size of a field, does not allow; so do the next two */
  push(push: Push): Frame;
  reply(reply: ReplyMessage): Frame;
  broadcast(broadcast: Broadcast): Frame;
  /** The text frame of a broadcast with the join that it belongs to; undefined if this version cannot name a join. */
  readonly underJoin?: (broadcast: Frame, joinRef: Ref) => Frame;
}

/** The serializer for a client's `vsn`; undefined if there is none. A client that says nothing speaks 1.0.0. */
export function serializerFor(vsn: unknown): Serializer | undefined {
  if (vsn === undefined) return serializerV1;
  if (typeof vsn !== "string") return undefined;
  const [, major] = /^([12])\.0\.\d{1,9}$/.exec(vsn) ?? [];
  return major === "1" ? serializerV1 : major === "2" ? serializerV2 : undefined;
}
