/**
 * Presences that belong to a caller's name and not to a connection: whichever node holds one, all know it by its mark.
 *
 * The mark travels in the meta, under a field that nobody else may use; readers do not see it.
 */
import type { ReplicaId } from "@presently/crdt";
import { InvalidArgumentError } from "./errors.ts";
import type { Meta } from "./presence.ts";

/** The field of a meta that holds the mark. */
const MARK_FIELD = "presently:put";

/** What all nodes know of such a presence besides its topic, key and meta. */
export interface Mark {
  /** The caller's name for it, among those of its topic and key. */
  readonly id: string;
  /** Grows with every change: of two presences of one name the higher counts. */
  readonly version: number;
  /** How long it stays unless it is put again. */
  readonly ttlMs?: number;
  /** The reference of the presence that this one stands in for, because its node is gone. */
  readonly standsInFor?: string;
}

/** How the marked presences have changed: `forgotten` are those whose node is forgotten with all that it held. */
export type MarkChange = "inserted" | "removed" | "forgotten";

export type MarkListener<Entry> = (entry: Entry, mark: Mark, change: MarkChange) => void;

/** What is known of an entry here. */
interface Markable {
  readonly replica: ReplicaId;
  readonly topic: string;
  readonly key: string;
  readonly mark: Mark | undefined;
}

/** The meta with a mark. */
export function withMark(meta: Meta, mark: Mark): Meta {
  return { ...meta, [MARK_FIELD]: mark };
}

/** The meta without its mark. */
export function withoutMark(meta: Meta): Meta {
  const { [MARK_FIELD]: _, ...rest } = meta;
  return rest;
}

/** The mark in a meta, which may come from another node; undefined if there is none that can be used. */
export function markIn(meta: Meta): Mark | undefined {
  if (!Object.hasOwn(meta, MARK_FIELD)) return undefined;
  const mark = meta[MARK_FIELD] as Partial<Record<keyof Mark, unknown>> | null;
  if (typeof mark !== "object" || mark === null) return undefined;
  const { id, version, ttlMs, standsInFor } = mark;
  const isMark =
    typeof id === "string" &&
    isCount(version) &&
    (ttlMs === undefined || isCount(ttlMs)) &&
    (standsInFor === undefined || typeof standsInFor === "string");
  return isMark ? (mark as Mark) : undefined;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** @throws {InvalidArgumentError} for a meta that a caller would mark */
export function checkUnmarked(meta: Meta): void {
  if (Object.hasOwn(meta, MARK_FIELD))
    throw new InvalidArgumentError("meta", `must not have the field ${MARK_FIELD}, which is reserved`);
}

/** The marked entries of the set, whether readers see them or not, by topic and key. */
export class Marks<Entry extends Markable> {
  private readonly byKey = new Map<string, Set<Entry>>();
  private readonly byReplica = new Map<ReplicaId, Set<Entry>>();
  private readonly listeners = new Set<MarkListener<Entry>>();

  /** Calls `listener` in the middle of each change. */
  listen(listener: MarkListener<Entry>): void {
    this.listeners.add(listener);
  }

  /** Those of one key on a topic. */
  of(topic: string, key: string): Iterable<Entry> {
    return this.byKey.get(indexOf(topic, key)) ?? [];
  }

  /** Those that a replica holds. */
  heldBy(replica: ReplicaId): Iterable<Entry> {
    return this.byReplica.get(replica) ?? [];
  }

  inserted(entry: Entry): void {
    const { mark } = entry;
    if (mark === undefined) return;
    addTo(this.byKey, indexOf(entry.topic, entry.key), entry);
    addTo(this.byReplica, entry.replica, entry);
    this.tell(entry, mark, "inserted");
  }

  removed(entry: Entry): void {
    const { mark } = entry;
    if (mark !== undefined && this.delete(entry)) this.tell(entry, mark, "removed");
  }

  /** A replica is forgotten, with what it held. Cost: O(its marked entries). */
  forgotten(replica: ReplicaId): void {
    for (const entry of [...this.heldBy(replica)])
      if (this.delete(entry)) this.tell(entry, entry.mark!, "forgotten");
  }

  /** The set begins anew, and is filled again. */
  clear(): void {
    this.byKey.clear();
    this.byReplica.clear();
  }

  private delete(entry: Entry): boolean {
    deleteFrom(this.byReplica, entry.replica, entry);
    return deleteFrom(this.byKey, indexOf(entry.topic, entry.key), entry);
  }

  private tell(entry: Entry, mark: Mark, change: MarkChange): void {
    for (const listener of this.listeners) listener(entry, mark, change);
  }
}

function indexOf(topic: string, key: string): string {
  return JSON.stringify([topic, key]);
}

function addTo<K, Entry>(sets: Map<K, Set<Entry>>, at: K, entry: Entry): void {
  const set = sets.get(at);
  if (set === undefined) sets.set(at, new Set([entry]));
  else set.add(entry);
}

function deleteFrom<K, Entry>(sets: Map<K, Set<Entry>>, at: K, entry: Entry): boolean {
  const set = sets.get(at);
  if (set === undefined || !set.delete(entry)) return false;
  if (set.size === 0) sets.delete(at);
  return true;
}
