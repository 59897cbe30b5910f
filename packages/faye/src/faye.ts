/**
 * What this package uses of Faye 1.4, which comes without types: the server (`new faye.NodeAdapter`), the client that
 * `getClient` gives, and the extensions of both. Only what Faye documents is used.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** A message of the Bayeux protocol as an extension sees it: whatever a client has sent, so nothing in it is certain. */
export interface FayeMessage {
  channel?: unknown;
  clientId?: unknown;
  id?: unknown;
  subscription?: unknown;
  successful?: boolean;
  error?: string;
  advice?: { readonly reconnect?: string; readonly interval?: number; readonly timeout?: number };
  data?: unknown;
  ext?: unknown;
}

/** Hands a message on to the next extension, and in the end to the server or the client. */
export type FayeCallback = (message: FayeMessage | null) => void;

/**
 * The HTTP request that brought a message; null for a client in the same process, which is trusted; false for a message from
 * outside that no request has brought, as Faye's own specs hand it to `server.process`.
 */
export type FayeRequest = IncomingMessage | null | false;

/** Sees the messages of a server. */
export interface FayeExtension {
  incoming?(message: FayeMessage, request: FayeRequest, callback: FayeCallback): void;
  outgoing?(message: FayeMessage, request: FayeRequest, callback: FayeCallback): void;
}

/** A publication under way, settled when the server has taken the message or refused it. */
export interface FayePublication {
  then(resolved: (() => void) | null, rejected: (reason: unknown) => void): unknown;
}

/** The client that publishes at the server: what `bayeux.getClient()` gives. */
export interface FayeClient {
  addExtension(extension: FayeExtension): void;
  removeExtension(extension: FayeExtension): void;
  connect(connected: () => void): void;
  publish(channel: string, data: unknown): FayePublication;
  disconnect(): unknown;
}

/** The server: a `faye.NodeAdapter`. */
export interface FayeServer {
  addExtension(extension: FayeExtension): void;
  removeExtension(extension: FayeExtension): void;
  on(event: "subscribe" | "unsubscribe", listener: (clientId: string, channel: string) => void): unknown;
  on(event: "handshake" | "close", listener: (clientId: string) => void): unknown;
  removeListener(event: "handshake" | "close", listener: (clientId: string) => void): unknown;
  removeListener(
    event: "subscribe" | "unsubscribe",
    listener: (clientId: string, channel: string) => void,
  ): unknown;
  getClient(): FayeClient;
  attach(server: Server): void;
  /** Answers a request, whatever its path. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Answers a request to upgrade, whatever its path. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Whether a request is for this server. */
  check(request: IncomingMessage): boolean;
  /** Logs an error: what a client sent was no JSON, for example. */
  error?(message: string): void;
  close(): void;
}

/** The module `faye`, as far as `serveEndpoint` uses it. */
export interface FayeModule {
  NodeAdapter: new (options: { mount: string; timeout: number }) => FayeServer;
}
