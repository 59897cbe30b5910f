/**
 * What one connection may cost a server: bytes that have not become a message, messages a second, silence, and bytes that
 * wait for it to read. Beyond a bound its socket is destroyed.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { TokenBucket } from "presently/drop-in";

export interface SocketGuardOptions {
  readonly bodyBytesMax: number;
  readonly messagesPerSecondMax: number;
  readonly silentAfterMs: number;
  readonly bufferedBytesMax: number;
}

/** What Faye cannot read it prints with a stack, so that one client could fill a disk. */
const FAILURES = { burst: 10, perSecond: 0.1 };

interface Guarded {
  readonly bucket: TokenBucket;
  readonly failures: TokenBucket;
  /** Since the last message. */
  bytes: number;
  silence: NodeJS.Timeout | undefined;
  /** Bytes that waited when it was last written to, and the most that one message added to them. */
  waiting: number;
  largest: number;
}

export class SocketGuard {
  readonly #options: SocketGuardOptions;
  /** A WebSocket has one request for its whole life, polling one for each poll. */
  readonly #guarded = new WeakMap<IncomingMessage, Guarded>();
  /** Whose bytes Faye is at work on; it deals with those of a WebSocket before it returns. */
  #current: { readonly guarded: Guarded; readonly stream: IncomingMessage | Duplex } | undefined;

  constructor(options: SocketGuardOptions) {
    this.#options = options;
  }

  /** Counts what comes on a connection beside Faye, which reads on as long as something comes. */
  watch(request: IncomingMessage, stream: IncomingMessage | Duplex): void {
    const { bodyBytesMax } = this.#options;
    const guarded = this.#of(request);
    stream.on("data", (chunk: Buffer) => {
      guarded.bytes += chunk.length;
      if (guarded.bytes > bodyBytesMax) stream.destroy();
      this.#current = { guarded, stream };
      process.nextTick(() => {
        this.#current = undefined;
      });
    });
  }

  /** Faye has logged an error. */
  failed(): void {
    if (this.#current === undefined) return;
    const { guarded, stream } = this.#current;
    if (!guarded.failures.take(performance.now())) stream.destroy();
  }

  /** Ends a WebSocket that says nothing for too long. */
  endSilent(request: IncomingMessage, socket: Duplex): void {
    const guarded = this.#of(request);
    guarded.silence = setTimeout(() => socket.destroy(), this.#options.silentAfterMs).unref();
    socket.once("close", () => clearTimeout(guarded.silence));
  }

  /** A message has come; false if there were too many. */
  heard(request: IncomingMessage): boolean {
    const guarded = this.#of(request);
    guarded.bytes = 0;
    guarded.silence?.refresh();
    if (guarded.bucket.take(performance.now())) return true;
    request.socket.destroy();
    return false;
  }

  /** A message is about to be sent. */
  sending(request: IncomingMessage): void {
    const { socket } = request;
    if (socket === null || socket.destroyed) return;
    const guarded = this.#of(request);
    const waiting = socket.writableLength;
    // One that is larger than all that may wait is no fault of its reader.
    guarded.largest = waiting === 0 ? 0 : Math.max(guarded.largest, waiting - guarded.waiting);
    guarded.waiting = waiting;
    if (waiting > this.#options.bufferedBytesMax + guarded.largest) socket.destroy();
  }

  #of(request: IncomingMessage): Guarded {
    const known = this.#guarded.get(request);
    if (known !== undefined) return known;
    const rate = this.#options.messagesPerSecondMax;
    const now = performance.now();
    const guarded: Guarded = {
      bucket: new TokenBucket({ burst: rate, perSecond: rate }, now),
      failures: new TokenBucket(FAILURES, now),
      bytes: 0,
      silence: undefined,
      waiting: 0,
      largest: 0,
    };
    this.#guarded.set(request, guarded);
    return guarded;
  }
}
