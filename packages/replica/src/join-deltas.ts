/** Deltas that follow each other, as one: what they say twice is said once, and what came and went between them not at all. */
import type { Delta, EventNumber, Removal, ReplicaId } from "@presently/crdt";

/** Joins every run of deltas of one origin that follow each other. Cost: O(their adds and removes). */
export function joinRuns<V>(deltas: readonly Delta<V>[]): Delta<V>[] {
  const joined: Delta<V>[] = [];
  for (let start = 0; start < deltas.length; ) {
    let end = start + 1;
    while (end < deltas.length && follows(deltas[end - 1]!, deltas[end]!)) end++;
    joined.push(end === start + 1 ? deltas[start]! : join(deltas.slice(start, end)));
    start = end;
  }
  return joined;
}

function follows(one: Delta<unknown>, other: Delta<unknown>): boolean {
  return one.origin === other.origin && other.from <= one.to && other.to > one.to;
}

function join<V>(run: readonly Delta<V>[]): Delta<V> {
  const { origin, from } = run[0]!;
  const removed = new Map<ReplicaId, Set<EventNumber>>();
  const deliberate = new Set<EventNumber>();
  for (const { removals } of run) {
    for (const removal of removals) {
      let numbers = removal.deliberate ? deliberate : removed.get(removal.origin);
      if (numbers === undefined) {
        numbers = new Set();
        removed.set(removal.origin, numbers);
      }
      for (const number of removal.numbers) numbers.add(number);
    }
  }
  // Only what the origin itself removed may be left out: see `Delta`.
  const gone = removed.get(origin);
  const numbers: EventNumber[] = [];
  const values: V[] = [];
  let last = from;
  for (const delta of run) {
    for (let index = 0; index < delta.numbers.length; index++) {
      const number = delta.numbers[index]!;
      if (number <= last || gone?.has(number) || deliberate.has(number)) continue;
      numbers.push(number);
      values.push(delta.values[index]!);
    }
    last = delta.to;
  }
  const removals: Removal[] = Array.from(removed, ([id, dots]) => ({ origin: id, numbers: [...dots] }));
  if (deliberate.size > 0) removals.push({ origin, numbers: [...deliberate], deliberate: true });
  return { origin, from, to: last, numbers, values, removals };
}
