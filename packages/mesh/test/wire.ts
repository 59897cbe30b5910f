/** A TCP wire between a dialler and a server, which can be frozen, cut and mended. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";

export class Wire {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #waiting: Socket[] = [];
  #target: URL | undefined;
  #isCut = false;
  #delayMs = 0;
  #pieces = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** A wire that leads nowhere yet: who dials it waits. */
  static async open(): Promise<Wire> {
    const server = createServer();
    const wire = new Wire(server);
    server.on("connection", (near) => wire.#join(near));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return wire;
  }

  /** A wire to the server at this `ws://` URL. */
  static async to(url: string): Promise<Wire> {
    const wire = await Wire.open();
    wire.leadTo(url);
    return wire;
  }

  /** Connects those who wait, and all who dial from now on, to the server at this `ws://` URL. */
  leadTo(url: string): void {
    this.#target = new URL(url);
    for (const near of this.#waiting.splice(0)) this.#join(near);
  }

  /** Where to dial instead of the server. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Connections that wait to be led somewhere. */
  get waiting(): number {
    return this.#waiting.filter((socket) => !socket.closed).length;
  }

  /** Carries what comes on connections from now on so much later; they cannot freeze. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Pieces that delayed connections have carried. */
  get pieces(): number {
    return this.#pieces;
  }

  /** Carries nothing more on the connections that are open, which neither end can tell from silence. */
  freeze(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  /** Carries again what froze. */
  thaw(): void {
    for (const [near, far] of this.#pairs) {
      // Piped twice, bytes would pass twice.
      near.unpipe(far).pipe(far);
      far.unpipe(near).pipe(near);
    }
  }

  /** Closes the connections at the dialler's end only: the server is not told. */
  abandon(): void {
    this.freeze();
    for (const [near] of this.#pairs) near.destroy();
  }

  /** Breaks the connections that are open, and all later ones, until mended. */
  cut(): void {
    this.#isCut = true;
    for (const near of this.#waiting.splice(0)) near.destroy();
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  mend(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket): void {
    if (this.#isCut) {
      near.destroy();
      return;
    }
    if (this.#target === undefined) {
      // An unread end would not be noticed.
      near.on("error", () => near.destroy()).resume();
      this.#waiting.push(near);
      return;
    }
    const far = connect(Number(this.#target.port), this.#target.hostname);
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    // What a broken socket has to say shows at the other end of the wire.
    near.on("error", () => near.destroy());
    far.on("error", () => far.destroy());
    near.on("close", () => this.#pairs.delete(pair));
    // Ends pass across as long as bytes do.
    if (this.#delayMs === 0) {
      near.pipe(far);
      far.pipe(near);
    } else {
      near.pipe(this.#later()).pipe(far);
      far.pipe(this.#later()).pipe(near);
    }
  }

  /** Each piece waits for itself, not for the one before it. */
  #later(): Transform {
    const delayMs = this.#delayMs;
    const later = new Transform({
      transform: (piece, _, done) => {
        setTimeout(() => {
          this.#pieces += 1;
          if (!later.readableEnded && !later.writableEnded) later.push(piece);
        }, delayMs);
        done();
      },
    });
    return later;
  }
}
