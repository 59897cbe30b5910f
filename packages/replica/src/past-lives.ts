/** Replicas that are gone, and the newest life of each name: no third node's stale copy of an earlier one may bring it back. */
import type { ReplicaId } from "@presently/crdt";
import type { Heard } from "./messages.ts";
import type { ReplicaSettings } from "./options.ts";

/** The counter of a replica that must never return: it said goodbye, or a newer life of its node has been seen. */
const NEVER = Number.POSITIVE_INFINITY;

export class PastLives {
  /** Those that are gone and their last counters, oldest first. */
  private readonly counters = new Map<ReplicaId, number>();
  /** Newest incarnation seen of each name. */
  private readonly newest = new Map<string, number>();
  private readonly settings: ReplicaSettings;
  private readonly forgotten: (replica: ReplicaId) => void;

  /** @param forgotten told of one that is not remembered any more */
  constructor(settings: ReplicaSettings, forgotten: (replica: ReplicaId) => void) {
    this.settings = settings;
    this.forgotten = forgotten;
  }

  /** The newest incarnation seen of a node's name; 0 if none. */
  newestOf(name: string): number {
    return this.newest.get(name) ?? 0;
  }

  /** This is the newest life of its name. */
  begin({ name, incarnation }: { readonly name: string; readonly incarnation: number }): void {
    this.newest.delete(name);
    this.newest.set(name, incarnation);
    if (this.newest.size > 2 * this.settings.replicasMax) dropOldest(this.newest);
  }

  /** It is evicted, and may return once its counter has gone on from here; unless it was barred before. */
  end(replica: ReplicaId, counter: number): void {
    if (!this.counters.has(replica)) this.remember(replica, counter);
  }

  /** It must never return: it said goodbye, or a newer life of its node has been seen. */
  bar(replica: ReplicaId): void {
    this.remember(replica, NEVER);
  }

  isBarred(replica: ReplicaId): boolean {
    return this.counters.get(replica) === NEVER;
  }

  /** Whether what was heard of a replica is more than what was known when it went: that it has been alive since, and of late. */
  mayReturn({ replica, counter, agoMs }: Heard): boolean {
    const lastCounter = this.counters.get(replica);
    return lastCounter === undefined || (counter > lastCounter && agoMs < this.settings.downAfterMs);
  }

  /** It is back: its going is remembered no longer. */
  readmit(replica: ReplicaId): void {
    if (this.counters.delete(replica)) this.forgotten(replica);
  }

  private remember(replica: ReplicaId, counter: number): void {
    this.counters.delete(replica);
    this.counters.set(replica, counter);
    if (this.counters.size <= this.settings.replicasMax) return;
    const oldest = dropOldest(this.counters);
    if (oldest !== undefined) this.forgotten(oldest);
  }
}

function dropOldest<K>(map: Map<K, unknown>): K | undefined {
  for (const key of map.keys()) {
    map.delete(key);
    return key;
  }
  return undefined;
}
