/** The path between two nodes: whichever of them dials, its connection goes through here. */
import { LinkProxy } from "./link-proxy.ts";

export interface LinkEnd {
  readonly name: string;
  /** Where this node's mesh listens, on loopback. */
  readonly meshPort: number;
}

/** Two proxies, one for each end's dialling, that break and mend together. Make one with `Link.open`. */
export class Link {
  readonly ends: readonly [string, string];
  readonly #dialledBy: ReadonlyMap<string, LinkProxy>;

  /** Gives a link that works. */
  static async open(a: LinkEnd, b: LinkEnd): Promise<Link> {
    const [fromA, fromB] = await Promise.all([
      LinkProxy.listen({ targetPort: b.meshPort }),
      LinkProxy.listen({ targetPort: a.meshPort }),
    ]);
    return new Link([a.name, b.name], new Map([[a.name, fromA] as const, [b.name, fromB] as const]));
  }

  private constructor(ends: readonly [string, string], dialledBy: ReadonlyMap<string, LinkProxy>) {
    this.ends = ends;
    this.#dialledBy = dialledBy;
  }

  joins(a: string, b: string): boolean {
    return a !== b && this.ends.includes(a) && this.ends.includes(b);
  }

  get isCut(): boolean {
    return this.#proxies().every((proxy) => proxy.isCut);
  }

  /** The WebSocket URL that the node `dialler` is to be given for its peer at the other end. */
  peerUrl(dialler: string): string {
    return `ws://127.0.0.1:${this.#proxy(dialler).port}`;
  }

  /** Resets what is open, and whatever is opened, until `restore`. */
  cut(): void {
    for (const proxy of this.#proxies()) proxy.cut();
  }

  /** Stops all bytes, or those that the node `from` sends, without closing anything, until `restore`. */
  stall(from?: string): void {
    for (const [dialler, proxy] of this.#dialledBy) {
      if (from === undefined) proxy.stall();
      else proxy.stall(from === dialler ? "forward" : "backward");
    }
  }

  /** Makes everything that many milliseconds late, each way. */
  delay(delayMs: number): void {
    for (const proxy of this.#proxies()) proxy.delay(delayMs);
  }

  restore(): void {
    for (const proxy of this.#proxies()) proxy.restore();
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies().map((proxy) => proxy.close()));
  }

  #proxy(dialler: string): LinkProxy {
    const proxy = this.#dialledBy.get(dialler);
    if (proxy === undefined) throw new Error(`${dialler} is not an end of link ${this.ends.join("–")}`);
    return proxy;
  }

  #proxies(): LinkProxy[] {
    return [...this.#dialledBy.values()];
  }
}
