/** What readers and watchers of presence see. */
import type { ReplicaId } from "@presently/crdt";

/** A JSON map that says something about one connection of a key. Taken by value, and frozen where it is read. */
export type Meta = Readonly<Record<string, unknown>>;

/** One tracked presence, as every node of the cluster sees it: plain data, frozen. An update puts another in its place. */
export interface Presence {
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
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
export interface Leave {
  readonly presence: Presence;
  readonly reason: LeaveReason;
}

/** One presence whose meta or owner is another now; it was never away in between. */
export interface Update {
  readonly before: Presence;
  readonly after: Presence;
}

/** The first thing a watcher is told: all who are present now. Its number is that of the diff before it. */
export interface TopicState {
  readonly type: "state";
  readonly topic: string;
  readonly number: number;
  readonly presences: readonly Presence[];
}

/** A change of a topic. Numbered without holes: state `n` is followed by diffs `n + 1`, `n + 2` … */
export interface TopicDiff {
  readonly type: "diff";
  readonly topic: string;
  readonly number: number;
  readonly joins: readonly Presence[];
  readonly leaves: readonly Leave[];
  readonly updates: readonly Update[];
}

/** What a watcher is told: one state, then diffs; `type` tells them apart. */
export type TopicChange = TopicState | TopicDiff;

/** Told of a topic's state, then of every diff, exactly once and in order, during the call that made the change. */
export type Watcher = (change: TopicChange) => void;

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
