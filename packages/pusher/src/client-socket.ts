/** One client's WebSocket. */
import { Backlog } from "presently/drop-in";
import type { RawData, WebSocket } from "ws";

/** How long a client may take to confirm that it was closed. */
const CLOSE_GRACE_MS = 2_000;

/** A frame that goes to many clients, encoded once. */
export type Shared = Buffer;

/** Who is told of what a client does. */
export interface Receiver {
  /** Undefined for a binary message, which the protocol has none of. */
  receive(text: string | undefined): void;
  /** The WebSocket said something that is no message. */
  alive(): void;
  lost(): void;
  /** Too much waits for the client to read. */
  overflowed(): void;
}

export class ClientSocket {
  readonly #socket: WebSocket;
  readonly #bufferedBytesMax: number;
  readonly #backlog = new Backlog();
  #overflowed = false;

  constructor(socket: WebSocket, bufferedBytesMax: number) {
    this.#socket = socket;
    this.#bufferedBytesMax = bufferedBytesMax;
    // The library closes the socket itself when what comes is no WebSocket frame, or too large a one.
    socket.on("error", () => undefined);
  }

  listen(receiver: Receiver): void {
    const socket = this.#socket;
    socket.on("message", (data: RawData, isBinary: boolean) =>
      receiver.receive(isBinary ? undefined : (data as Buffer).toString("utf8")),
    );
    socket.on("ping", () => receiver.alive());
    socket.on("close", () => receiver.lost());
    this.#receiver = receiver;
  }
  #receiver: Receiver | undefined;

  send(frame: string | Shared): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN || this.#overflowed) return;
    if (this.#backlog.exceeds(this.#bufferedBytesMax, socket.bufferedAmount, frame.length)) {
      this.#overflowed = true;
      this.#receiver?.overflowed();
    } else socket.send(frame, { binary: false });
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    socket.close(code, reason.slice(0, 100));
    const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
    socket.once("close", () => clearTimeout(timer));
  }
}
