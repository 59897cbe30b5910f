/**
 * The values of one field in many metas. Most fields repeat themselves (a status, a device) or count upwards (the time of
 * joining): what repeats is named once, and what counts travels as differences. Whoever decodes it then holds each
 * repeated text once.
 */
import type { Allowance } from "./allowance.ts";
import { ProtocolError } from "./errors.ts";
import { decodeTexts, encodeTexts } from "./texts.ts";
import { unshared } from "./utf8.ts";
import { array, checkJson, count, fields } from "./wire.ts";

/** Different values of a column that is written as a dictionary, at most. */
const DICTIONARY_MAX = 16;
/** Code units of a text in a dictionary, at most: a few bytes must not stand for any amount of text. */
const DICTIONARY_TEXT_MAX = 128;

/**
 * `[values]`; `[dictionary, index of each | 0 if all are its only value]`; of whole numbers `[first, differences]`; of
 * texts `[chunks, lengths, 0]`. A lone value stands for itself. Cost: O(values).
 */
export function encodeColumn(values: readonly unknown[]): unknown {
  if (values.length === 1) return values[0];
  const [first] = values;
  if (typeof first === "number") return encodeWholeNumbers(values, first) ?? [values];
  const dictionary = encodeDictionary(values);
  if (dictionary !== undefined) return dictionary;
  const texts = areTexts(values) ? encodeTexts(values) : undefined;
  return texts === undefined ? [values] : [...texts, 0];
}

function areTexts(values: readonly unknown[]): values is readonly string[] {
  for (const value of values) if (typeof value !== "string") return false;
  return true;
}

/** Undefined if there are too many different values, or others than short texts, truth values and null. */
function encodeDictionary(values: readonly unknown[]): unknown[] | undefined {
  const dictionary: unknown[] = [];
  const indexes = new Array<number>(values.length);
  let [last, lastIndex]: [unknown, number] = [undefined, -1];
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (value !== last || lastIndex < 0) {
      last = value;
      lastIndex = dictionary.indexOf(value);
      if (lastIndex < 0) {
        if (!isRepeatable(value) || dictionary.length === DICTIONARY_MAX) return undefined;
        lastIndex = dictionary.push(value) - 1;
      }
    }
    indexes[at] = lastIndex;
  }
  if (dictionary.length === 1) return [dictionary, 0];
  return dictionary.length * 2 <= values.length ? [dictionary, indexes] : undefined;
}

function isRepeatable(value: unknown): boolean {
  return typeof value === "string"
    ? value.length <= DICTIONARY_TEXT_MAX
    : typeof value === "boolean" || value === null;
}

/** Undefined if there are other values, or the differences are no shorter. */
function encodeWholeNumbers(values: readonly unknown[], first: number): unknown[] | undefined {
  const differences = new Array<number>(values.length - 1);
  let saved = 0;
  let previous = first;
  if (!Number.isSafeInteger(first)) return undefined;
  for (let at = 1; at < values.length; at++) {
    const value = values[at];
    if (typeof value !== "number" || !Number.isSafeInteger(value)) return undefined;
    const difference = value - previous;
    if (!Number.isSafeInteger(difference)) return undefined;
    saved += bytesOf(value) - bytesOf(difference);
    differences[at - 1] = difference;
    previous = value;
  }
  return saved > 0 ? [first, differences] : undefined;
}

/** As msgpack writes a whole number. */
function bytesOf(number: number): number {
  const magnitude = number < 0 ? -number * 2 : number;
  if (magnitude < 0x80) return 1;
  if (magnitude < 0x100) return 2;
  if (magnitude < 0x1_0000) return 3;
  return magnitude < 0x1_0000_0000 ? 5 : 9;
}

/**
 * So many values, each JSON inside of a map.
 *
 * @param allowance what the message may still claim without listing it
 * @throws {ProtocolError} `BAD_FRAME`
 */
export function decodeColumn(value: unknown, length: number, allowance: Allowance): readonly unknown[] {
  if (length === 1) {
    checkJson(value, 1);
    return [value];
  }
  const at = fields(value, "column");
  if (typeof at[0] === "number") return decodeWholeNumbers(at[0], array(at[1]), length);
  const values = array(at[0]);
  if (at.length > 2) return decodeTexts(values, at[1], length);
  if (at.length > 1) return decodeDictionary(values, at[1], length, allowance);
  if (values.length !== length) throw badColumn("must be as long as its metas are many");
  for (const value of values) checkJson(value, 1);
  return values;
}

function decodeDictionary(
  dictionary: readonly unknown[],
  indexes: unknown,
  length: number,
  allowance: Allowance,
): unknown[] {
  if (dictionary.length === 0 || dictionary.length > DICTIONARY_MAX || !dictionary.every(isRepeatable))
    throw badColumn("must have a dictionary of few and short values");
  for (const value of dictionary) checkJson(value, 1);
  const own = dictionary.map((value) => (typeof value === "string" ? unshared(value) : value));
  if (indexes === 0) {
    allowance.take(length);
    return new Array<unknown>(length).fill(own[0]);
  }
  const each = array(indexes);
  if (each.length !== length) throw badColumn("must be as long as its metas are many");
  const values = new Array<unknown>(length);
  for (let index = 0; index < length; index++) {
    const place = count(each[index]);
    if (place >= own.length) throw badColumn("must name values of its dictionary");
    values[index] = own[place];
  }
  return values;
}

function decodeWholeNumbers(first: number, differences: readonly unknown[], length: number): number[] {
  if (differences.length !== length - 1) throw badColumn("must be as long as its metas are many");
  const values = new Array<number>(length);
  let value = first;
  if (!Number.isSafeInteger(first)) throw badColumn("must have whole numbers");
  values[0] = first;
  for (let index = 1; index < length; index++) {
    value += differences[index - 1] as number;
    values[index] = value;
    // Whatever stands in the place of a difference, what comes of it must be a number.
    if (!Number.isSafeInteger(value)) throw badColumn("must have whole numbers");
  }
  return values;
}

function badColumn(problem: string): ProtocolError {
  return new ProtocolError("BAD_FRAME", `a column ${problem}`);
}
