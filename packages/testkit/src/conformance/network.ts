/** What a transport has to bring to be examined: ways to make it, to hold up what it rests on, and to let time pass. */
import type { ReplicaId, Transport, TransportListener } from "@presently/replica";

/** The transport of one replica. A `NodeTransport` of `presently` has all of it but `bufferedBytes`. */
export interface ConformingTransport extends Transport {
  /** Begins to look for peers; rejects if it is not let in. */
  start(): Promise<void>;
  /** Lets what was sent go out for so long, and closes every link. Never rejects. */
  close(options: { readonly drainMs: number }): Promise<void>;
  /** Bytes that it holds and that have not left for `peer`; of all peers, if it cannot tell them apart. */
  bufferedBytes(peer: ReplicaId): number;
}

/** Who a transport is made for, and whether it has the right secret. */
export interface JoinOptions {
  readonly cluster: string;
  readonly replica: ReplicaId;
  readonly listener: TransportListener;
  /** False: it has the wrong secret. */
  readonly isTrusted: boolean;
}

/** A medium on which the replicas of a cluster that name each other can meet. */
export interface ConformanceNetwork {
  /** Makes the transport of one replica, which is then started: it must find all others of its cluster by itself. */
  join(options: JoinOptions): ConformingTransport | Promise<ConformingTransport>;
  /** Nothing gets through from anybody to anybody, and nobody is told; for less than whatever notices silence. */
  stall(): void;
  /** What was held up goes on. */
  resume(): void;
  /** Lets so much time pass: real, or simulated. */
  elapse(durationMs: number): void | Promise<void>;
  /** Ends it. */
  close(): void | Promise<void>;
}

/** The transport to examine: how to make it, and what it claims for itself. */
export interface ConformanceOptions {
  /** Called for each case anew. */
  readonly createNetwork: () => ConformanceNetwork | Promise<ConformanceNetwork>;
  /** The largest frame that is carried; the replica sends up to 128 KiB. */
  readonly frameBytesMax: number;
  /** Whether a larger one is refused. Default true; false leaves out the case of it. */
  readonly refusesLargerFrames?: boolean;
  /** Whether somebody who has no right to is kept out. Default true; false leaves out the case of it. */
  readonly authenticates?: boolean;
  /** Above this a link is to be congested; as the transports that are made are configured. */
  readonly maxBufferedBytes: number;
  /** How long anything may take. Default 30,000. */
  readonly timeoutMs?: number;
}
