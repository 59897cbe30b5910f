/** Reading decoded msgpack from a stranger: every value is checked before it is believed. */
import { isReplicaId, type ReplicaId } from "@presently/crdt";
import { ProtocolError } from "./errors.ts";

export type Fields = readonly unknown[];

/** The fields of a message or of a part of one. */
export function fields(value: unknown, what: string): Fields {
  if (!Array.isArray(value)) throw new ProtocolError("BAD_FRAME", `${what} must be an array of fields`);
  return value;
}

export function array(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new ProtocolError("BAD_FRAME", "a list was expected");
  return value;
}

/** A safe integer of at least 0. */
export function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new ProtocolError("BAD_FRAME", "a count was expected");
  }
  return value;
}

export function boolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new ProtocolError("BAD_FRAME", "a boolean was expected");
  return value;
}

export function text(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new ProtocolError("BAD_FRAME", "a text was expected");
  return value;
}

export function replica(value: unknown): ReplicaId {
  if (typeof value !== "string" || value.length > 128 || !isReplicaId(value)) {
    throw new ProtocolError("BAD_FRAME", "a replica id was expected");
  }
  return value;
}
