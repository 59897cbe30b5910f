/** Presences as the HTTP API shows them. */
import type { Leave, Presence, TopicDiff, Update } from "@presently/replica";

/** One entry of a key: the JSON map that was tracked stands apart, under `meta`, so that it cannot collide. */
export interface MetaJson {
  readonly ref: string;
  readonly previousRef?: string;
  readonly node: string;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** Who is present on a topic, by key. */
export interface TopicJson {
  readonly topic: string;
  readonly keys: number;
  readonly entries: number;
  readonly presences: Readonly<Record<string, { readonly metas: readonly MetaJson[] }>>;
}

/** An entry with its key, as diffs list it. */
export interface EntryJson extends MetaJson {
  readonly key: string;
}

/** One numbered change of a topic. */
export interface DiffJson {
  readonly topic: string;
  readonly number: number;
  readonly joins: readonly EntryJson[];
  readonly leaves: readonly (EntryJson & { readonly reason: string })[];
  readonly updates: readonly { readonly before: EntryJson; readonly after: EntryJson }[];
}

/** The topic's presences grouped by key. The counts are those of the list, so that they cannot disagree with it. */
export function topicJson(topic: string, presences: readonly Presence[]): TopicJson {
  // Without a prototype, so that a key such as `__proto__` is a key like any other.
  const byKey: Record<string, { metas: MetaJson[] }> = Object.create(null);
  let keys = 0;
  for (const presence of presences) {
    let group = byKey[presence.key];
    if (group === undefined) {
      group = { metas: [] };
      byKey[presence.key] = group;
      keys++;
    }
    group.metas.push(metaJson(presence));
  }
  return { topic, keys, entries: presences.length, presences: byKey };
}

/** One entry, without its key. */
export function metaJson({ ref, previousRef, node, meta }: Presence): MetaJson {
  return previousRef === undefined ? { ref, node, meta } : { ref, previousRef, node, meta };
}

/** A diff as an event stream sends it. */
export function diffJson({ topic, number, joins, leaves, updates }: TopicDiff): DiffJson {
  return {
    topic,
    number,
    joins: joins.map(entryJson),
    leaves: leaves.map(leaveJson),
    updates: updates.map(updateJson),
  };
}

function entryJson(presence: Presence): EntryJson {
  return { key: presence.key, ...metaJson(presence) };
}

function leaveJson({ presence, reason }: Leave): EntryJson & { reason: string } {
  return { ...entryJson(presence), reason };
}

function updateJson({ before, after }: Update): { before: EntryJson; after: EntryJson } {
  return { before: entryJson(before), after: entryJson(after) };
}
