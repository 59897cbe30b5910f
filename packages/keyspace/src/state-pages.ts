/** A whole state, cut into messages for a replica whose gaps the logs no longer reach. */
import type { Entries, FullState, LiveDots, Removal, ReplicaId } from "@presently/crdt";
import { bytesOf, type Item } from "./item.ts";
import {
  type Digest,
  decodeCount,
  decodeEntries,
  decodeLive,
  decodeOrigin,
  decodeRemoval,
  encodeEntries,
  list,
  MalformedMessageError,
} from "./wire.ts";

const NUMBERS_PER_ROW = 1_000;
/** At most what a number takes as JSON-like data, with its comma. */
const NUMBER_BYTES = 10;

interface Row {
  readonly row: unknown[];
  readonly bytes: number;
}

/**
 * The pages of a state, without the entries that the asker's digest covers. The state must not change meanwhile: a
 * snapshot does not. Cost: O(page) for each.
 */
export function* pagesOf(
  state: FullState<Item>,
  known: Digest,
  frameBytesTarget: number,
  now: () => number,
): Generator<unknown[], void> {
  let page: unknown[] = [];
  let bytes = 0;
  for (const { row, bytes: rowBytes } of rowsOf(state, known, now)) {
    if (bytes > 0 && bytes + rowBytes > frameBytesTarget) {
      yield page;
      page = [];
      bytes = 0;
    }
    page.push(row);
    bytes += rowBytes;
  }
  yield page;
}

function* rowsOf(state: FullState<Item>, known: Digest, now: () => number): Iterable<Row> {
  for (const { origin, numbers, values } of state.entries) {
    const seen = known.get(origin)?.vector ?? 0;
    for (let index = 0; index < numbers.length; index++) {
      const number = numbers[index]!;
      if (number <= seen) continue;
      const item = values[index]!;
      const entry = { origin, numbers: [number], values: [item] };
      yield { row: ["e", encodeEntries(entry, now())], bytes: bytesOf(item) + origin.length * 3 + 24 };
    }
  }
  for (const [origin, number] of state.vector)
    yield { row: ["v", origin, number], bytes: origin.length * 3 + 40 };
  for (const [origin, { ranges, hash }] of state.live)
    for (let from = 0; from === 0 || from < ranges.length; from += NUMBERS_PER_ROW) {
      const part = ranges.slice(from, from + NUMBERS_PER_ROW);
      yield { row: ["l", origin, part, hash], bytes: origin.length * 3 + 40 + part.length * NUMBER_BYTES };
    }
  for (const { origin, numbers } of state.pending)
    for (let from = 0; from < numbers.length; from += NUMBERS_PER_ROW) {
      const part = numbers.slice(from, from + NUMBERS_PER_ROW);
      yield { row: ["p", origin, part], bytes: origin.length * 3 + 40 + part.length * NUMBER_BYTES };
    }
}

/** Puts pages together again. */
export class StateAssembly {
  private readonly vector = new Map<ReplicaId, number>();
  private readonly live = new Map<ReplicaId, LiveDots>();
  private readonly pending: Removal[] = [];

  /**
   * Takes in a page; gives the entries of it, to be staged at once.
   *
   * @throws {MalformedMessageError}
   */
  add(page: unknown): Entries<Item>[] {
    const entries: Entries<Item>[] = [];
    for (const value of list(page, "page")) {
      const [type, ...parts] = list(value, "row");
      if (type === "e") entries.push(decodeEntries(parts[0]));
      else if (type === "v") this.vector.set(decodeOrigin(parts[0]), decodeCount(parts[1]));
      else if (type === "p") this.pending.push(decodeRemoval(parts));
      else if (type === "l") {
        const origin = decodeOrigin(parts[0]);
        const { ranges, hash } = decodeLive(parts);
        this.live.set(origin, { ranges: [...(this.live.get(origin)?.ranges ?? []), ...ranges], hash });
      } else throw new MalformedMessageError("row");
    }
    return entries;
  }

  /** The state, whose entries were given page by page. */
  state(): FullState<Item> {
    return { vector: this.vector, live: this.live, pending: this.pending, entries: [] };
  }
}
