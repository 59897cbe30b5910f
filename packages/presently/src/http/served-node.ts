/** What the HTTP server asks of the node that it serves. */
import type {
  AnyMeta,
  Counters,
  MessageListener,
  Presence,
  ReplicaId,
  ReplicaReport,
  Session,
  SyncProgress,
  TopicCount,
  TopicSummary,
  Watcher,
} from "@presently/replica";

import type { Access } from "../access/access.ts";
import type { Eviction } from "../eviction.ts";
import type { PutPresences } from "./put-presences.ts";

/** A link of the mesh, for operators. */
export interface LinkReport {
  readonly replica: ReplicaId;
  readonly node: string;
  /** Who dialled: this node (`out`) or the other (`in`). */
  readonly direction: "in" | "out";
  /** Where the peer was dialled; or, if it dialled us, where it says that it can be. */
  readonly address: string;
  /** Since when the link is up. */
  readonly openForMs: number;
  /** Bytes handed over but not yet sent. */
  readonly bufferedBytes: number;
  /** Since the link opened: payload of its frames, without what WebSocket and TCP add. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly framesSent: number;
  readonly framesReceived: number;
}

/** The part of a node that the HTTP API shows. A node implements it; so could a test. */
export interface ServedNode {
  readonly name: string;
  readonly clusterName: string;
  readonly replica: ReplicaId;
  /** Why the node is not ready, for people; undefined once it is. */
  readonly notReadyReason: string | undefined;
  readonly stopping: boolean;
  /** Who may do what; undefined: everybody everything. */
  readonly access: Access | undefined;
  /** How far the state is that another node is giving this one; undefined if none is. */
  readonly syncProgress: SyncProgress | undefined;
  /** What happened since the start; they only grow. */
  readonly counters: Readonly<Counters>;
  /** Connections of the mesh that were refused, by the code of the reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Requests over HTTP that were refused by access or for being too many, by the reason. */
  readonly refusedRequests: Readonly<Record<string, number>>;
  /** Lines of the log that could not be written. */
  readonly logLinesDropped: number;
  /** What back ends PUT, at whichever node. */
  readonly puts: PutPresences;
  session(): Session<AnyMeta>;
  list(topic: string): readonly Presence<AnyMeta>[];
  /** As `list`, as they are now, with presences that are made as they are read. */
  read(topic: string): Iterable<Presence<AnyMeta>>;
  count(topic: string): TopicCount;
  /** One by one, in no order; nothing may change while it is read. */
  readTopics(prefix?: string): Iterable<TopicSummary>;
  watch(topic: string, watcher: Watcher<AnyMeta>): () => void;
  remove(topic: string, key: string): number;
  broadcast(channel: string, payload: unknown): void;
  onBroadcast(channel: string, listener: MessageListener): () => void;
  cluster(): readonly ReplicaReport[];
  links(): readonly LinkReport[];
  evict(replica: ReplicaId): boolean;
  evictEverywhere(replica: ReplicaId): Promise<Eviction>;
  request(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    options: { readonly timeoutMs: number },
  ): Promise<unknown>;
  onRequest(channel: string, handler: (payload: unknown, from: ReplicaId) => unknown): () => void;
}
