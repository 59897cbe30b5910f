/** One direction of one proxied connection. */
import type { Socket } from "node:net";

/** How a direction carries bytes at the moment; read again whenever something could move. */
export interface FlowConditions {
  readonly stalled: boolean;
  readonly delayMs: number;
}

/** What travels: bytes, then how the sender finished (an orderly end, or a reset). */
type Parcel = Buffer | "end" | "reset";

const QUEUED_BYTES_MAX = 1024 * 1024;

/**
 * Carries what `source` sends to `sink`, in order, as late as the conditions say.
 *
 * While stalled nothing moves, not even the news that the sender closed or reset: so does a network that
 * drops packets. It reads no further than 1 MiB ahead of what it could pass on, so the sender feels backpressure.
 */
export class LinkFlow {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #conditions: () => FlowConditions;
  readonly #queue: { readonly parcel: Parcel; readonly dueMs: number }[] = [];
  #queuedBytes = 0;
  #waitingForDrain = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, sink: Socket, conditions: () => FlowConditions) {
    this.#source = source;
    this.#sink = sink;
    this.#conditions = conditions;
    source.on("data", (chunk: Buffer) => this.#accept(chunk));
    source.on("end", () => this.#accept("end"));
    // A reset is news for the other end, which travels as the bytes do; no one else needs to hear of it.
    source.on("error", () => this.#accept("reset"));
    sink.on("drain", () => {
      this.#waitingForDrain = false;
      this.pump();
    });
    sink.on("close", () => this.#discard());
    this.pump();
  }

  /** Moves what may move now. Call it after the conditions changed. */
  pump(): void {
    clearTimeout(this.#timer);
    const { stalled } = this.#conditions();
    while (!stalled && !this.#waitingForDrain) {
      const head = this.#queue[0];
      if (head === undefined) break;
      const earlyMs = head.dueMs - performance.now();
      if (earlyMs > 0) {
        this.#timer = setTimeout(() => this.pump(), earlyMs);
        break;
      }
      this.#queue.shift();
      this.#deliver(head.parcel);
    }
    if (stalled || this.#queuedBytes >= QUEUED_BYTES_MAX) this.#source.pause();
    else this.#source.resume();
  }

  #accept(parcel: Parcel): void {
    if (this.#sink.destroyed) return;
    if (typeof parcel !== "string") this.#queuedBytes += parcel.length;
    this.#queue.push({ parcel, dueMs: performance.now() + this.#conditions().delayMs });
    this.pump();
  }

  #deliver(parcel: Parcel): void {
    if (parcel === "end") this.#sink.end();
    else if (parcel === "reset") this.#sink.resetAndDestroy();
    else {
      this.#queuedBytes -= parcel.length;
      this.#waitingForDrain = !this.#sink.write(parcel);
    }
  }

  #discard(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#source.resume();
  }
}
