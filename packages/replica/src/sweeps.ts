/**
 * Showing or hiding all of a replica's people is much work at once where they are many, and the event loop must go on
 * meanwhile: so it is done some at a time.
 */
import type { ReplicaId } from "@presently/crdt";
import type { Entry } from "./entry.ts";

interface Sweep {
  /** Over a live set: what goes meanwhile is not come upon any more, and what comes may be. */
  readonly entries: Iterator<Entry>;
  readonly step: (entry: Entry) => void;
  readonly done: (() => void) | undefined;
}

export class Sweeps {
  /** The newest of each replica: what was under way before is overruled. */
  private readonly current = new Map<ReplicaId, Sweep>();
  /** Those of replicas that are forgotten: each has to come to its end. */
  private readonly last = new Set<Sweep>();
  private readonly entriesPerTurn: number;
  private readonly wake: () => void;
  private left: number;

  /** @param wake asks for a `pump` soon */
  constructor(entriesPerTurn: number, wake: () => void) {
    this.entriesPerTurn = entriesPerTurn;
    this.left = entriesPerTurn;
    this.wake = wake;
  }

  /** Takes the step for each of these entries, for as many at once as this turn still may. */
  start(replica: ReplicaId, entries: Iterator<Entry>, step: (entry: Entry) => void): void {
    this.current.delete(replica);
    const sweep: Sweep = { entries, step, done: undefined };
    if (!this.go(sweep)) this.current.set(replica, sweep);
  }

  /** As `start`, for a replica whose entries are in the set no more: whatever comes after, these are seen to the end. */
  finish(replica: ReplicaId, entries: Iterator<Entry>, step: (entry: Entry) => void, done: () => void): void {
    this.current.delete(replica);
    const sweep: Sweep = { entries, step, done };
    if (!this.go(sweep)) this.last.add(sweep);
  }

  /** A new turn: goes on with what is under way. Answers whether there is more. */
  pump(): boolean {
    this.left = this.entriesPerTurn;
    for (const sweep of this.last) if (this.go(sweep)) this.last.delete(sweep);
    for (const [replica, sweep] of this.current) if (this.go(sweep)) this.current.delete(replica);
    return this.last.size + this.current.size > 0;
  }

  /** Answers whether it is at its end. */
  private go(sweep: Sweep): boolean {
    while (this.left > 0) {
      const next = sweep.entries.next();
      if (next.done) {
        sweep.done?.();
        return true;
      }
      this.left--;
      sweep.step(next.value);
    }
    this.wake();
    return false;
  }
}
