/**
 * What a key space is made of: small facts, each an entry of one observed-remove set.
 *
 * A fact is never changed. Writing adds a fact and removes those that it takes the place of, as far as the writer has
 * seen them; two facts about the same thing can therefore only be there together if they were written concurrently.
 */

import type { ReplicaId } from "presently";

/** `string`, `field`: a register. `count`, `fieldCount`: what one replica has added to it. The others say what they are. */
export type ItemKind = "string" | "count" | "field" | "fieldCount" | "member" | "element" | "expiry";

/** One fact about a key. Immutable, but for `deadlineMs`, which is this replica's own. */
export interface Item {
  readonly kind: ItemKind;
  readonly key: string;
  /** The field of a hash, the member of a set; empty for the other kinds. */
  readonly field: string;
  /** The text of a register or of a list element; empty for the other kinds. */
  readonly value: string;
  /** The amount of a count, the position of an element, the milliseconds that were left of an expiry; else 0. */
  readonly number: number;
  /** Hybrid time of the write: decides between concurrent registers and expiries, and orders elements at one position. */
  readonly stamp: number;
  /** Hybrid time at which its key began to hold anything, as its writer saw it: expiries from before do not touch it. */
  readonly since: number;
  /** Stands for the process that wrote it: seen while its replica is up. */
  readonly bound: boolean;
  /** Of an expiry: when it is due by this replica's own monotonic clock. */
  deadlineMs: number;
}

/** An item and the event that added it. */
export interface PlacedItem {
  readonly item: Item;
  readonly origin: ReplicaId;
  readonly number: number;
}

/** Makes an item of the parts that its kind has. */
export function itemOf(
  kind: ItemKind,
  key: string,
  parts: {
    readonly field?: string;
    readonly value?: string;
    readonly number?: number;
    readonly stamp?: number;
    readonly since?: number;
    readonly bound?: boolean;
  },
): Item {
  const { field = "", value = "", number = 0, stamp = 0, since = 0, bound = false } = parts;
  return { kind, key, field, value, number, stamp, since, bound, deadlineMs: Number.POSITIVE_INFINITY };
}

/** Whether `one` wins over `other`, of two concurrent writes: the later stamp; at equal stamps the same one everywhere. */
export function isNewer(one: PlacedItem, other: PlacedItem): boolean {
  if (one.item.stamp !== other.item.stamp) return one.item.stamp > other.item.stamp;
  if (one.origin !== other.origin) return one.origin > other.origin;
  return one.number > other.number;
}

/** What an item takes besides its texts: its numbers, and the frame around it. */
const ITEM_BYTES = 64;

/** About how many bytes an item takes, here and on the wire. */
export function bytesOf(item: Item): number {
  return ITEM_BYTES + utf8Length(item.key) + utf8Length(item.field) + utf8Length(item.value);
}

/** UTF-8 bytes of a text; half characters count as the replacement character. Cost: O(length). */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      bytes += 2;
      index++;
    } else bytes += 2;
  }
  return bytes;
}
