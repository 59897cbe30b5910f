/** Presences in the shape that phoenix.js knows: keys, each with the metas of its connections. */
import type { Meta, Presence } from "presently";
import { saidAsMap } from "presently/drop-in";

/** The meta of one connection. */
export type PresenceMeta<M extends object = Meta> = M & PresenceRefs;

/** How clients tell one meta of a key from another. */
export interface PresenceRefs {
  /** Names this meta in the whole cluster; opaque; changes with every update. */
  readonly phx_ref: string;
  /** Of a meta that came by an update: the `phx_ref` that it replaced. */
  readonly phx_ref_prev?: string;
}

/** What is known of one key; `fetch` may add fields next to `metas`. */
export interface PresenceEntry<M extends object = Meta> {
  readonly metas: readonly PresenceMeta<M>[];
  readonly [field: string]: unknown;
}

/** By key. Has no prototype, so that a key such as `__proto__` is one like any other. */
export type PresenceMap<M extends object = Meta> = Readonly<Record<string, PresenceEntry<M>>>;

/** Both are always there; the unused one is empty. An update has the old meta in `leaves` and the new one in `joins`. */
export interface PresenceDiff<M extends object = Meta> {
  readonly joins: PresenceMap<M>;
  readonly leaves: PresenceMap<M>;
}

/** What left and what came on one topic, meta by meta. */
export interface RawDiff {
  readonly joins: readonly Presence[];
  readonly leaves: readonly Presence[];
}

/** The meta as clients see it: of who came by another protocol, what it says there. */
export function metaOf({ meta, ref, previousRef }: Presence): PresenceMeta {
  const said = saidAsMap(meta);
  return previousRef === undefined
    ? { ...said, phx_ref: ref }
    : { ...said, phx_ref: ref, phx_ref_prev: previousRef };
}

/** Groups presences by key, in their order. Cost: O(presences). */
export function groupByKey(presences: Iterable<Presence>): PresenceMap {
  const map: Record<string, { metas: PresenceMeta[] }> = Object.create(null);
  for (const presence of presences) {
    const entry = map[presence.key];
    if (entry === undefined) map[presence.key] = { metas: [metaOf(presence)] };
    else entry.metas.push(metaOf(presence));
  }
  return map as PresenceMap;
}
