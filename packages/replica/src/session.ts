/** The local owner of presences: a socket, a process. Closing it takes away everything that it tracked. */
import type { Entry } from "./entry.ts";
import { EntryBag } from "./entry-bag.ts";
import { ClosedError } from "./errors.ts";
import type { LocalPresences } from "./local-presences.ts";
import type { Meta, Presence } from "./presence.ts";

export class Session {
  /** What it holds; kept by `LocalPresences`. */
  readonly entries = new EntryBag();
  private open = true;
  private readonly owner: LocalPresences;
  private removedListeners: Set<(presence: Presence) => void> | undefined = undefined;

  constructor(owner: LocalPresences) {
    this.owner = owner;
  }

  /**
   * Makes `key` present on `topic`, visible here at once and on the other nodes within the flush interval. One session,
   * one topic, one key: one entry; tracking it again updates it.
   *
   * @param meta a plain JSON map; must not be changed afterwards
   * @returns the public reference of the entry
   * @throws {InvalidArgumentError} for a topic, key or meta that cannot be used
   * @throws {LimitError} beyond a bound of the configuration
   * @throws {ClosedError} after `close`
   * Cost: O(meta).
   */
  track(topic: string, key: string, meta: Meta = {}): string {
    this.assertOpen();
    return this.owner.track(this, topic, key, meta).ref;
  }

  /**
   * Replaces the meta of what this session tracks. Watchers see one update, and no reader ever sees neither.
   *
   * @param meta the new map, or a function of the previous one
   * @returns the new reference
   * @throws {NotTrackedError} if this session does not track `key` on `topic`; else as `track`
   */
  update(topic: string, key: string, meta: Meta | ((previous: Meta) => Meta)): string {
    this.assertOpen();
    return this.owner.update(this, topic, key, meta).ref;
  }

  /** Takes the entry away; answers whether there was one. */
  untrack(topic: string, key: string): boolean {
    this.assertOpen();
    return this.owner.untrack(this, topic, key);
  }

  /** What this session itself tracks under `key` on `topic`. */
  get(topic: string, key: string): Presence | undefined {
    return this.owner.find(this, topic, key);
  }

  /** Untracks everything, as one change. Idempotent. Cost: O(entries of this session). */
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.removedListeners = undefined;
    this.owner.close(this);
  }

  get closed(): boolean {
    return !this.open;
  }

  /** How many entries it holds. */
  get size(): number {
    return this.entries.size;
  }

  /** Calls `listener` when another replica removes an entry of this session; returns a function that stops that. */
  onRemoved(listener: (presence: Presence) => void): () => void {
    this.assertOpen();
    this.removedListeners ??= new Set();
    this.removedListeners.add(listener);
    return () => void this.removedListeners?.delete(listener);
  }

  /** Called by the replica once another one has removed `entry`. */
  tellRemoved(entry: Entry): void {
    for (const listener of this.removedListeners ?? []) listener(entry);
  }

  private assertOpen(): void {
    if (!this.open) throw new ClosedError("this session");
  }
}
