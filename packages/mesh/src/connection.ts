/** One WebSocket from its first byte to the verdict of its handshake: timers and limits around the pure machine. */
import type { Socket } from "node:net";
import type { RawData, WebSocket } from "ws";
import type { Role } from "./admission.ts";
import { HANDSHAKE_BYTES_MAX, type Handshake, type HandshakeStep, type PeerIdentity } from "./handshake.ts";
import { CLOSE, hangUp } from "./hang-up.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { certificateRefusal, hangUpHint } from "./tls.ts";

/** How a connection ended, as a connection; a link may begin with it. */
export type ConnectionEnd =
  | {
      readonly type: "linked";
      readonly socket: WebSocket;
      readonly stream: Socket;
      readonly peer: PeerIdentity;
      readonly linkId: string;
      /** The shortest time in which a frame of ours was answered. */
      readonly roundTripMs: number;
    }
  | {
      readonly type: "refused";
      readonly by: "us" | "peer";
      readonly refusal: Refusal;
      readonly peer: PeerIdentity | undefined;
      readonly proven: boolean;
    }
  /** The network, or whatever answers at the address, let us down; `tooSlow`: it did not answer in time. */
  | { readonly type: "failed"; readonly reason: string; readonly tooSlow?: true }
  /** We gave it up for reasons that have nothing to do with the peer. */
  | { readonly type: "aborted" };

export interface ConnectionOptions {
  readonly role: Role;
  readonly socket: WebSocket;
  /** The TCP socket below it; as dialler it is known once the WebSocket opens. */
  readonly stream: Socket | undefined;
  readonly handshake: Handshake;
  /** How long the other end may take for each step. */
  readonly patienceMs: number;
  readonly now: () => number;
  /** Called once. After `linked` the socket has no listeners left but those of the new owner. */
  readonly onEnd: (end: ConnectionEnd) => void;
}

/** Runs a handshake over a socket. The acceptor waits for a hello; the dialler says one once the socket is open. */
export class Connection {
  readonly #role: Role;
  readonly #socket: WebSocket;
  readonly #handshake: Handshake;
  readonly #onEnd: (end: ConnectionEnd) => void;
  readonly #patienceMs: number;
  readonly #now: () => number;
  #timer: NodeJS.Timeout;
  /** When the last step began, and the shortest that a frame of the other end took. */
  #stepMs: number;
  #roundTripMs = Number.POSITIVE_INFINITY;
  #stream: Socket | undefined;
  #bytesReceived = 0;
  #error: Error | undefined;
  #ended = false;

  constructor({ role, socket, stream, handshake, patienceMs, now, onEnd }: ConnectionOptions) {
    this.#role = role;
    this.#socket = socket;
    this.#handshake = handshake;
    this.#onEnd = onEnd;
    this.#patienceMs = patienceMs;
    this.#now = now;
    this.#stepMs = now();
    this.#timer = this.#startTimer();
    socket.on("message", this.#onMessage);
    socket.on("close", this.#onClose);
    socket.on("error", this.#onError);
    if (stream !== undefined) {
      this.#watch(stream);
      return;
    }
    socket.once("upgrade", (response) => {
      this.#stream = response.socket;
    });
    socket.once("open", () => {
      this.#watch(this.#stream!);
      this.nextStep();
      socket.send(handshake.hello());
    });
  }

  /** A step is done: the other end has as much time for the next one. */
  nextStep(): void {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    this.#stepMs = this.#now();
    this.#timer = this.#startTimer();
  }

  #startTimer(): NodeJS.Timeout {
    return setTimeout(() => this.#timedOut(), this.#patienceMs);
  }

  /** Gives the connection up. */
  abort(why: Refusal): void {
    if (this.#ended) return;
    this.#end({ type: "aborted" });
    hangUp(this.#socket, CLOSE.goingAway, why);
  }

  /**
   * Counts what comes in, below the WebSocket: a frame announced as large would otherwise be gathered up to the limit
   * for members. The listener comes after that of the WebSocket, which has by then handled the same bytes.
   */
  #watch(stream: Socket): void {
    this.#stream = stream;
    stream.on("data", this.#onData);
  }

  #onData = (chunk: Buffer): void => {
    if (this.#ended) return;
    this.#bytesReceived += chunk.length;
    if (this.#bytesReceived <= HANDSHAKE_BYTES_MAX) return;
    const reason = `more than ${HANDSHAKE_BYTES_MAX} bytes came before the peer was authenticated`;
    this.#take(this.#handshake.refuse(refusal("TOO_LARGE", reason)));
  };

  #onMessage = (data: RawData, isBinary: boolean): void => {
    if (this.#ended) return;
    this.#roundTripMs = Math.min(this.#roundTripMs, this.#now() - this.#stepMs);
    // The socket delivers Buffers, which is what its binaryType is unless one changes it.
    const frame = data as Buffer;
    const step = isBinary
      ? this.#handshake.receive(frame)
      : this.#handshake.refuse(refusal("MALFORMED", "a text message came instead of a frame"));
    this.#take(step);
  };

  /** Every error is followed by a close, which has its say. */
  #onError = (error: Error): void => {
    this.#error = error;
  };

  #onClose = (code: number, reason: Buffer): void => {
    const untrusted = this.#error === undefined ? undefined : certificateRefusal(this.#error);
    if (untrusted !== undefined) {
      this.#end({ type: "refused", by: "us", refusal: untrusted, peer: undefined, proven: false });
      return;
    }
    const said = reason.length > 0 ? ` (${reason})` : "";
    const cause = this.#error === undefined ? `closed with code ${code}${said}` : describe(this.#error);
    const hint = this.#role === "dialler" ? hangUpHint(this.#socket.url, this.#error) : "";
    this.#end({ type: "failed", reason: `${cause} before the handshake was done${hint}` });
  };

  #timedOut(): void {
    const why = refusal("TIMEOUT", `a step of the handshake took longer than ${this.#patienceMs} ms`);
    if (this.#role === "acceptor") {
      this.#take(this.#handshake.refuse(why));
      return;
    }
    // Whoever does not answer a dial is out of reach, not refused.
    this.#end({ type: "failed", reason: why.reason, tooSlow: true });
    hangUp(this.#socket, CLOSE.refused, why);
  }

  #take(step: HandshakeStep): void {
    if (step.send !== undefined && this.#socket.readyState === this.#socket.OPEN)
      this.#socket.send(step.send);
    if (step.type === "continue") {
      this.nextStep();
      return;
    }
    if (step.type === "linked") {
      const { peer, linkId } = step;
      const roundTripMs = this.#roundTripMs;
      this.#end({ type: "linked", socket: this.#socket, stream: this.#stream!, peer, linkId, roundTripMs });
      return;
    }
    const { by, peer, proven } = step;
    this.#end({ type: "refused", by, refusal: step.refusal, peer, proven });
    const closeCode = step.refusal.code === "DUPLICATE" ? CLOSE.normal : CLOSE.refused;
    hangUp(this.#socket, closeCode, step.refusal);
  }

  #end(end: ConnectionEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#stream?.off("data", this.#onData);
    this.#socket.off("message", this.#onMessage);
    this.#socket.off("close", this.#onClose);
    this.#onEnd(end);
    // Somebody must listen for errors, or they are thrown: who took the socket over does, or else we go on.
    if (end.type === "linked") this.#socket.off("error", this.#onError);
  }
}

/** A dial to a name with several addresses fails with several errors and no message of its own. */
function describe(error: Error & { code?: unknown }): string {
  if (error.message !== "") return error.message;
  return typeof error.code === "string" ? error.code : error.name;
}
