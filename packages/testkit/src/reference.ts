/**
 * The naive reference: an observed-remove set that keeps every event that ever happened. A replica is nothing but the
 * vector of the events it has seen; what it must hold follows from that alone.
 */
import type { Meta, ReplicaId } from "@presently/replica";

export interface Dot {
  readonly replica: ReplicaId;
  readonly number: number;
}

export interface ReferenceEvent {
  /** What it added, if anything. */
  readonly adds: { readonly topic: string; readonly key: string; readonly meta: Meta } | undefined;
  readonly removes: readonly Dot[];
}

export type Vector = ReadonlyMap<ReplicaId, number>;

export class Reference {
  private readonly events = new Map<ReplicaId, ReferenceEvent[]>();
  private readonly removers = new Map<ReplicaId, Map<number, Dot[]>>();

  /** Every replica that ever made an event. */
  replicas(): Iterable<ReplicaId> {
    return this.events.keys();
  }

  /** How many events a replica has made. */
  made(replica: ReplicaId): number {
    return this.events.get(replica)?.length ?? 0;
  }

  /** Event `number` of a replica; undefined if it has not happened. */
  event({ replica, number }: Dot): ReferenceEvent | undefined {
    return this.events.get(replica)?.[number - 1];
  }

  /** The next event of a replica. */
  record(replica: ReplicaId, event: ReferenceEvent): void {
    const events = this.events.get(replica) ?? [];
    this.events.set(replica, events);
    const number = events.push(event);
    for (const dot of event.removes) {
      const byNumber = this.removers.get(dot.replica) ?? new Map<number, Dot[]>();
      this.removers.set(dot.replica, byNumber);
      byNumber.set(dot.number, [...(byNumber.get(dot.number) ?? []), { replica, number }]);
    }
  }

  /** The events that removed an entry. */
  removersOf({ replica, number }: Dot): readonly Dot[] {
    return this.removers.get(replica)?.get(number) ?? [];
  }

  /** Whether an event that this vector covers removed the entry. */
  isRemoved(dot: Dot, vector: Vector): boolean {
    return this.removersOf(dot).some(({ replica, number }) => number <= (vector.get(replica) ?? 0));
  }

  /** The dots of one origin that events of this vector removed, though it does not cover them itself. */
  pending(origin: ReplicaId, vector: Vector): number[] {
    const seen = vector.get(origin) ?? 0;
    const pending: number[] = [];
    for (const [number] of this.removers.get(origin) ?? []) {
      if (number > seen && this.isRemoved({ replica: origin, number }, vector)) pending.push(number);
    }
    return pending;
  }
}
