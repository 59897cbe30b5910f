/** Full states: what a set hands out as a whole, and what a merge reads from one that it is given. */
import type { Entries, FrozenOrigin, FrozenState, FullState, LiveDots, Removal } from "./delta.ts";
import type { EventNumber, ReplicaId } from "./dot.ts";
import type { Origin } from "./origin.ts";
import { countInRanges, inRanges, rangesOf } from "./ranges.ts";

const NOTHING_LIVE: LiveDots = { ranges: [], hash: 0 };

/** The state of these origins, with all entries: stays as it is while they go on. Cost: O(entries). */
export function snapshot<V>(origins: Iterable<Origin<V>>): FullState<V> {
  const vector = new Map<ReplicaId, EventNumber>();
  const live = new Map<ReplicaId, LiveDots>();
  const pending: Removal[] = [];
  const entries: Entries<V>[] = [];
  for (const origin of origins) {
    if (origin.pending.size > 0) pending.push({ origin: origin.id, numbers: [...origin.pending] });
    if (origin.vector === 0) continue;
    vector.set(origin.id, origin.vector);
    const content = contentOf(origin);
    live.set(origin.id, { ranges: rangesOf(content.numbers), hash: origin.hash.value });
    if (content.numbers.length > 0) entries.push(content);
  }
  return { vector, live, pending, entries };
}

/** The entries that belong to the state, ascending: those staged ahead of the vector are somebody else's to tell. */
function contentOf<V>(origin: Origin<V>): Entries<V> {
  const numbers: EventNumber[] = [];
  const values: V[] = [];
  let ascending = true;
  let last = 0;
  for (const [number, value] of origin.live) {
    if (number > origin.vector) continue;
    ascending &&= number > last;
    last = number;
    numbers.push(number);
    values.push(value);
  }
  // Staged entries may have come in another order.
  if (!ascending) {
    numbers.sort((one, other) => one - other);
    for (let index = 0; index < numbers.length; index++) values[index] = origin.live.get(numbers[index]!)!;
  }
  return { origin: origin.id, numbers, values };
}

/** As `snapshot`, without reading it: a large state is given bit by bit. Cost: O(entries / 32). */
export function freeze<V>(origins: Iterable<Origin<V>>): FrozenState<V> {
  const frozen: FrozenOrigin<V>[] = [];
  const pending: Removal[] = [];
  for (const { id, vector, hash, live, pending: removed } of origins) {
    if (removed.size > 0) pending.push({ origin: id, numbers: [...removed] });
    if (vector > 0) frozen.push({ id, vector, hash: hash.value, entries: live.freeze(vector) });
  }
  return { origins: frozen, pending };
}

/**
 * The entries of `origin` that a state at `vector` with these live dots has seen removed; undefined if the state calls
 * an entry live that we have neither had nor been given. Cost: O(entries of the origin), or O(1) where both hold the same.
 */
export function missingFrom<V>(
  origin: Origin<V>,
  vector: EventNumber,
  live: LiveDots = NOTHING_LIVE,
): EventNumber[] | undefined {
  // Who holds just these lacks none of them and has none that is gone; a newcomer that was given every entry, say.
  if (origin.wholeHash === live.hash) return [];
  const gone: EventNumber[] = [];
  let given = 0;
  for (const number of origin.live.keys()) {
    if (number > vector) continue;
    if (!inRanges(live.ranges, number)) gone.push(number);
    else if (number > origin.vector) given++;
  }
  for (const number of origin.pending) if (number <= vector && inRanges(live.ranges, number)) given++;
  return given === countInRanges(live.ranges, origin.vector, vector) ? gone : undefined;
}
