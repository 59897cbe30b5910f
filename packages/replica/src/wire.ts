/** Reading decoded msgpack from a stranger: every value is checked before it is believed. */
import { isReplicaId, type ReplicaId } from "@presently/crdt";
import { ProtocolError } from "./errors.ts";
import { JSON_DEPTH_MAX, MUST_BE_WELL_FORMED } from "./json-copy.ts";
import { unshared } from "./utf8.ts";

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

/** A view of the frame that they came in. */
export function bytes(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new ProtocolError("BAD_FRAME", "bytes were expected");
  return new Uint8Array(value.buffer, value.byteOffset, value.length);
}

export function text(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new ProtocolError("BAD_FRAME", "a text was expected");
  checkWellFormed(value);
  return value;
}

/** The serializer reads short texts from bytes that are not UTF-8: what comes of them could not be sent on as it is. */
export function checkWellFormed(text: string): void {
  if (!text.isWellFormed()) throw new ProtocolError("BAD_FRAME", `a text ${MUST_BE_WELL_FORMED}`);
}

/** Always the same text for one replica, cut out of no frame: the entries share it, for as long as they stay. */
export function replica(value: unknown): ReplicaId {
  const known = typeof value === "string" ? replicas.get(value) : undefined;
  if (known !== undefined) return known;
  if (typeof value !== "string" || value.length > 128 || !isReplicaId(value)) {
    throw new ProtocolError("BAD_FRAME", "a replica id was expected");
  }
  if (replicas.size === REPLICAS_MAX) replicas.clear();
  const id = unshared(value) as ReplicaId;
  replicas.set(id, id);
  return id;
}

/** Those that were named lately. */
const replicas = new Map<string, ReplicaId>();
const REPLICAS_MAX = 1_000;

/**
 * JSON of bounded depth, or it is refused: what could not be printed, or sent on to the next peer, must not come in. A
 * field of a map may be undefined: JSON leaves it out, and so may whoever reads it.
 *
 * @param depth levels of maps and arrays that the value is inside of
 */
export function checkJson(value: unknown, depth = 0): void {
  if (typeof value === "string") checkWellFormed(value);
  else if (!isScalar(value)) checkInner(value, depth);
}

function checkInner(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) throw new ProtocolError("BAD_FRAME", "JSON was expected");
  if (depth >= JSON_DEPTH_MAX)
    throw new ProtocolError("BAD_FRAME", `JSON must not be nested deeper than ${JSON_DEPTH_MAX}`);
  if (Array.isArray(value)) for (const item of value) checkJson(item, depth + 1);
  else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const name in value) {
      checkWellFormed(name);
      checkJson((value as Record<string, unknown>)[name], depth + 1);
    }
  } else throw new ProtocolError("BAD_FRAME", "JSON was expected");
}

function isScalar(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "boolean" || value === null || value === undefined;
}
