/** An open, authenticated connection with a peer: sends and receives frames, watches its buffer and its silence. */
import type { Socket } from "node:net";
import type { ReplicaId } from "@presently/replica";
import type { RawData, WebSocket } from "ws";
import type { Incumbent, Role } from "./admission.ts";
import { FIRST_REPLICA_TYPE } from "./frames.ts";
import type { PeerIdentity } from "./handshake.ts";
import { CLOSE, hangUp } from "./hang-up.ts";
import { printable, type Refusal, refusal } from "./refusal.ts";

/** A link, for operators. */
export interface LinkInfo {
  readonly peer: ReplicaId;
  /** Where the peer was dialled; or, if it dialled us, where it says that it can be. */
  readonly address: string;
  readonly direction: "dialled" | "accepted";
  /** How long it has been up. */
  readonly sinceMs: number;
  readonly bufferedBytes: number;
  /** Payload of frames; what WebSocket and TCP add is not counted. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly framesSent: number;
  readonly framesReceived: number;
  /** The minor version of the protocol that both speak, and what the peer says it can do. */
  readonly protocolMinor: number;
  readonly capabilities: readonly string[];
}

/** What a link tells the mesh. */
export interface LinkEvents {
  /** A frame for the replica. */
  frame(link: Link, frame: Uint8Array): void;
  /** A frame of the transport's own types. */
  control(link: Link, frame: Uint8Array): void;
  drained(link: Link): void;
  /** Once, and the last thing said. `by` tells who closed it; nobody if the connection broke. */
  closed(link: Link, end: LinkEnd): void;
}

export interface LinkEnd {
  readonly by: "us" | "peer" | "nobody";
  readonly why: Refusal;
  /** Whether one of the two refuses the other, rather than the connection. */
  readonly refused: boolean;
}

export interface LinkOptions {
  readonly socket: WebSocket;
  readonly stream: Socket;
  readonly role: Role;
  readonly peer: PeerIdentity;
  readonly linkId: string;
  readonly address: string;
  /** Where others can dial the peer, if it said so. */
  readonly advertised: string | undefined;
  readonly major: number;
  readonly minor: number;
  readonly maxBufferedBytes: number;
  readonly silentAfterMs: number;
  /** As the handshake measured it. */
  readonly roundTripMs: number;
  readonly now: () => number;
  readonly events: LinkEvents;
}

/** A link that is slower than its owner is patient is closed at this many times `maxBufferedBytes`. */
const BUFFERED_HARD_FACTOR = 4;

/** Silence is looked for this many times in `silentAfterMs`. */
const SILENCE_CHECKS = 4;

/** A ping that was lost and sent again comes back within so many round trips. */
const SILENT_ROUND_TRIPS = 3;

const BINARY = { binary: true };

export class Link implements Incumbent {
  readonly replica: ReplicaId;
  readonly instance: string;
  readonly address: string;
  readonly linkId: string;
  readonly role: Role;
  /** Where others can dial the peer, if it said so. */
  readonly advertised: string | undefined;
  readonly capabilities: readonly string[];
  readonly #options: LinkOptions;
  readonly #upMs: number;
  readonly #silenceTimer: NodeJS.Timeout;
  #closed = false;
  #congested = false;
  #bytesSent = 0;
  #bytesReceived = 0;
  #framesSent = 0;
  #framesReceived = 0;
  #streamBytesSeen: number;
  #silentChecks = 0;
  #roundTripMs: number;
  /** When the first ping that is not answered was sent. */
  #pingedMs: number | undefined;
  #error: Error | undefined;

