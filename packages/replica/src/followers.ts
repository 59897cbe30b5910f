/** Who wants to hear of the other replicas: what was noted during an input is told after it, once for each replica. */
import type { ReplicaId } from "@presently/crdt";
import { callListener } from "./listener-call.ts";
import type { ReplicaStatus } from "./presence.ts";

/** What is now believed of another replica. */
export interface ReplicaChange {
  readonly replica: ReplicaId;
  /** `gone`: it has left for good, or was evicted. */
  readonly status: Exclude<ReplicaStatus, "self"> | "gone";
  /** Whether messages can reach it directly. */
  readonly linked: boolean;
}

/** Told of a replica whose state or link has changed, after the input that changed it, once for each replica. */
export type ReplicaListener = (change: ReplicaChange) => void;

export class Followers {
  private readonly listeners = new Set<ReplicaListener>();
  private readonly noted = new Set<ReplicaId>();
  private readonly look: (replica: ReplicaId) => ReplicaChange;
  private readonly failed: (error: unknown) => void;

  constructor(look: (replica: ReplicaId) => ReplicaChange, failed: (error: unknown) => void) {
    this.look = look;
    this.failed = failed;
  }

  listen(listener: ReplicaListener): () => void {
    const own: ReplicaListener = (change) => listener(change);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  note(replica: ReplicaId): void {
    if (this.listeners.size > 0) this.noted.add(replica);
  }

  tell(): void {
    if (this.noted.size === 0) return;
    const changes = Array.from(this.noted, (replica) => Object.freeze(this.look(replica)));
    this.noted.clear();
    for (const change of changes)
      for (const listener of this.listeners) callListener(listener, change, this.failed);
  }
}
