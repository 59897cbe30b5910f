/** The messages between replicas, as plain objects. How they look on the wire is the codec's business. */
import type { Delta, Entries, EventNumber, Ranges, Removal, ReplicaId } from "@presently/crdt";
import type { Entry } from "./entry.ts";
import type { TopicHash } from "./messaging/topic-hash.ts";

/** Local changes of the sender, pushed to every peer. */
export interface DeltaMessage {
  readonly type: "delta";
  readonly delta: Delta<Entry>;
}

/** What the sender knows of another replica's heartbeat. */
export interface Heard {
  readonly replica: ReplicaId;
  readonly counter: number;
  /** Since the sender saw that counter advance, by its own clock. */
  readonly agoMs: number;
}

export interface OriginSummary {
  readonly replica: ReplicaId;
  readonly vector: EventNumber;
  /** Of its live dots up to `vector`. */
  readonly hash: number;
}

/** Proof of life, and enough to see whether sender and receiver agree. */
export interface HeartbeatMessage {
  readonly type: "heartbeat";
  readonly counter: number;
  readonly heard: readonly Heard[];
  /** Of the whole digest. */
  readonly digestHash: number;
  /** Left out while it is what the sender's last one to this peer was. */
  readonly digest: readonly OriginSummary[] | undefined;
}

/** Asks for everything that the sender lacks. At most one is under way at a time. */
export interface PullMessage {
  readonly type: "pull";
  /** Names the pull in its answers. */
  readonly id: number;
  readonly vector: readonly (readonly [ReplicaId, EventNumber])[];
  /** Up to which event entries of a full sync that was broken off are here already. */
  readonly staged: readonly (readonly [ReplicaId, EventNumber])[];
  /** Equal vectors with unequal hashes: compare all live dots. */
  readonly full: boolean;
}

export interface LivePart {
  readonly replica: ReplicaId;
  readonly vector: EventNumber;
  /** Of all its live dots up to `vector`. */
  readonly hash: number;
  /** Several parts of one origin follow each other, ascending. */
  readonly ranges: Ranges;
}

/**
 * A part of the answer to a pull. Either deltas from the log or, where that is too short, the full form: first the
 * entries that the asker lacks, then vector, live dots and pending removes, which are merged when the last has come.
 */
export interface SyncMessage {
  readonly type: "sync";
  readonly pull: number;
  readonly last: boolean;
  readonly deltas: readonly Delta<Entry>[];
  readonly entries: readonly Entries<Entry>[];
  readonly live: readonly LivePart[];
  readonly pending: readonly Removal[];
  /** Whether this is the full form. */
  readonly full: boolean;
  /** Entries of the full form that the whole answer brings: for whoever wants to know how far it is. */
  readonly expected: number;
}

/** "I lost my link with this replica: can you hear it?" */
export interface ProbeMessage {
  readonly type: "probe";
  readonly replica: ReplicaId;
}

export interface ProbeAckMessage {
  readonly type: "probe-ack";
  readonly replica: ReplicaId;
  readonly counter: number;
  readonly agoMs: number;
  /** Whether the sender has a link with it, or hears of it through others although it never had one. */
  readonly vouches: boolean;
}

/** A replica stops gracefully. Passed on once by whoever hears it first. */
export interface LeaveMessage {
  readonly type: "leave";
  readonly replica: ReplicaId;
  /** For so long its entries stay, to be taken over by the same keys elsewhere. */
  readonly handoffMs: number;
}

/**
 * The sessions of these entries of the sender have dropped without leaving: who tracks one of their keys on its topic
 * takes the entry's place. A hint, sent behind the delta that added them, and again when a link opens or has drained.
 */
export interface LingerMessage {
  readonly type: "linger";
  /** Ascending. */
  readonly numbers: readonly EventNumber[];
}

/** "Your node name has been seen with this newer incarnation." */
export interface IncarnationMessage {
  readonly type: "incarnation";
  readonly newest: number;
}

/** "I run under your name: repeat this number if you do." Only between two processes of one name, over a link of their own. */
export interface NamesakeMessage {
  readonly type: "namesake";
  /** Fresh, for the receiver to repeat. */
  readonly token: number;
  /** The receiver's token; 0 if the sender has none to repeat. */
  readonly repeats: number;
  /** How long the sender has been running. */
  readonly upMs: number;
  /** Which of both leaves the cluster, as decided by the sender. */
  readonly stops: "nobody" | "sender" | "receiver";
}

/**
 * Which topics the sender wants broadcasts of: what has changed since its last telling, or the whole set anew, which counts
 * once its last part has come. The first on a link is the whole set; before that everything is wanted.
 */
