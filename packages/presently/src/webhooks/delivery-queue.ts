/**
 * What is to be posted, in which order, and when the next attempt is due.
 *
 * One batch is under way at a time, and is tried again until it is delivered or too old: so receivers get events in their
 * order. Whatever waits is bounded; beyond the bound the oldest go. Pure: times and random numbers come from outside.
 */

export interface QueuedEvent {
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Batch {
  /** The same for every attempt: a receiver that sees it twice has had it. */
  readonly id: string;
  readonly events: readonly QueuedEvent[];
  readonly madeAt: number;
  readonly attempts: number;
}

export interface DeliveryQueueOptions {
  readonly batchEventsMax: number;
  readonly batchDelayMs: number;
  readonly queueEventsMax: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly retryForMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;

export class DeliveryQueue {
  readonly #options: DeliveryQueueOptions;
  #waiting: QueuedEvent[] = [];
  #batch: Batch | undefined;
  #isUnderWay = false;
  #dueAt = NEVER;
  #batches = 0;

  constructor(options: DeliveryQueueOptions) {
    this.#options = options;
  }

  /** Events that are not delivered yet. */
  get size(): number {
    return this.#waiting.length + (this.#batch?.events.length ?? 0);
  }

  /** When `take` has something to give; infinite if nothing waits or an attempt is under way. */
  get dueAt(): number {
    return this.#isUnderWay ? NEVER : this.#dueAt;
  }

  /** Answers how many of the oldest events had to go. */
  push(events: readonly QueuedEvent[], now: number): number {
    const { batchEventsMax, batchDelayMs, queueEventsMax } = this.#options;
    this.#waiting.push(...events);
    const surplus = Math.max(0, this.#waiting.length - queueEventsMax);
    if (surplus > 0) this.#waiting.splice(0, surplus);
    if (this.#batch === undefined && this.#waiting.length > 0)
      this.#dueAt = this.#waiting.length >= batchEventsMax ? now : Math.min(this.#dueAt, now + batchDelayMs);
    return surplus;
  }

  /** The batch to post now; call `delivered` or `failed` when that is over. */
  take(now: number): Batch | undefined {
    if (now < this.dueAt || this.size === 0) return undefined;
    this.#batch ??= {
      id: String(++this.#batches),
      events: this.#waiting.splice(0, this.#options.batchEventsMax),
      madeAt: now,
      attempts: 0,
    };
    this.#batch = { ...this.#batch, attempts: this.#batch.attempts + 1 };
    this.#isUnderWay = true;
    return this.#batch;
  }

  delivered(now: number): void {
    this.#isUnderWay = false;
    this.#batch = undefined;
    this.#dueAt = this.#waiting.length === 0 ? NEVER : now;
  }

  /**
   * An attempt failed. Answers how many events are given up with it: none, or the whole batch.
   *
   * @param isFinal the receiver says that it will never take this
   * @param random uniform in [0, 1)
   */
  failed(now: number, isFinal: boolean, random: number): number {
    const { retryMinMs, retryMaxMs, retryForMs } = this.#options;
    const batch = this.#batch!;
    if (isFinal || now - batch.madeAt >= retryForMs) {
      this.delivered(now);
      return batch.events.length;
    }
    this.#isUnderWay = false;
    const pauseMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(batch.attempts - 1, 30));
    this.#dueAt = now + pauseMs * (0.5 + random / 2);
    return 0;
  }
}
