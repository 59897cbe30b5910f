/** Options that are numbers, each with its default: the bounds and durations of a drop-in. */
import { checkInteger, checkObject, checkOptions } from "@presently/replica";
import { GATE_DEFAULTS, type GateLimits } from "./gate.ts";

/** How they are called in errors, and from where on they make sense. */
export interface BoundOptions {
  /** Stands before the name. Default `limits.`. */
  readonly prefix?: string;
  /** Default 1. */
  readonly least?: number;
}

/**
 * What was given, and the default of everything that was left out or is undefined.
 *
 * @throws {InvalidArgumentError} for a name that does not exist, and for what is no integer of at least `least`
 */
export function resolveBounds<T extends Readonly<Record<keyof T, number>>>(
  defaults: T,
  given: { readonly [Name in keyof T]?: number | undefined } = {},
  options: BoundOptions = {},
): T {
  checkObject("defaults", defaults);
  checkOptions(options, ["prefix", "least"]);
  const { prefix = "limits.", least = 1 } = options;
  checkOptions(given, defaults, prefix);
  const resolved = { ...defaults };
  for (const [name, value] of Object.entries(given) as [keyof T & string, unknown][]) {
    if (value === undefined) continue;
    checkInteger(`${prefix}${name}`, value, least);
    resolved[name] = value as T[typeof name];
  }
  return resolved;
}

/**
 * As `resolveBounds`, for a drop-in that has a gate only where somebody asks for one: of the gate's bounds, those that were
 * given, and no defaults.
 */
export function resolveBesideGate<T extends Readonly<Record<keyof T, number>>>(
  defaults: T,
  given: { readonly [Name in keyof (T & GateLimits)]?: number | undefined } = {},
): T & Partial<GateLimits> {
  const resolved: Record<string, number> = resolveBounds({ ...GATE_DEFAULTS, ...defaults }, given);
  for (const name of Object.keys(GATE_DEFAULTS) as (keyof GateLimits)[])
    if (given[name] === undefined) delete resolved[name];
  return resolved as T & Partial<GateLimits>;
}
