/**
 * One value per id, although several clients, on several nodes, may have it: that of the last of them to subscribe.
 *
 * Clocks of different machines cannot say which was last. So the stamp of each entry is one more than the highest that its
 * node saw on entries of the same id: whoever subscribed after seeing another counts as later.
 */
import type { Meta, Presence } from "presently";
import { envelope, isEnvelope, saidIn } from "presently/drop-in";
import { isMap, type PresenceRequest } from "./request.ts";

/** `request`: the whole `ext.presence`, as the original sends it. `data`: its `data`, as the original's page says. */
export type ValueShape = "request" | "data";

/** An id and what is said of it. */
export type IdAndValue = readonly [id: string, value: unknown];

/** The note with a request that has more, or other, fields than the usual ones in their usual order. */
const REQUEST = "$presence";
const USUAL = ["id", "data"];

/** The meta of an entry: it says the `data`, and notes the rest of the request where `{ id, data }` would not be all of it. */
export function metaOf({ id, presence }: PresenceRequest, others: readonly Presence[]): Meta {
  const at = others.reduce((highest, { meta }) => Math.max(highest, saidIn(meta).at), 0) + 1;
  const isUsual = presence.id === id && Object.keys(presence).every((field, place) => field === USUAL[place]);
  const { data: info } = presence;
  if (isUsual) return envelope({ info, at });
  // The data are in the meta once; what stands in their place here keeps that place.
  return envelope({ info, at }, { [REQUEST]: info === undefined ? presence : { ...presence, data: null } });
}

/** The entry whose value counts, of those of one id. All nodes that see the same entries choose the same. */
export function latestOf(presences: readonly Presence[]): Presence | undefined {
  let latest: Presence | undefined;
  for (const presence of presences) if (latest === undefined || isLater(presence, latest)) latest = presence;
  return latest;
}

/** What clients are told of an entry. Of one that came by another protocol, what it says there is the data. */
export function shownValue({ key, meta }: Pick<Presence, "key" | "meta">, shape: ValueShape): unknown {
  const { info } = saidIn(meta);
  if (shape === "data") return info ?? null;
  const request = isEnvelope(meta) && isMap(meta[REQUEST]) ? meta[REQUEST] : { id: key };
  return info === undefined ? request : { ...request, data: info };
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
  const difference = saidIn(one.meta).at - saidIn(other.meta).at;
  return difference === 0 ? one.ref > other.ref : difference > 0;
}
