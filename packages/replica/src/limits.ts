/** Checks of what callers hand in. Each names the argument, says what is wrong, and leaves everything as it was. */
import { InvalidArgumentError, LimitError } from "./errors.ts";
import type { ReplicaSettings } from "./options.ts";

/** Levels of maps and arrays in a meta or a payload, the outermost included. */
export const JSON_DEPTH_MAX = 32;

/** @throws {InvalidArgumentError} unless `text` is a non-empty, well-formed string of at most `bytesMax` UTF-8 bytes */
export function checkText(what: "topic" | "key" | "channel", text: unknown, bytesMax: number): void {
  if (typeof text !== "string" || text === "")
    throw new InvalidArgumentError(what, "must be a non-empty string");
  // UTF-8 has no bytes for half of a character that takes two code units: two texts would become one.
  if (!text.isWellFormed())
    throw new InvalidArgumentError(what, "must be well-formed Unicode, without half characters");
  if (text.length * 3 <= bytesMax) return;
  const bytes = utf8Length(text);
  if (bytes > bytesMax)
    throw new InvalidArgumentError(what, `must have at most ${bytesMax} bytes, not ${bytes}`);
}

/**
 * Answers about how many bytes the meta takes as JSON: numbers count for 8, and short texts a byte for each code unit.
 *
 * @throws {InvalidArgumentError} unless it is a plain JSON map
 * @throws {LimitError} beyond `metaBytesMax`
 * Cost: O(its size); stops at the limit.
 */
export function checkMeta(meta: unknown, settings: Pick<ReplicaSettings, "metaBytesMax">): number {
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) {
    throw new InvalidArgumentError("meta", "must be a JSON map such as { device: 'phone' }");
  }
  const bytes = sizeOf(meta, "meta", settings.metaBytesMax);
  if (bytes > settings.metaBytesMax)
    throw new LimitError("metaBytesMax", settings.metaBytesMax, "meta is too large");
  return bytes;
}

/**
 * About how many bytes a value takes as JSON. Stops counting once it is above `most`.
 *
 * @throws {InvalidArgumentError} naming `what`, if it is not JSON
 */
export function sizeOf(value: unknown, what: string, most: number, depth = 0): number {
  if (typeof value === "string") return stringSize(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new InvalidArgumentError(what, `must be JSON: ${value} is not`);
    return 8;
  }
  if (typeof value === "boolean" || value === null) return 4;
  if (value === undefined) return 0;
  if (typeof value !== "object")
    throw new InvalidArgumentError(what, `must be JSON: a ${typeof value} is not`);
  if (depth === JSON_DEPTH_MAX)
    throw new InvalidArgumentError(what, `must not be nested deeper than ${JSON_DEPTH_MAX}`);
  let size = 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      size += sizeOf(item, what, most - size, depth + 1) + 1;
      if (size > most) return size;
    }
    return size;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new InvalidArgumentError(
      what,
      "must be JSON: use plain maps, arrays, strings, numbers and booleans",
    );
  }
  for (const name in value) {
    if (name === "__proto__") throw new InvalidArgumentError(what, "must not have a field named __proto__");
    size +=
      stringSize(name) + sizeOf((value as Record<string, unknown>)[name], what, most - size, depth + 1) + 2;
    if (size > most) return size;
  }
  return size;
}

function stringSize(text: string): number {
  // Exact only where it matters: a short string cannot exceed anything by itself.
  return text.length < 64 ? text.length + 2 : utf8Length(text) + 2;
}

/** UTF-8 bytes of a string, without an encoder. Cost: O(length). */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      bytes += 2; // Four bytes for two units.
      index++;
    } else bytes += 2;
  }
  return bytes;
}
