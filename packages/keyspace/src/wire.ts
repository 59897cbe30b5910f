/** What replicas of a key space send each other, as JSON arrays; and the checks of what comes in. */
import {
  type Delta,
  type Entries,
  isReplicaId,
  type LiveDots,
  type OriginDigest,
  type Removal,
  type ReplicaId,
} from "@presently/crdt";
import { PresentlyError } from "presently";
import { type Item, type ItemKind, itemOf } from "./item.ts";

const KINDS: readonly ItemKind[] = ["string", "count", "field", "fieldCount", "member", "element", "expiry"];

/** What a peer sent is no message of this protocol. It changes nothing. */
export class MalformedMessageError extends PresentlyError {
  constructor(what: string) {
    super(
      "MALFORMED_KEYSPACE_MESSAGE",
      `a peer sent a malformed ${what}: do all nodes run versions that fit?`,
    );
  }
}

/** What of the time an expiry had left is left now: peers do not compare clocks. */
function encodeItem(item: Item, nowMs: number): unknown[] {
  const { kind, key, field, value, number, stamp, since, bound } = item;
  const rest =
    kind === "expiry" && Number.isFinite(item.deadlineMs) ? Math.max(item.deadlineMs - nowMs, 0) : number;
  return [KINDS.indexOf(kind), key, field, value, rest, stamp, since, bound ? 1 : 0];
}

function decodeItem(value: unknown): Item {
  const [code, key, field, text, number, stamp, since, bound] = list(value, "item");
  const kind = KINDS[code as number];
  if (kind === undefined || typeof key !== "string" || typeof field !== "string" || typeof text !== "string")
    throw new MalformedMessageError("item");
  if (!Number.isFinite(number) || !Number.isFinite(stamp) || !Number.isFinite(since))
    throw new MalformedMessageError("item");
  return itemOf(kind, key, {
    field,
    value: text,
    number: number as number,
    stamp: stamp as number,
    since: since as number,
    bound: bound === 1,
  });
}

export function encodeDelta(delta: Delta<Item>, nowMs: number): unknown[] {
  const { origin, from, to, numbers, values, removals } = delta;
  return [
    origin,
    from,
    to,
    numbers,
    values.map((item) => encodeItem(item, nowMs)),
    removals.map((removal) => [removal.origin, removal.numbers]),
  ];
}

/** @throws {MalformedMessageError} */
export function decodeDelta(value: unknown): Delta<Item> {
  const [origin, from, to, numbers, values, removals] = list(value, "delta");
  const delta: Delta<Item> = {
    origin: decodeOrigin(origin),
    from: decodeCount(from),
    to: decodeCount(to),
    numbers: decodeCounts(numbers),
    values: list(values, "delta").map(decodeItem),
    removals: list(removals, "delta").map(decodeRemoval),
  };
  if (delta.from > delta.to || delta.numbers.length !== delta.values.length)
    throw new MalformedMessageError("delta");
  return delta;
}

/** @throws {MalformedMessageError} */
export function decodeRemoval(value: unknown): Removal {
  const [origin, numbers] = list(value, "removal");
  return { origin: decodeOrigin(origin), numbers: decodeCounts(numbers) };
}

export type Digest = ReadonlyMap<ReplicaId, OriginDigest>;

export function encodeDigest(digest: Digest): unknown[] {
  return Array.from(digest, ([origin, { vector, hash }]) => [origin, vector, hash]);
}

/** @throws {MalformedMessageError} */
export function decodeDigest(value: unknown): Digest {
  return new Map(
    list(value, "digest").map((entry) => {
      const [origin, vector, hash] = list(entry, "digest");
      return [decodeOrigin(origin), { vector: decodeCount(vector), hash: decodeCount(hash) }];
    }),
  );
}

export function encodeEntries({ origin, numbers, values }: Entries<Item>, nowMs: number): unknown[] {
  return [origin, numbers, values.map((item) => encodeItem(item, nowMs))];
}

/** @throws {MalformedMessageError} */
export function decodeEntries(value: unknown): Entries<Item> {
  const [origin, numbers, values] = list(value, "page");
  const entries = {
    origin: decodeOrigin(origin),
    numbers: decodeCounts(numbers),
    values: list(values, "page").map(decodeItem),
  };
  if (entries.numbers.length !== entries.values.length) throw new MalformedMessageError("page");
  return entries;
}

/** The origin, ranges and hash of live dots. @throws {MalformedMessageError} */
export function decodeLive([, ranges, hash]: readonly unknown[]): LiveDots {
  return { ranges: decodeCounts(ranges), hash: decodeCount(hash) };
}

/** @throws {MalformedMessageError} unless the value is an array */
export function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new MalformedMessageError(what);
  return value;
}

/** @throws {MalformedMessageError} */
export function decodeOrigin(value: unknown): ReplicaId {
  if (typeof value !== "string" || !isReplicaId(value)) throw new MalformedMessageError("replica id");
  return value as ReplicaId;
}

/** @throws {MalformedMessageError} unless the value is an integer from 0 */
export function decodeCount(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new MalformedMessageError("number");
  return value as number;
}

function decodeCounts(value: unknown): number[] {
  const numbers = list(value, "numbers");
  for (const number of numbers) decodeCount(number);
  return numbers as number[];
}