  constructor(options: LinkOptions) {
    const { socket, stream, peer } = options;
    this.#options = options;
    this.replica = peer.replica;
    this.instance = peer.instance;
    this.advertised = options.advertised;
    this.capabilities = peer.capabilities;
    this.address = options.address;
    this.linkId = options.linkId;
    this.role = options.role;
    this.#upMs = options.now();
    this.#roundTripMs = options.roundTripMs;
    this.#streamBytesSeen = stream.bytesRead;
    this.#silenceTimer = setInterval(() => this.#checkSilence(), options.silentAfterMs / SILENCE_CHECKS);
    // The WebSocket library has set TCP_NODELAY already.
    socket.on("message", this.#onMessage);
    socket.on("pong", this.#onPong);
    socket.on("close", this.#onClose);
    // Every error is followed by a close, which has its say.
    socket.on("error", (error) => {
      this.#error = error;
    });
  }

  /** Whether there is too much in the buffer to add to it; until `drained` is said. */
  get congested(): boolean {
    return this.#congested;
  }

  get livedMs(): number {
    return this.#options.now() - this.#upMs;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends, or drops the frame if the link is closed. Never waits. */
  send(frame: Uint8Array): void {
    const { socket, maxBufferedBytes } = this.#options;
    if (this.#closed || socket.readyState !== socket.OPEN) return;
    socket.send(frame, BINARY, this.#onFlushed);
    this.#framesSent += 1;
    this.#bytesSent += frame.length;
    const buffered = socket.bufferedAmount;
    if (buffered <= maxBufferedBytes) return;
    this.#congested = true;
    if (buffered > maxBufferedBytes * BUFFERED_HARD_FACTOR) {
      const reason = `${buffered} bytes wait to be read by the peer (maxBufferedBytes is ${maxBufferedBytes})`;
      this.#cut(refusal("SLOW", reason), true);
    }
  }

  /** Closes the link after what was sent on it. */
  close(closeCode: number, why: Refusal, lingerMs?: number): void {
    this.#end({ by: "us", why, refused: closeCode === CLOSE.refused });
    hangUp(this.#options.socket, closeCode, why, lingerMs);
  }

  /** Closes the link at once: for a peer that does not read, waiting for it to take a farewell is no use. */
  #cut(why: Refusal, refused: boolean): void {
    this.#end({ by: "us", why, refused });
    this.#options.socket.terminate();
  }

  info(): LinkInfo {
    const { socket, peer, minor } = this.#options;
    return {
      peer: this.replica,
      address: this.address,
      direction: this.role === "dialler" ? "dialled" : "accepted",
      sinceMs: this.livedMs,
      bufferedBytes: socket.bufferedAmount,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      framesSent: this.#framesSent,
      framesReceived: this.#framesReceived,
      protocolMinor: Math.min(minor, peer.minor),
      capabilities: this.capabilities,
    };
  }

  #onMessage = (data: RawData, isBinary: boolean): void => {
    // Frames may still arrive after we closed: they are nobody's any more.
    if (this.#closed) return;
    // The socket delivers Buffers, which is what its binaryType is unless one changes it.
    const frame = data as Buffer;
    if (!isBinary || frame.length < 2) {
      this.close(CLOSE.refused, refusal("MALFORMED", "a message came that is not a frame"));
    } else if (frame[0] !== this.#options.major) {
      this.close(CLOSE.refused, refusal("VERSION", `a frame of protocol version ${frame[0]} came`));
    } else {
      this.#framesReceived += 1;
      this.#bytesReceived += frame.length;
      if (frame[1]! < FIRST_REPLICA_TYPE) this.#options.events.control(this, frame);
      else this.#options.events.frame(this, frame);
    }
  };

  #onFlushed = (): void => {
    if (!this.#congested || this.#closed) return;
    if (this.#options.socket.bufferedAmount * 2 > this.#options.maxBufferedBytes) return;
    this.#congested = false;
    this.#options.events.drained(this);
  };

  /** The first of several pings is answered first: the time is that of one round trip. */
  #onPong = (): void => {
    if (this.#pingedMs === undefined) return;
    this.#roundTripMs = this.#options.now() - this.#pingedMs;
    this.#pingedMs = undefined;
  };

  #onClose = (code: number, reasonBytes: Buffer): void => {
    this.#end(describeClose(code, printable(reasonBytes.toString()), this.#error));
  };

  /**
   * Looks whether any byte came since the last look; if not, asks for one. It counts looks, not time: after this process
   * itself was stalled, timers fire before what came in meanwhile is read, and a clock would take that for silence.
   */
  #checkSilence(): void {
    const { socket, stream, silentAfterMs } = this.#options;
    if (stream.bytesRead !== this.#streamBytesSeen) {
      this.#streamBytesSeen = stream.bytesRead;
      this.#silentChecks = 0;
      return;
    }
    this.#silentChecks += 1;
    // On a slow way an answer takes longer than what is silence elsewhere.
    const patienceMs = Math.max(silentAfterMs, this.#roundTripMs * SILENT_ROUND_TRIPS);
    if (this.#silentChecks * silentAfterMs < patienceMs * SILENCE_CHECKS) {
      this.#pingedMs ??= this.#options.now();
      socket.ping();
    } else this.#cut(refusal("SILENT", `not a byte came for ${Math.round(patienceMs)} ms`), false);
  }

  #end(end: LinkEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#silenceTimer);
    this.#options.events.closed(this, end);
  }
}

/** What a close that we did not ask for means. */
function describeClose(code: number, said: string, error: (Error & { code?: unknown }) | undefined): LinkEnd {
  if (typeof error?.code === "string" && error.code.startsWith("WS_ERR_")) {
    // The library has closed the socket, because of what the peer sent.
    const tooLarge = error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
    return { by: "us", why: refusal(tooLarge ? "TOO_LARGE" : "MALFORMED", error.message), refused: true };
  }
  if (code === CLOSE.refused || code === CLOSE.goingAway || code === CLOSE.normal) {
    return { by: "peer", why: parseCloseReason(said), refused: code === CLOSE.refused };
  }
  const reason = error?.message ?? `the connection broke (code ${code}${said === "" ? "" : `, ${said}`})`;
  return { by: "nobody", why: { code: "LOST", reason }, refused: false };
}

/** The inverse of `closeReason`, for whatever a peer wrote. */
function parseCloseReason(text: string): Refusal {
  const match = /^([A-Z_]{1,64}): (.*)$/s.exec(text);
  return match === null ? { code: "CLOSED", reason: text } : { code: match[1]!, reason: match[2]! };
}
