/** Entries and event numbers in columns: what is alike stands side by side, and what can be derived is left out. */
import type { EventNumber, ReplicaId } from "@presently/crdt";
import type { Allowance } from "./allowance.ts";
import { Entry, Heir, type Predecessor } from "./entry.ts";
import { ProtocolError } from "./errors.ts";
import { decodeMetas, encodeMetas } from "./metas.ts";
import type { Meta } from "./presence.ts";
import { decodeTexts, encodeTexts } from "./texts.ts";
import { array, count, fields, replica, text } from "./wire.ts";

/** Ascending numbers above `base` as gaps; only the first gap if all others are 1, together with how many there are. */
export function encodeNumbers(numbers: readonly EventNumber[], base: number): unknown[] {
  const { length } = numbers;
  if (length > 2 && isRun(numbers)) return [length, numbers[0]! - base];
  const gaps = new Array<number>(length);
  let previous = base;
  for (let index = 0; index < length; index++) {
    gaps[index] = numbers[index]! - previous;
    previous = numbers[index]!;
  }
  return [gaps];
}

/** Whether each is one more than the one before. The ends of ranges may be equal, so that looking at the outermost will not do. */
function isRun(numbers: readonly EventNumber[]): boolean {
  for (let index = 1; index < numbers.length; index++)
    if (numbers[index] !== numbers[index - 1]! + 1) return false;
  return true;
}

/** @param leastGap 0 where a number may repeat, as the ends of a range of one number do */
export function decodeNumbers(
  value: unknown,
  base: number,
  allowance: Allowance,
  leastGap = 1,
): EventNumber[] {
  const at = fields(value, "numbers");
  let numbers: EventNumber[];
  let number = base;
  if (typeof at[0] === "number") {
    const length = count(at[0]);
    allowance.take(length);
    numbers = new Array(length);
    number += count(at[1]);
    for (let index = 0; index < length; index++) numbers[index] = number++;
  } else {
    const gaps = array(at[0]);
    numbers = new Array(gaps.length);
    for (let index = 0; index < gaps.length; index++) {
      const gap = count(gaps[index]);
      if (gap < leastGap) throw new ProtocolError("BAD_FRAME", "numbers must ascend");
      number += gap;
      numbers[index] = number;
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
  const { length } = values;
  const topicOf = new Array<number>(length);
  const keys = new Array<string>(length);
  const metas = new Array<Meta>(length);
  let [updated, deep, inherited] = [false, false, false];
  for (let at = 0; at < length; at++) {
    const { topic, key, meta, previous, root, heirOf } = values[at]!;
    let index = topics.get(topic);
    if (index === undefined) {
      index = topics.size;
      topics.set(topic, index);
    }
    topicOf[at] = index;
    keys[at] = key;
    metas[at] = meta;
    inherited ||= heirOf !== undefined;
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
    encodeTexts(keys) ?? keys,
    encodeNumbers(numbers, base),
    encodeMetas(metas),
    previousGaps,
    rootGaps,
  ];
  if (inherited) columns.push(encodeHeirs(values));
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
  const numbers = decodeNumbers(at[3], base, allowance);
  const keys = decodeKeys(array(at[2]), numbers.length);
  const previousGaps = at[5] === 0 ? undefined : array(at[5]);
  const rootGaps = at[6] === 0 ? undefined : array(at[6]);
  for (const column of [topicOf, keys, previousGaps, rootGaps]) {
    if (column !== undefined && column.length !== numbers.length) {
      throw new ProtocolError("BAD_FRAME", "columns of entries must have one length");
    }
  }
  const metas = decodeMetas(at[4], numbers.length, allowance);
  const heirs = decodeHeirs(at[7]);
  const values = new Array<Entry>(numbers.length);
  for (let index = 0; index < numbers.length; index++) {
    const number = numbers[index]!;
    const topic = topics[topicOf === undefined ? 0 : count(topicOf[index])];
    if (topic === undefined) throw new ProtocolError("BAD_FRAME", "an entry has no topic");
    const previous = before(number, previousGaps?.[index] ?? 0) % number;
    const root = rootGaps === undefined ? previous || number : before(number, rootGaps[index]);
    const entry = new Entry(origin, number, topic, text(keys[index]), metas[index]!, previous, root);
    const predecessor = heirs.size === 0 ? undefined : heirs.get(index);
    values[index] = predecessor === undefined ? entry : new Heir(entry, predecessor);
  }
  return { numbers, values };
}

/** They are checked one by one as entries are made of them. */
function decodeKeys(keys: readonly unknown[], length: number): readonly unknown[] {
  return Array.isArray(keys[0]) ? decodeTexts(keys[0], keys[1], length) : keys;
}

/** The event that lies so far before this one. */
function before(number: EventNumber, gap: unknown): EventNumber {
  if (count(gap) >= number) throw new ProtocolError("BAD_FRAME", "an entry replaces one that cannot be");
  return number - (gap as number);
}
