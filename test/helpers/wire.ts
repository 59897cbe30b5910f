/** A way to a server that a test can stall: what is sent meanwhile arrives later, in its order. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** `up` to the server, `down` to the client. */
export type Direction = "up" | "down";

export class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #held: Record<Direction, (() => void)[] | undefined> = { up: undefined, down: undefined };

  /** A wire to this port of this machine. */
  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port);
    await new Promise<void>((listening) => wire.#server.listen(0, "127.0.0.1", listening));
    return wire;
  }

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const server = connect(port, "127.0.0.1");
      this.#carry("up", client, server);
      this.#carry("down", server, client);
    });
  }

  /** Where clients connect. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From here on nothing arrives, and nothing is lost. New connections are taken, and are as silent. */
  hold(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#held[direction] ??= [];
  }

  /** What was held arrives, and all that follows. */
  release(...directions: readonly Direction[]): void {
    for (const direction of directions) {
      const held = this.#held[direction] ?? [];
      this.#held[direction] = undefined;
      for (const arrive of held) arrive();
    }
  }

  /** Breaks all connections. New ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.#server.close(closed));
  }

  #carry(direction: Direction, from: Socket, to: Socket): void {
    this.#sockets.add(from);
    const pass = (arrive: () => void) => {
      const held = this.#held[direction];
      if (held === undefined) arrive();
      else held.push(arrive);
    };
    from.on("data", (chunk) => pass(() => void to.write(chunk)));
    from.on("end", () => pass(() => to.end()));
    // A cut is seen at once at the other end: that is what a test that cuts wants.
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      pass(() => void to.destroySoon());
    });
  }
}
