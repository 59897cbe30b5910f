/**
 * The module `faye` 1.4, which has no types of its own: what is needed to serve it and to connect to it from TypeScript.
 * Its only export is the default one, so that `import faye from "faye"` is the way to have it.
 */
declare module "faye" {
  import type { IncomingMessage, Server, ServerResponse } from "node:http";
  import type { Duplex } from "node:stream";

  // biome-ignore lint/suspicious/noExplicitAny: messages are whatever was published.
  type Message = any;
  /**
   * Takes `(message, callback)`, or at a server also `(message, request, callback)`: Faye looks at how many there are.
   * Hands on a message by calling back with it, and drops one by calling back with nothing.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the two forms cannot be told apart by a type that also names parameters.
  type Stage = (message: Message, callbackOrRequest: any, callback?: any) => void;

  interface Extension {
    incoming?: Stage;
    outgoing?: Stage;
  }

  /** Settles when the server has answered; rejects with the error of the server. */
  interface Publication extends PromiseLike<void> {
    callback(listener: () => void): void;
    errback(listener: (error: { code: number | null; params: string[]; message: string }) => void): void;
  }

  interface Subscription extends Publication {
    cancel(): void;
    withChannel(listener: (channel: string, data: Message) => void): this;
  }

  class Client {
    /** `timeout`, `retry`, `interval` in seconds. */
    constructor(url: string, options?: { timeout?: number; retry?: number; interval?: number });
    addExtension(extension: Extension): void;
    removeExtension(extension: Extension): void;
    /** Does without a transport: `websocket`, `eventsource`, `long-polling`; or without `autodisconnect`. */
    disable(feature: string): void;
    connect(callback?: () => void): void;
    disconnect(): Publication | undefined;
    subscribe(channel: string, listener?: (data: Message) => void): Subscription;
    unsubscribe(channel: string, listener?: unknown): void;
    publish(channel: string, data: Message): Publication;
    on(event: "transport:up" | "transport:down", listener: () => void): unknown;
  }

  class NodeAdapter {
    /** `timeout` and `ping` in seconds. */
    constructor(options: {
      mount?: string;
      timeout?: number;
      ping?: number;
      engine?: { type: unknown; [option: string]: unknown };
      extensions?: Extension[];
    });
    addExtension(extension: Extension): void;
    removeExtension(extension: Extension): void;
    attach(server: Server): void;
    check(request: IncomingMessage): boolean;
    handle(request: IncomingMessage, response: ServerResponse): void;
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
    close(): void;
    getClient(): Client;
    on(event: "handshake" | "disconnect" | "close", listener: (clientId: string) => void): unknown;
    on(event: "subscribe" | "unsubscribe", listener: (clientId: string, channel: string) => void): unknown;
    on(
      event: "publish",
      listener: (clientId: string | undefined, channel: string, data: Message) => void,
    ): unknown;
    removeListener(event: string, listener: (...values: never[]) => void): unknown;
  }

  const faye: { Client: typeof Client; NodeAdapter: typeof NodeAdapter; VERSION: string };
  export = faye;
}
