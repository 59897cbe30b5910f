/**
 * One connection between two processes, as TCP gives it: each direction is in order and loses nothing while it lasts.
 * What is lost is what was under way when it ends; what is reordered is what went over one connection and the next; and
 * an end that cannot hear the other may believe in it long after the other has gone.
 */
import type { ReplicaId } from "@presently/replica";
import type { Network } from "./network.ts";
import type { Path } from "./path.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Random } from "./random.ts";

/** A link is closed by the sender when more than this many times its bound waits to be sent. */
const OVERFLOW_FACTOR = 4;

/** What one process has of a connection. */
export class End {
  readonly process: SimulatedProcess;
  /** Whom it believes to be at the other end. */
  readonly peer: ReplicaId;
  open = true;
  out!: Direction;
  /** The other end. */
  other!: End;

  constructor(process: SimulatedProcess, peer: ReplicaId) {
    this.process = process;
    this.peer = peer;
  }
}

/** Bytes under way; without a frame: the news that the sender has closed. */
interface Item {
  readonly frame: Uint8Array | undefined;
  readonly reason: string;
  readonly bytes: number;
}

/** One way of a connection: in order, and bounded by the sender's buffer, beyond which the link is congested and then closed. */
export class Direction {
  readonly path: Path;
  readonly sender: End;
  readonly receiver: End;
  /** In the sender's own buffer, and not given to the kernel yet. */
  queuedBytes = 0;
  congested = false;
  /** Grows whenever it falls silent or is heard again. */
  silence = 0;
  private queue: Item[] = [];
  private head = 0;
  private inFlightBytes = 0;
  private sentUntil = 0;
  private lastArrivalAt = 0;
  /** Arrived, but not let through or not read yet. */
  private held: Item[] = [];
  private releasing = false;
  /** What left before the connection broke does not arrive. */
  private epoch = 0;
  private readonly random: Random;
  private readonly network: Network;

  constructor(network: Network, sender: End, receiver: End, path: Path, random: Random) {
    this.network = network;
    this.sender = sender;
    this.receiver = receiver;
    this.path = path;
    this.random = random;
    path.directions.add(this);
  }

  /** Whether the receiver hears nothing, not even an answer to a ping. */
  get isSilent(): boolean {
    return this.path.blocked || this.sender.process.paused || this.sender.process.vanished;
  }

  /** Sent, and not read by the receiver yet. */
  get bufferedBytes(): number {
    return this.queuedBytes + this.inFlightBytes;
  }

  send(frame: Uint8Array): void {
    this.enqueue({ frame, reason: "", bytes: frame.length });
    const { maxBufferedBytes } = this.network.settings;
    if (this.queuedBytes <= maxBufferedBytes) return;
    if (!this.congested) this.network.observer.congested(this);
    this.congested = true;
    if (this.queuedBytes > maxBufferedBytes * OVERFLOW_FACTOR) {
      this.network.observer.overflowed(this);
      this.network.later(this.sender.process, () =>
        this.network.close(this.sender, "the peer does not read", true),
      );
    }
  }

  /** Tells the receiver, behind everything that was sent, that this is the end. */
  finish(reason: string): void {
    this.enqueue({ frame: undefined, reason, bytes: 0 });
  }

  /** Whatever has not left this process is lost; what is under way as well, unless it is spared. */
  discard(spareInFlight: boolean): void {
    for (let index = this.head; index < this.queue.length; index++) this.lose(this.queue[index]!);
    this.queue = [];
    this.head = 0;
    this.queuedBytes = 0;
    if (spareInFlight) return;
    for (const item of this.held) this.lose(item);
    this.held = [];
    this.inFlightBytes = 0;
    this.epoch++;
  }

  /** Something that stood in the way of what was held has gone. */
  release(): void {
    if (this.releasing || this.held.length === 0) {
      this.pump();
      return;
    }
    this.releasing = true;
    this.network.time.schedule(this.network.time.now + this.network.latency(this.path, this.random), () => {
      this.releasing = false;
      while (this.held.length > 0 && !this.isBarred) this.deliver(this.held.shift()!);
      this.pump();
    });
  }

  private get isBarred(): boolean {
    return this.path.blocked || this.receiver.process.paused;
  }

  private enqueue(item: Item): void {
    this.queue.push(item);
    this.queuedBytes += item.bytes;
    this.pump();
  }

  private pump(): void {
    const { time, settings } = this.network;
    const { path } = this;
    while (this.head < this.queue.length && !path.blocked && this.inFlightBytes < settings.windowBytes) {
      const item = this.queue[this.head]!;
      this.queue[this.head++] = undefined as never;
      this.queuedBytes -= item.bytes;
      this.inFlightBytes += item.bytes;
      this.sentUntil = Math.max(time.now, this.sentUntil) + item.bytes / path.bytesPerMs;
      const arrivesAt = this.sentUntil + this.network.latency(path, this.random);
      this.lastArrivalAt = Math.max(arrivesAt, this.lastArrivalAt);
      const { epoch } = this;
      time.schedule(this.lastArrivalAt, () => this.arrive(item, epoch));
    }
    if (this.head === this.queue.length) {
      this.queue.length = 0;
      this.head = 0;
    }
    if (!this.congested || this.queuedBytes * 2 > settings.maxBufferedBytes) return;
    this.congested = false;
    this.network.later(this.sender.process, () => this.network.drained(this.sender));
  }

  private arrive(item: Item, epoch: number): void {
    if (epoch !== this.epoch) this.lose(item);
    else if (this.held.length > 0 || this.isBarred) this.held.push(item);
    else {
      this.deliver(item);
      this.pump();
    }
  }

  private deliver(item: Item): void {
    this.inFlightBytes -= item.bytes;
    if (!this.receiver.open) this.lose(item);
    else if (item.frame === undefined) this.network.close(this.receiver, item.reason, true);
    else this.network.deliver(this, item.frame);
  }

  private lose(item: Item): void {
    if (item.frame !== undefined) this.network.observer.lost(this, item.frame);
  }
}
