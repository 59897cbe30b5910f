/**
 * The naive reference: every event that ever happened is kept for ever, and a replica is nothing but the version
 * vector of the events it knows. What it holds follows from that vector alone.
 */
import type { Delta, Dot, EventNumber, FullState, ReplicaId } from "@presently/crdt";

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

  /** The events of an origin that added an entry. */
  added(origin: ReplicaId): EventNumber[] {
    return (this.events.get(origin) ?? []).flatMap(({ adds }, index) => (adds ? [index + 1] : []));
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

/** The joined form of two deltas of one origin, of which the second starts where the first ends. */
export function joined<V>(first: Delta<V>, second: Delta<V>): Delta<V> {
  const { origin, from } = first;
  const removals = [...first.removals, ...second.removals];
  const removed = new Set(removals.flatMap((removal) => (removal.origin === origin ? removal.numbers : [])));
  const values = new Map<EventNumber, V>();
  for (const delta of [first, second])
    delta.numbers.forEach((number, index) => {
      if (!removed.has(number)) values.set(number, delta.values[index]!);
    });
  return { origin, from, to: second.to, numbers: [...values.keys()], values: [...values.values()], removals };
}

/** The state as a sender makes it for a receiver with this vector: without the entries that it knows. */
export function withoutKnown<V>(
  state: FullState<V>,
  vector: ReadonlyMap<ReplicaId, EventNumber>,
): FullState<V> {
  const entries = state.entries.map(({ origin, numbers, values }) => {
    const seen = vector.get(origin) ?? 0;
    const news = (_: unknown, index: number) => numbers[index]! > seen;
    return { origin, numbers: numbers.filter(news), values: values.filter(news) };
  });
  return { ...state, entries };
}

export { name as dotName };
