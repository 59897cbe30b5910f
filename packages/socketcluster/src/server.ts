/**
 * The part of `socketcluster-server` 20 that is used here, by its shape: its types are a package of their own, which nobody
 * should need in order to use this one.
 */
import type { IncomingMessage } from "node:http";
import { callListener } from "presently/drop-in";

/** One consumer of an event stream. */
export interface StreamConsumer<T> {
  next(): Promise<{ readonly value: T; readonly done: boolean }>;
  /** Ends it at once. */
  kill(): void;
}

export interface EventStream<T> {
  createConsumer(): StreamConsumer<T>;
}

/** A call of a client that waits for its answer. */
export interface ProcedureRequest {
  readonly data: unknown;
  end(data?: unknown): void;
  error(error: Error): void;
}

/** An `AGServerSocket`. */
export interface SocketClusterSocket {
  readonly id: string;
  readonly state: string;
  readonly authToken?: unknown;
  readonly remoteAddress?: string;
  readonly request?: IncomingMessage;
  /** The token as it was signed; null without one. */
  readonly signedAuthToken?: string | null;
  /** The WebSocket. */
  readonly socket: { readonly bufferedAmount: number; readonly readyState: number };
  /** Messages that came from the client, pongs included. */
  readonly inboundReceivedMessageCount: number;
  subscriptions(): string[];
  isSubscribed(channel: string): boolean;
  kickOut(channel: string, message: string): Promise<unknown>;
  procedure(name: string): unknown;
  /** Messages that came and were not dealt with. */
  getInboundBackpressure(): number;
  disconnect(code?: number, reason?: string): unknown;
  /** Ends it without a good-bye. */
  terminate(): void;
}

/** Something that a client wants, or that is to be sent to it: what middleware is asked about. */
export interface SocketClusterAction {
  readonly type: string;
  readonly socket?: SocketClusterSocket;
  readonly channel?: string;
  readonly data?: unknown;
  readonly signedAuthToken?: string | null;
  readonly authToken?: unknown;
}

export type SocketEvent =
  | "connection"
  | "disconnection"
  | "subscription"
  | "unsubscription"
  | "authenticationStateChange"
  | "authentication"
  | "deauthentication"
  | "closure";

export interface SocketEventData {
  readonly socket: SocketClusterSocket;
  readonly channel?: string;
}

/** An `AGServer`. */
export interface SocketClusterServer {
  readonly pingInterval: number;
  readonly clients: Readonly<Record<string, SocketClusterSocket>>;
  /** Sockets that have not completed their handshake. */
  readonly pendingClients: Readonly<Record<string, SocketClusterSocket>>;
  readonly brokerEngine: unknown;
  readonly exchange: { transmitPublish(channel: string, data: unknown): Promise<unknown> };
  listener(event: string): unknown;
  emitWarning(warning: Error): void;
  emit(event: string, data: unknown): void;
  /** Where the server asks middleware; not documented, and the only place that the application need not share. */
  _processMiddlewareAction?(stream: unknown, action: SocketClusterAction, socket?: unknown): Promise<unknown>;
}

/**
 * Calls `handle` with everything that comes on a stream from now on; returns what ends that. What `handle` throws goes to
 * `failed`, and what comes next is handled all the same.
 */
export function consume<T>(
  stream: unknown,
  handle: (value: T) => void,
  failed: (error: unknown) => void,
): () => void {
  const consumer = (stream as EventStream<T>).createConsumer();
  void (async () => {
    for (let item = await consumer.next(); !item.done; item = await consumer.next())
      callListener(handle, item.value, failed);
  })();
  return () => consumer.kill();
}
