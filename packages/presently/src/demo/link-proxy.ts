/**
 * A TCP proxy that stands for one network path, and can be broken and mended.
 *
 * How does one cut two nodes off from each other when both run on one machine? Let each dial the other through
 * one of these. A cut is heard at once (connections are reset); a stall is not (bytes stop, nothing closes), which is
 * what a lost route or a stopped process looks like, and what time-outs exist for.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { LinkFlow } from "./link-flow.ts";

/** `forward` is from whoever dialled to the target, `backward` is what the target answers. */
export type LinkDirection = "forward" | "backward";

export interface LinkProxyOptions {
  /** Where connections are passed on to. */
  readonly targetPort: number;
  /** Default `127.0.0.1`. */
  readonly targetHost?: string;
  /** Where to listen; default 0, any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
}

/** Passes connections on until told otherwise. Make one with `LinkProxy.listen`; `close` it at the end. */
export class LinkProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #connections = new Set<ProxiedConnection>();
  readonly #stalled: Record<LinkDirection, boolean> = { forward: false, backward: false };
  #cut = false;
  #delayMs = 0;

  /** Gives a proxy that is listening. @throws the socket's error when the port is taken. */
  static async listen(options: LinkProxyOptions): Promise<LinkProxy> {
    const proxy = new LinkProxy({ host: options.targetHost ?? "127.0.0.1", port: options.targetPort });
    proxy.#server.listen(options.port ?? 0, options.host ?? "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open through it now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Whether `cut` is in force. */
  get isCut(): boolean {
    return this.#cut;
  }

  /** Resets every connection, and each new one as soon as it comes, until `restore`. Both ends hear of it at once. */
  cut(): void {
    this.#cut = true;
    for (const connection of this.#connections) connection.reset();
  }

  /**
   * Keeps connections open, and accepts new ones, but moves nothing in that direction (default: in both) until
   * `restore`; then everything held back goes out, in order. Neither end is told.
   */
  stall(direction?: LinkDirection): void {
    if (direction !== "backward") this.#stalled.forward = true;
    if (direction !== "forward") this.#stalled.backward = true;
    this.#pump();
  }

  /** Passes on, in both directions, each piece of what comes from now on that many milliseconds late; order is kept. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Undoes `cut`, `stall` and `delay`. What a delay already holds still comes when it is due. */
  restore(): void {
    this.#cut = false;
    this.#stalled.forward = false;
    this.#stalled.backward = false;
    this.#delayMs = 0;
    this.#pump();
  }

  /** Ends it: resets every connection and frees the port. Idempotent. */
  async close(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#cut) {
      // Node.js reports a reset that we ourselves caused to no one, but the client may reset first.
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const connection = new ProxiedConnection(client, this.#target, (direction) => ({
      stalled: this.#stalled[direction],
      delayMs: this.#delayMs,
    }));
    this.#connections.add(connection);
    connection.onClosed = () => this.#connections.delete(connection);
  }

  #pump(): void {
    for (const connection of this.#connections) connection.pump();
  }
}

type Conditions = (direction: LinkDirection) => { readonly stalled: boolean; readonly delayMs: number };

/** A client's connection and, once bytes may go forward, the one with the target. */
class ProxiedConnection {
  onClosed: () => void = () => undefined;
  readonly #client: Socket;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #conditions: Conditions;
  #upstream: Socket | undefined;
  #flows: readonly LinkFlow[] = [];

  constructor(client: Socket, target: { host: string; port: number }, conditions: Conditions) {
    this.#client = client;
    this.#target = target;
    this.#conditions = conditions;
    client.on("error", () => undefined);
    client.on("close", () => this.#closed());
    client.pause();
    this.pump();
  }

  pump(): void {
    // A stalled path does not carry the request to connect either, so the target hears of the client only now.
    if (this.#upstream === undefined && !this.#conditions("forward").stalled) this.#connect();
    for (const flow of this.#flows) flow.pump();
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#upstream?.resetAndDestroy();
  }

  #connect(): void {
    if (this.#client.destroyed) return;
    const upstream = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    upstream.on("close", () => this.#closed());
    this.#upstream = upstream;
    this.#flows = [
      new LinkFlow(this.#client, upstream, () => this.#conditions("forward")),
      new LinkFlow(upstream, this.#client, () => this.#conditions("backward")),
    ];
  }

  #closed(): void {
    if (this.#client.destroyed && (this.#upstream?.destroyed ?? true)) this.onClosed();
  }
}
