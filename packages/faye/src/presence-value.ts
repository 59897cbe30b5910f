/**
 * One value per id, although several clients, on several nodes, may have it: that of the last of them to subscribe.
 *
 * Clocks of different machines cannot say which was last. So each entry carries a turn, which is one more than the
 * highest turn that its node saw on entries of the same id: whoever subscribed after seeing another counts as later.
 */
import type { Meta, Presence } from "presently";
import { isMap, type PresenceRequest } from "./request.ts";

/** `request`: the whole `ext.presence`, as the original sends it. `data`: its `data`, as the original's page says. */
export type ValueShape = "request" | "data";

/** An id and what is said of it. */
export type IdAndValue = readonly [id: string, value: unknown];

/** The meta of an entry. */
export function metaOf(request: PresenceRequest, others: readonly Presence[]): Meta {
  const last = others.reduce((highest, { meta }) => Math.max(highest, turnOf(meta)), 0);
  return { presence: request.presence, turn: last + 1 };
}

/** The entry whose value counts, of those of one id. All nodes that see the same entries choose the same. */
export function latestOf(presences: readonly Presence[]): Presence | undefined {
  let latest: Presence | undefined;
  for (const presence of presences) if (latest === undefined || isLater(presence, latest)) latest = presence;
  return latest;
}

/** What clients are told of an entry. One that something else than this plug-in tracked is shown with its meta as data. */
export function shownValue({ key, meta }: Pick<Presence, "key" | "meta">, shape: ValueShape): unknown {
  const presence = isMap(meta.presence) ? meta.presence : { id: key, data: meta };
  return shape === "request" ? presence : (presence.data ?? null);
}

/** Every id of a list once, with its value. Cost: O(list). */
export function valuesOf(presences: readonly Presence[], shape: ValueShape): IdAndValue[] {
  const latest = new Map<string, Presence>();
  for (const presence of presences) {
    const other = latest.get(presence.key);
    if (other === undefined || isLater(presence, other)) latest.set(presence.key, presence);
  }
  return [...latest].map(([id, presence]) => [id, shownValue(presence, shape)]);
}

function isLater(one: Presence, other: Presence): boolean {
  const difference = turnOf(one.meta) - turnOf(other.meta);
  return difference === 0 ? one.ref > other.ref : difference > 0;
}

function turnOf({ turn }: Meta): number {
  return Number.isSafeInteger(turn) ? (turn as number) : 0;
}
