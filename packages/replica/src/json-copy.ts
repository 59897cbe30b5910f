/**
 * JSON by value: a copy of what a caller hands in, checked in the same walk, and frozen before readers get it.
 *
 * All nodes must show the same, so what JSON cannot say is either said as JSON.stringify would (a field that is undefined
 * is left out, an undefined item of an array is null, -0 is 0, a getter is read once) or refused (functions, symbols,
 * bigints, NaN, infinite numbers, dates and other class instances, a field named `__proto__`, cycles, half a surrogate pair).
 */
import { InvalidArgumentError, LimitError } from "./errors.ts";

/** Levels of maps and arrays in a meta or a payload, the outermost included. */
export const JSON_DEPTH_MAX = 32;

/** What is said of text that UTF-8 cannot carry: it has no bytes for half of a character that takes two code units. */
export const MUST_BE_WELL_FORMED = "must be well-formed Unicode, without half characters";

/** Copies one value. */
export class JsonCopy {
  /** About how many bytes the copy takes as JSON: numbers count for 8, and short texts a byte for each code unit. */
  bytes = 0;
  private readonly what: string;
  private readonly bytesMax: number;
  private readonly option: string;

  /** @param what names the value in errors, as `option` names the bound of its size */
  constructor(what: string, bytesMax: number, option: string) {
    this.what = what;
    this.bytesMax = bytesMax;
    this.option = option;
  }

  /**
   * Returns a copy of `value`, of which nothing is shared with it.
   *
   * @throws {InvalidArgumentError} if it is not JSON
   * @throws {LimitError} beyond the bound
   * Cost: O(its size); stops at the bound.
   */
  of(value: unknown, depth = 0): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number") {
      if (!Number.isFinite(value)) throw this.refused(`must be JSON: ${value} is not`);
      this.take(8);
      return value + 0; // -0 is 0.
    }
    if (typeof value === "boolean" || value === null) {
      this.take(4);
      return value;
    }
    if (typeof value !== "object") throw this.refused(`must be JSON: a ${typeof value} is not`);
    if (depth === JSON_DEPTH_MAX)
      throw this.refused(`must not be nested deeper than ${JSON_DEPTH_MAX}, or contain itself`);
    this.take(2);
    return Array.isArray(value) ? this.array(value, depth) : this.map(value, depth);
  }

  private array(items: readonly unknown[], depth: number): unknown[] {
    const copy: unknown[] = [];
    for (const item of items) {
      this.bytes++;
      copy.push(this.of(item === undefined ? null : item, depth + 1));
    }
    return copy;
  }

  private map(map: object, depth: number): Record<string, unknown> {
    const prototype = Object.getPrototypeOf(map);
    const isPlain = prototype === Object.prototype || prototype === null;
    // A map of another realm, as of `node:vm`, has that realm's own prototype.
    if (!isPlain && Object.getPrototypeOf(prototype) !== null)
      throw this.refused("must be JSON: use plain maps, arrays, strings, numbers and booleans");
    const copy: Record<string, unknown> = {};
    for (const name in map) {
      if (!isPlain && !Object.hasOwn(map, name)) continue;
      const value: unknown = (map as Record<string, unknown>)[name];
      if (value === undefined) continue;
      if (name === "__proto__") throw this.refused("must not have a field named __proto__");
      this.bytes += 2;
      this.text(name);
      // Most metas are flat maps of short texts.
      copy[name] = typeof value === "string" ? this.text(value) : this.of(value, depth + 1);
    }
    return copy;
  }

  private text(text: string): string {
    if (!text.isWellFormed()) throw this.refused(MUST_BE_WELL_FORMED);
    // Exact only where it matters: a short text cannot exceed anything by itself.
    this.take(text.length < 64 ? text.length + 2 : utf8Length(text) + 2);
    return text;
  }

  private take(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.bytesMax)
      throw new LimitError(this.option, this.bytesMax, `${this.what} is too large`);
  }

  private refused(problem: string): InvalidArgumentError {
    return new InvalidArgumentError(this.what, problem);
  }
}

/** Freezes a JSON value all the way down, and returns it. Cost: O(its size). */
export function freezeJson<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) for (const item of value) freezeJson(item);
  else for (const name in value) freezeJson(value[name]);
  return Object.freeze(value);
}

/** A copy of bytes, of the same class: `slice` of a Buffer copies nothing. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
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
