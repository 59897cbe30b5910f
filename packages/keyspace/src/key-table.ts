/** The keys, as an index over the entries of the replicated set; kept current by what the set reports. */
import type { SetListener } from "@presently/crdt";
import type { ReplicaId } from "presently";
import { bytesOf, type Item, type PlacedItem } from "./item.ts";
import { KeyState } from "./key-state.ts";

/** One change of the set, made here or elsewhere. */
export interface KeyChange {
  readonly type: "inserted" | "deleted";
  readonly item: Item;
  /** The replica that wrote the item. */
  readonly origin: ReplicaId;
  /** The replica that removed it, of a deletion; undefined where only a full state told of it. */
  readonly by: ReplicaId | undefined;
}

export class KeyTable implements SetListener<Item> {
  private readonly keys = new Map<string, KeyState>();
  private readonly changed: (change: KeyChange) => void;
  /** About how many bytes all items take. */
  bytes = 0;

  /** `changed` is told of every change, while it is made. Must not write. */
  constructor(changed: (change: KeyChange) => void) {
    this.changed = changed;
  }

  get size(): number {
    return this.keys.size;
  }

  get(key: string): KeyState | undefined {
    return this.keys.get(key);
  }

  entries(): Iterable<[string, KeyState]> {
    return this.keys.entries();
  }

  inserted(item: Item, origin: ReplicaId, number: number): void {
    let state = this.keys.get(item.key);
    if (state === undefined) {
      state = new KeyState();
      this.keys.set(item.key, state);
    }
    state.insert({ item, origin, number });
    this.bytes += bytesOf(item);
    this.changed({ type: "inserted", item, origin, by: undefined });
  }

  deleted(item: Item, origin: ReplicaId, number: number, by: ReplicaId | undefined): void {
    const state = this.keys.get(item.key);
    if (state === undefined) return;
    const placed: PlacedItem = { item, origin, number };
    state.delete(placed);
    this.bytes -= bytesOf(item);
    if (state.isEmpty) this.keys.delete(item.key);
    this.changed({ type: "deleted", item, origin, by });
  }
}
