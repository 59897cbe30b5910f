/** What readers and watchers of presence see. */
import type { ReplicaId } from "@presently/crdt";

/** A JSON map that says something about one connection of a key. Taken by value, and frozen where it is read. */
export type Meta = Readonly<Record<string, unknown>>;

/** A meta of whatever type, unchecked: for code that serves nodes of all types. */
// biome-ignore lint/suspicious/noExplicitAny: a node takes and gives metas, so that no other type has all nodes below it.
export type AnyMeta = any;

declare const METAS: unique symbol;

/**
 * Metas that differ by topic, for `createNode<ByTopic<…>>`: `{ lobby: Guest; [room: `room:${string}`]: Profile }`. On topics that
 * it does not name a meta is a `Meta`.
 */
export interface ByTopic<Metas extends object> {
  readonly [METAS]: Metas;
}

/** The meta on one topic, where `M` is the type of all metas, or says them `ByTopic`. */
export type MetaAt<M extends object, Topic extends string> =
  M extends ByTopic<infer Metas> ? (Topic extends keyof Metas ? ObjectOf<Metas[Topic]> : Meta) : M;

type ObjectOf<Type> = Type extends object ? Type : never;

/** A map of any type, an `interface` without an index signature too; no function, and nothing to iterate over, such as a list. */
interface AnyMap extends NoFunction {
  readonly [field: string]: AnyMeta;
  readonly [Symbol.iterator]?: never;
}

/** What can be tracked as an `M`; where that is not said, every map. */
export type MetaInput<M extends object> = Meta extends M ? AnyMap : M;

/** As the last argument, which may be left out where an empty map is an `M`. */
export type MetaArgument<M extends object> =
  Record<never, never> extends MetaInput<M> ? [meta?: MetaInput<M>] : [meta: MetaInput<M>];

/** The whole new meta, or a function that returns it, given the previous one. */
export type MetaUpdate<M extends object, Previous = M> =
  | (MetaInput<M> & NoFunction)
  | ((previous: Previous) => MetaInput<M>);

/** A function has a `name` too: where it returns the wrong meta, it would count as one itself. */
interface NoFunction {
  readonly [Symbol.hasInstance]?: never;
}

/** One tracked presence, as every node of the cluster sees it: plain data, frozen. An update puts another in its place. */
export interface Presence<M extends object = Meta> {
  readonly topic: string;
  readonly key: string;
  readonly meta: M;
  /** Names this presence in the whole cluster; changes with every update; opaque. */
  readonly ref: string;
  /** The `ref` that this one replaced; only if it came by an update. */
  readonly previousRef?: string;
  /** The name of the node whose session holds it. */
  readonly node: string;
  /** The replica (one life of that node) whose session holds it. */
  readonly replica: ReplicaId;
}

/**
 * Why a presence is gone: `left` (untracked, session closed, node stopped gracefully), `lost` (its node is believed
 * down), `evicted` (its node was forgotten while it was still shown), `removed` (somebody removed it on purpose, on
 * whichever node).
 */
export type LeaveReason = "left" | "lost" | "evicted" | "removed";

/** Somebody who is gone, as they were last, and why. */
export interface Leave<M extends object = Meta> {
  readonly presence: Presence<M>;
  readonly reason: LeaveReason;
}

/** One presence whose meta or owner is another now; it was never away in between. */
export interface Update<M extends object = Meta> {
  readonly before: Presence<M>;
  readonly after: Presence<M>;
}

/** The first thing a watcher is told: all who are present now. Its number is that of the diff before it. */
export interface TopicState<M extends object = Meta> {
  readonly type: "state";
  readonly topic: string;
  readonly number: number;
  readonly presences: readonly Presence<M>[];
}

/** A change of a topic. Numbered without holes: state `n` is followed by diffs `n + 1`, `n + 2` … */
export interface TopicDiff<M extends object = Meta> {
  readonly type: "diff";
  readonly topic: string;
  readonly number: number;
  readonly joins: readonly Presence<M>[];
  readonly leaves: readonly Leave<M>[];
  readonly updates: readonly Update<M>[];
}

/** What a watcher is told: one state, then diffs; `type` tells them apart. */
export type TopicChange<M extends object = Meta> = TopicState<M> | TopicDiff<M>;

/** Told of a topic's state, then of every diff, exactly once and in order, during the call that made the change. */
export type Watcher<M extends object = Meta> = (change: TopicChange<M>) => void;

/** Distinct keys, and entries (a key may be present several times), of one topic. */
export interface TopicCount {
  readonly keys: number;
  readonly entries: number;
}

/** Told how many are on a topic. */
export type CountListener = (count: TopicCount) => void;

export interface TopicSummary extends TopicCount {
  readonly topic: string;
}

/** Liveness of a replica as this one sees it. `leaving` counts as present until its hand-off ends. */
export type ReplicaStatus = "self" | "up" | "suspect" | "leaving" | "down";

/** How far a full state is that a replica is being given, as a starting node is by another one. */
export interface SyncProgress {
  /** Who gives it. */
  readonly from: ReplicaId;
  /** Entries that have come, those that came from others before the link with them was lost among them. */
  readonly entriesReceived: number;
  /** Entries that there will be. */
  readonly entriesExpected: number;
}

/** What this replica believes of another, for operators. */
export interface ReplicaReport {
  readonly replica: ReplicaId;
  readonly node: string;
  readonly status: ReplicaStatus;
  /** Entries held for it, hidden ones included. */
  readonly entries: number;
  /** Its highest event known here. */
  readonly events: number;
  /** Of its entries after these events: the same on all replicas that know as many, or something is wrong. */
  readonly hash: number;
  /** Since its heartbeat counter last advanced, by our own monotonic clock; 0 for ourselves. */
  readonly heardAgoMs: number;
  /** Whether a link with it is up. */
  readonly linked: boolean;
  /** Whether its last digest agreed with ours; undefined while none has come from it directly. */
  readonly agrees: boolean | undefined;
  /** Since its digest last agreed with ours; undefined if it never did. */
  readonly agreedAgoMs: number | undefined;
}
