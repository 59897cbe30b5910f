/** Who is in a room, as applications see them. */

/** What somebody says of themselves: a map of JSON values. */
export type Meta = object;

/** The whole new meta, or a function of the present one. A function has a `name`, but is no meta. */
export type MetaChange<M extends Meta> =
  | (M & { readonly [Symbol.hasInstance]?: never })
  | ((previous: M) => M);

/** One person of a room: all connections under one key. Never changed: a person who changes is another object. */
export interface Person<M extends Meta> {
  readonly key: string;
  /** What each of their connections (tabs, devices) says, in the order in which this client heard of them; never empty. */
  readonly metas: readonly M[];
  /** What the newest of them says. */
  readonly meta: M;
  /** Since when the first of them is here, in ms since 1970 by the clock of the server, if the server tells. */
  readonly sinceMs: number | undefined;
}

/** A meta as it travels. */
export interface WireMeta {
  readonly phx_ref: string;
  readonly phx_ref_prev?: string;
  readonly online_at?: unknown;
  readonly [field: string]: unknown;
}

/** One connection of a person. */
export interface Seat<M extends Meta> {
  readonly ref: string;
  readonly meta: M;
  readonly sinceMs: number | undefined;
}

/** Takes apart what the server adds and what the application wrote. */
export function seatOf<M extends Meta>(wire: WireMeta): Seat<M> {
  const { phx_ref: ref, phx_ref_prev: _, online_at: onlineAt, ...meta } = wire;
  const seconds = typeof onlineAt === "string" && /^\d{1,12}$/.test(onlineAt) ? Number(onlineAt) : undefined;
  freeze(meta);
  return { ref, meta: meta as unknown as M, sinceMs: seconds === undefined ? undefined : seconds * 1_000 };
}

/** All the way down: everybody who shows a person reads the same one. */
function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const part of Object.values(value)) freeze(part);
  Object.freeze(value);
}

/** @param seats  at least one */
export function personOf<M extends Meta>(key: string, seats: readonly Seat<M>[]): Person<M> {
  const metas = Object.freeze(seats.map(({ meta }) => meta));
  const times = seats.flatMap(({ sinceMs }) => (sinceMs === undefined ? [] : [sinceMs]));
  const sinceMs = times.length === 0 ? undefined : Math.min(...times);
  return Object.freeze({ key, metas, meta: metas.at(-1)!, sinceMs });
}

/** Whether two JSON values say the same. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every(
      (name) =>
        Object.hasOwn(b, name) &&
        sameJson((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]),
    )
  );
}