export interface InterestMessage {
  readonly type: "interest";
  /** Grows with every telling; its parts have the same. */
  readonly telling: number;
  /** The first part of the whole set: what was told before is void with the last one. */
  readonly whole: boolean;
  /** No more parts of this telling follow: it is to be acknowledged. */
  readonly last: boolean;
  /** More topics than can be named. */
  readonly everything: boolean;
  /** The sender passes messages on, takes those that were passed on, and takes messages in parts. */
  readonly relays: boolean;
  readonly added: readonly TopicHash[];
  readonly removed: readonly TopicHash[];
}

/** "From here on I go by what you told me." */
export interface InterestAckMessage {
  readonly type: "interest-ack";
  readonly telling: number;
}

/**
 * Messages of the application have numbers that grow with each one of their sender: whatever way they take, a receiver takes
 * none that is not newer than the last. 0: an older version sent it, over its link.
 */
interface NumberedMessage {
  readonly number: number;
}

/** A message of the application to all nodes: at most once, and not stored. */
export interface BroadcastMessage extends NumberedMessage {
  readonly type: "broadcast";
  readonly channel: string;
  /** JSON, bytes, or a `Packet`. */
  readonly payload: unknown;
}

/** A message of the application to one node: at most once, and not stored. */
export interface DirectMessage extends NumberedMessage {
  readonly type: "message";
  readonly channel: string;
  readonly payload: unknown;
}

/** A question of the application to one node. */
export interface RequestMessage extends NumberedMessage {
  readonly type: "request";
  /** Names the request in its answer. */
  readonly id: number;
  readonly channel: string;
  readonly payload: unknown;
  /** Whether it is a message for those who listen, to be answered once they have it. */
  readonly isMessage: boolean;
}

export interface ReplyMessage extends NumberedMessage {
  readonly type: "reply";
  readonly id: number;
  /** `lost`, `refused`: there was an answer, and it did not arrive. */
  readonly outcome: "ok" | "failed" | "unhandled" | "busy" | "lost" | "refused";
  /** The answer, or why there is none. */
  readonly payload: unknown;
}

/** What the application says, and what it answers. */
export type ApplicationMessage = BroadcastMessage | DirectMessage | RequestMessage | ReplyMessage;

/** A message before it has its number. */
export type Unnumbered<M extends ApplicationMessage = ApplicationMessage> = M extends unknown
  ? Omit<M, "number">
  : never;

/** "Can you pass messages on to these?" To be answered now, and whenever it changes while the link lasts. */
export interface ReachMessage {
  readonly type: "reach";
  readonly replicas: readonly ReplicaId[];
}

/** What the sender can pass messages on to, and what it cannot. */
export interface ReachesMessage {
  readonly type: "reaches";
  readonly open: readonly ReplicaId[];
  /** What it was given for these lately may not have arrived. */
  readonly closed: readonly ReplicaId[];
}

/** A message for others, to be passed on over the links with them. */
export interface RelayMessage {
  readonly type: "relay";
  readonly to: readonly ReplicaId[];
  /** As it would go over a link. */
  readonly frame: Uint8Array;
}

/** A message that another replica has sent, passed on by the sender of this one. */
export interface RelayedMessage {
  readonly type: "relayed";
  readonly from: ReplicaId;
  readonly frame: Uint8Array;
}

/** A part of the frame of a large message. The parts of one message come in order, and no other parts of its sender between them. */
export interface PartMessage {
  readonly type: "part";
  /** Names the message among those of its sender. */
  readonly transfer: number;
  /** Bytes of the frame; 0: there is no message, the sender wants to know when all that it sent before has come. */
  readonly total: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** How much of a message in parts has come, or that the rest of it is not wanted. */
export interface PartAckMessage {
  readonly type: "part-ack";
  readonly transfer: number;
  /** Bytes that have come. */
  readonly received: number;
  /** `lost`: a part is missing. `refused`: it is too large, or there is no room for it. */
  readonly outcome: "more" | "done" | "lost" | "refused";
}

/** Whatever one replica sends another; `type` says which. `encodeMessage` makes bytes of it. */
export type Message =
  | DeltaMessage
  | HeartbeatMessage
  | PullMessage
  | SyncMessage
  | ProbeMessage
  | ProbeAckMessage
  | LeaveMessage
  | LingerMessage
  | IncarnationMessage
  | NamesakeMessage
  | InterestMessage
  | InterestAckMessage
  | ApplicationMessage
  | ReachMessage
  | ReachesMessage
  | RelayMessage
  | RelayedMessage
  | PartMessage
  | PartAckMessage;
