/** Checks of the kind of an argument, for every public call of every package: a wrong one is an error of ours, at the call. */
import { InvalidArgumentError } from "./errors.ts";

/** @throws {InvalidArgumentError} unless `value` is a string */
export function checkString(what: string, value: unknown): void {
  if (typeof value !== "string") throw isNot(what, "a string", value);
}

/**
 * The strings of a list, or of another iterable that is no string itself.
 *
 * @throws {InvalidArgumentError} for anything else
 */
export function stringsIn(what: string, value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value))
    throw isNot(what, "a list of strings", value);
  const texts: readonly unknown[] = Array.isArray(value) ? value : [...(value as Iterable<unknown>)];
  for (const text of texts) if (typeof text !== "string") throw isNot(what, "a list of strings", text);
  return texts as readonly string[];
}

/** @throws {InvalidArgumentError} unless `value` is a function */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== "function") throw isNot(what, "a function", value);
}

/** @throws {InvalidArgumentError} unless `value` is an object with all of these functions */
export function checkObject(what: string, value: unknown, functions: readonly string[] = []): void {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw isNot(what, "an object", value);
  for (const name of functions)
    if (typeof (value as Record<string, unknown>)[name] !== "function")
      throw new InvalidArgumentError(what, `must have the function ${name}`);
}

/**
 * @param known the options that there are, or an object that has them all
 * @param prefix stands before an option's name in errors, `limits.` for example
 * @throws {InvalidArgumentError} unless `value` is an object, and each of its fields an option
 */
export function checkOptions(value: unknown, known: readonly string[] | object, prefix = "options."): void {
  checkObject(prefix.slice(0, -1), value);
  for (const name of Object.keys(value as object))
    if (!(Array.isArray(known) ? known.includes(name) : Object.hasOwn(known, name)))
      throw new InvalidArgumentError(
        `${prefix}${name}`,
        `is not an option: there are ${(Array.isArray(known) ? known : Object.keys(known)).join(", ")}`,
      );
}

/** Milliseconds, or a count. @throws {InvalidArgumentError} unless `value` is an integer of at least `least` */
export function checkInteger(what: string, value: unknown, least: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least)
    throw new InvalidArgumentError(what, `must be an integer of at least ${least}, not ${shown(value)}`);
}

/** @throws {InvalidArgumentError} for what has no JSON: a circle, a BigInt, a function, undefined */
export function jsonOf(what: string, value: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(value);
    if (text !== undefined) return text;
  } catch (cause) {
    throw new InvalidArgumentError(what, "must be JSON", { cause });
  }
  throw new InvalidArgumentError(what, `must be JSON: ${shown(value)} is not`);
}

function isNot(what: string, wanted: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError(what, `must be ${wanted}, not ${shown(value)}`);
}

/** By its kind where the value could be long, or a secret. */
function shown(value: unknown): string {
  if (value === null || typeof value === "number") return String(value);
  if (Array.isArray(value)) return "a list";
  return typeof value === "object"
    ? "an object"
    : typeof value === "undefined"
      ? "undefined"
      : `a ${typeof value}`;
}
