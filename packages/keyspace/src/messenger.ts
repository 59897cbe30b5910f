/** What a key space needs of the world: messages between replicas, and the time. A `PresentlyNode` is a messenger. */
import type { ReplicaId } from "presently";

/** What is believed of a replica. */
export interface ReplicaView {
  readonly replica: ReplicaId;
  /** `self`, `up`, `suspect`, `leaving`, `down` or `gone`. */
  readonly status: string;
  /** Whether messages reach it directly. */
  readonly linked: boolean;
}

/** The messages of a node: at most once, in order for each pair of nodes. All methods as those of `PresentlyNode`. */
export interface Messenger {
  readonly replica: ReplicaId;
  broadcast(channel: string, payload: unknown): void;
  onBroadcast(channel: string, listener: (payload: unknown, from: ReplicaId) => void): () => void;
  send(to: ReplicaId, channel: string, payload: unknown): boolean;
  onMessage(channel: string, listener: (payload: unknown, from: ReplicaId) => void): () => void;
  request(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    options?: { readonly timeoutMs?: number },
  ): Promise<unknown>;
  onRequest(channel: string, handler: (payload: unknown, from: ReplicaId) => unknown): () => void;
  onReplica(listener: (view: ReplicaView) => void): () => void;
  /** Itself first. */
  cluster(): readonly ReplicaView[];
  /** Settles when the node has caught up with the others that it can reach, or has waited long enough for them. */
  whenReady(): Promise<void>;
}

/** The time that a shell lends to a key space: real in production, virtual in a simulation. */
export interface KeyspaceClock {
  /** Monotonic milliseconds from an arbitrary start. */
  now(): number;
  /** Milliseconds since 1970, as well as this machine knows. */
  wallMs(): number;
  /** Runs `run` once, `delayMs` from now; 0: at the end of this turn of the event loop. Returns what cancels it. */
  schedule(delayMs: number, run: () => void): () => void;
  /** From 0 up to 1: tells two lives of a node apart that start in one millisecond. */
  random(): number;
}
