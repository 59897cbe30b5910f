/**
 * Changes of one topic that are not told yet, as the one diff that does what they did one after the other: who came and
 * went meanwhile is in neither half.
 */
import type { Presence } from "presently";
import type { RawDiff } from "./presence-map.ts";

export class PendingDiff {
  /** By reference. No reference is in both. */
  #joins = new Map<string, Presence>();
  #leaves = new Map<string, Presence>();

  get isEmpty(): boolean {
    return this.#joins.size === 0 && this.#leaves.size === 0;
  }

  join(presence: Presence): void {
    if (!this.#leaves.delete(presence.ref)) this.#joins.set(presence.ref, presence);
  }

  leave(presence: Presence): void {
    if (!this.#joins.delete(presence.ref)) this.#leaves.set(presence.ref, presence);
  }

  /** Gives the diff, and starts again with nothing. */
  take(): RawDiff {
    const diff = { joins: [...this.#joins.values()], leaves: [...this.#leaves.values()] };
    this.#joins = new Map();
    this.#leaves = new Map();
    return diff;
  }
}
