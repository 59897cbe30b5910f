/** What Redis and its client make of what they are given: texts, names of fields, seconds, the order of a set. */
import { createHash } from "node:crypto";
import { NotAnIntegerError } from "@presently/keyspace";
import { InvalidArgumentError } from "presently";

const INTEGER = /^-?\d{1,15}$/;
const HALF_CHARACTERS = /\p{Surrogate}/gu;
const FIELD_LENGTH_MAX = 1_024;

/** What Redis' client makes of a value; a half of a character becomes a replacement character, as in its UTF-8. */
export function text(value: unknown): string {
  return value === undefined || value === null ? "" : String(value).replace(HALF_CHARACTERS, "\ufffd");
}

/** The name of a field. Some come from clients (how rooms are filtered): one that is very long is known by its hash. */
export function fieldName(field: unknown): string {
  const given = text(field);
  if (given.length <= FIELD_LENGTH_MAX) return given;
  return `sha256:${createHash("sha256").update(given).digest("hex")}`;
}

/** As `text`, of one value, or of each of an array. */
export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(text) : [text(value)];
}

/** As `texts`. @throws {InvalidArgumentError} for none */
export function some(values: readonly unknown[]): string[] {
  if (values.length === 0) throw new InvalidArgumentError("values", "must be at least one");
  return values.map(text);
}

/** What Redis reads as an integer, a text included. @throws {NotAnIntegerError} before it is asked what the key holds */
export function integer(key: string, value: unknown): number {
  const given = text(value);
  if (/^(0|-?[1-9]\d*)$/.test(given)) return Number(given);
  throw new NotAnIntegerError(
    text(key),
    `cannot be changed by ${JSON.stringify(given)}, which is not an integer`,
  );
}

/** Of seconds, which may be a text or a fraction. */
export function millis(seconds: number): number {
  if (typeof seconds !== "number" && typeof seconds !== "string")
    throw new InvalidArgumentError("seconds", "must be a number");
  return Number(seconds) * 1_000;
}

/** Sets of integers are in order in Redis, others in no order. Sorts in place. */
export function sorted(members: string[]): string[] {
  return members.every((member) => INTEGER.test(member))
    ? members.sort((one, other) => Number(one) - Number(other))
    : members;
}
