/**
 * The naive reference: every event that ever happened is kept for ever, and a replica is nothing but the version
 * vector of the events it knows. What it holds follows from that vector alone.
 */
import type { Dot, EventNumber, ReplicaId } from "@presently/crdt";

export interface ReferenceEvent {
  readonly adds: boolean;
  readonly removes: readonly Dot[];
}

const name = ({ origin, number }: Dot) => `${origin}#${number}`;

export class ReferenceHistory {
  private readonly events = new Map<ReplicaId, ReferenceEvent[]>();

  /** Records the next event of `origin`; answers its number. */
  record(origin: ReplicaId, event: ReferenceEvent): EventNumber {
    const events = this.events.get(origin) ?? [];
    this.events.set(origin, events);
    return events.push(event);
  }

  /** The dots that are live for whoever has seen exactly the events of this vector, sorted. */
  live(vector: ReadonlyMap<ReplicaId, EventNumber>): string[] {
    const removed = this.removed(vector);
    const live: string[] = [];
    for (const [origin, seen] of vector) {
      for (let number = 1; number <= seen; number++) {
        const dot = name({ origin, number });
        if (this.events.get(origin)![number - 1]!.adds && !removed.has(dot)) live.push(dot);
      }
    }
    return live.sort();
  }

  /** The dots that the vector's events have removed although it does not cover them, sorted. */
  pending(vector: ReadonlyMap<ReplicaId, EventNumber>): string[] {
    const pending: string[] = [];
    for (const [dot, { origin, number }] of this.removed(vector)) {
      if (number > (vector.get(origin) ?? 0)) pending.push(dot);
    }
    return pending.sort();
  }

  private removed(vector: ReadonlyMap<ReplicaId, EventNumber>): Map<string, Dot> {
    const removed = new Map<string, Dot>();
    for (const [origin, seen] of vector) {
      for (const event of this.events.get(origin)?.slice(0, seen) ?? []) {
        for (const dot of event.removes) removed.set(name(dot), dot);
      }
    }
    return removed;
  }
}

export { name as dotName };
