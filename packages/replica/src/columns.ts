/** Entries and event numbers in columns: what is alike stands side by side, and what can be derived is left out. */
import type { EventNumber, ReplicaId } from "@presently/crdt";
import { Entry, Heir, type Predecessor } from "./entry.ts";
import { ProtocolError } from "./errors.ts";
import { decodeMetas, encodeMetas } from "./metas.ts";
import type { Meta } from "./presence.ts";
import { array, count, fields, replica, text } from "./wire.ts";

/** Ascending numbers above `base` as gaps; only the first gap if all others are 1, together with how many there are. */
export function encodeNumbers(numbers: readonly EventNumber[], base: number): unknown[] {
  const gaps: number[] = [];
  let previous = base;
  let contiguous = true;
  for (const number of numbers) {
    if (gaps.length > 0 && number !== previous + 1) contiguous = false;
    gaps.push(number - previous);
    previous = number;
  }
  return contiguous && gaps.length > 2 ? [gaps.length, gaps[0]] : [gaps];
}

/** Numbers that a message may count without listing them. */
const COUNTED_MAX = 1_000_000;

/** What one message may still claim in counted numbers: a few bytes of it can stand for any number of them. */
export class Allowance {
  private left = COUNTED_MAX;

  /** @throws {ProtocolError} beyond it */
  take(numbers: number): void {
    this.left -= numbers;
    if (this.left < 0) throw new ProtocolError("BAD_FRAME", "too many numbers");
  }
}

/** @param leastGap 0 where a number may repeat, as the ends of a range of one number do */
export function decodeNumbers(
  value: unknown,
  base: number,
  allowance: Allowance,
  leastGap = 1,
): EventNumber[] {
  const at = fields(value, "numbers");
  const numbers: EventNumber[] = [];
  let number = base;
  if (typeof at[0] === "number") {
    const length = count(at[0]);
    allowance.take(length);
    number += count(at[1]);
    for (let index = 0; index < length; index++) numbers.push(number++);
  } else {
    for (const gap of array(at[0])) {
      if (count(gap) < leastGap) throw new ProtocolError("BAD_FRAME", "numbers must ascend");
      number += gap as number;
      numbers.push(number);
    }
  }
  if (numbers.length > 0 && (numbers[0]! <= base || !Number.isSafeInteger(numbers.at(-1)))) {
    throw new ProtocolError("BAD_FRAME", "numbers out of range");
  }
  return numbers;
}

/** `[topics, topic of each | 0, keys, numbers, metas, gap to the replaced entry of each | 0, gap to its root | 0]`, and heirs if there are any */
export function encodeEntries(
  numbers: readonly EventNumber[],
  values: readonly Entry[],
  base: number,
): unknown[] {
  const topics = new Map<string, number>();
  const topicOf: number[] = [];
  const keys: string[] = [];
  const metas: Meta[] = [];
  let [updated, deep] = [false, false];
  for (const { topic, key, meta, previous, root } of values) {
    let index = topics.get(topic);
    if (index === undefined) {
      index = topics.size;
      topics.set(topic, index);
    }
    topicOf.push(index);
    keys.push(key);
    metas.push(meta);
    updated ||= previous !== 0;
    deep ||= previous !== 0 && previous !== root;
  }
  const previousGaps = updated
    ? values.map(({ number, previous }) => (previous === 0 ? 0 : number - previous))
    : 0;
  const rootGaps = deep ? values.map(({ number, root }) => number - root) : 0;
  const columns: unknown[] = [
    [...topics.keys()],
    topics.size > 1 ? topicOf : 0,
    keys,
    encodeNumbers(numbers, base),
    encodeMetas(metas),
    previousGaps,
    rootGaps,
  ];
  const heirs = encodeHeirs(values);
  if (heirs.length > 0) columns.push(heirs);
  return columns;
}

/** `[index, replica, number, gap of that to its root]` for each entry that took the place of a lingering one. */
function encodeHeirs(values: readonly Entry[]): unknown[] {
  const heirs: unknown[] = [];
  for (let index = 0; index < values.length; index++) {
    const { heirOf } = values[index]!;
    if (heirOf === undefined) continue;
    heirs.push([index, heirOf.replica, heirOf.number, heirOf.number - heirOf.root]);
  }
  return heirs;
}

function decodeHeirs(value: unknown): Map<number, Predecessor> {
  const heirs = new Map<number, Predecessor>();
  for (const item of value === undefined ? [] : array(value)) {
    const at = fields(item, "heir");
    const number = count(at[2]);
    heirs.set(count(at[0]), { replica: replica(at[1]), number, root: before(number, at[3]) });
  }
  return heirs;
}

export function decodeEntries(
  value: unknown,
  origin: ReplicaId,
  base: number,
  allowance: Allowance,
): { numbers: EventNumber[]; values: Entry[] } {
  const at = fields(value, "entries");
  const topics = array(at[0]).map(text);
  const topicOf = at[1] === 0 ? undefined : array(at[1]);
  const keys = array(at[2]);
  const numbers = decodeNumbers(at[3], base, allowance);
  const previousGaps = at[5] === 0 ? undefined : array(at[5]);
  const rootGaps = at[6] === 0 ? undefined : array(at[6]);
  for (const column of [topicOf, keys, previousGaps, rootGaps]) {
    if (column !== undefined && column.length !== numbers.length) {
      throw new ProtocolError("BAD_FRAME", "columns of entries must have one length");
    }
  }
  const metas = decodeMetas(at[4], numbers.length);
  const heirs = decodeHeirs(at[7]);
  const values: Entry[] = [];
  for (let index = 0; index < numbers.length; index++) {
    const number = numbers[index]!;
    const topic = topics[topicOf === undefined ? 0 : count(topicOf[index])];
    if (topic === undefined) throw new ProtocolError("BAD_FRAME", "an entry has no topic");
    const previous = before(number, previousGaps?.[index] ?? 0) % number;
    const root = rootGaps === undefined ? previous || number : before(number, rootGaps[index]);
    const entry = new Entry(origin, number, topic, text(keys[index]), metas[index]!, previous, root);
    const predecessor = heirs.size === 0 ? undefined : heirs.get(index);
    values.push(predecessor === undefined ? entry : new Heir(entry, predecessor));
  }
  return { numbers, values };
}

/** The event that lies so far before this one. */
function before(number: EventNumber, gap: unknown): EventNumber {
  if (count(gap) >= number) throw new ProtocolError("BAD_FRAME", "an entry replaces one that cannot be");
  return number - (gap as number);
}
