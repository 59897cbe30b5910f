/** What carries a node's frames: the WebSocket mesh, or whatever takes its place (`createNode({ transport })`). */
import type { TlsOptions } from "@presently/mesh";
import type { ReplicaId, Transport, TransportListener } from "@presently/replica";
import type { LinkReport } from "./http/served-node.ts";
import type { NodeNotice } from "./notice.ts";

/** What is renewed in time: PEM texts of a certificate, its key, and the authorities that are believed. */
export type TlsFiles = Pick<TlsOptions, "cert" | "key" | "ca">;

/** A transport with the life that a node gives it: constructed, started, perhaps renamed, closed. */
export interface NodeTransport extends Transport {
  /** Begins to look for peers and settles when they can find this node. Nothing was sent or dialled before. */
  start(): Promise<void>;
  /** The replica goes on under another id: every link is closed and opened anew. */
  rename(replica: ReplicaId): void;
  /** A node has said goodbye: addresses that were learnt of it are no longer dialled. */
  forget(node: string): void;
  /** Where other nodes reach this one, for people; undefined if it has no address of its own. */
  readonly url: string | undefined;
  /** How many peers are known to be out there, and worth waiting for before the node is ready; at a guess. */
  readonly peersExpected: number;
  /** Shows other certificates from now on; links that are up go on. Left out by a transport that shows none. */
  renewTls?(tls: TlsFiles): void;
  links(): readonly LinkReport[];
  /** Connections that were refused, by the code of the reason; they only grow. */
  readonly refused: Readonly<Record<string, number>>;
  /** Lets frames that are on their way out go for `drainMs`, and closes every link. Never rejects. */
  close(options: { readonly drainMs: number }): Promise<void>;
}

/** What a transport is told of its node. */
export interface TransportContext {
  readonly cluster: string;
  readonly replica: ReplicaId;
  /** Told of what is worth a log line. */
  readonly note: (notice: NodeNotice) => void;
  /** This node's name is in use elsewhere with that incarnation. */
  readonly newerLifeSeen: (incarnation: number) => void;
}

/** Makes the transport of one node. It may call the listener only after `start`, and never from inside a call to it. */
export type TransportFactory = (context: TransportContext, listener: TransportListener) => NodeTransport;
