/** Who wants to know how many are on a topic, and nothing else: told of the newest count, now and then, whatever the changes were. */
import { callListener } from "./listener-call.ts";
import type { Millis } from "./outbox.ts";
import type { CountListener, TopicCount } from "./presence.ts";

interface Watched {
  readonly listeners: Set<CountListener>;
  told: TopicCount;
}

export class CountWatches {
  private readonly topics = new Map<string, Watched>();
  /** Topics that have changed since their listeners were told. */
  private readonly stale = new Set<string>();
  private toldAt: Millis = Number.NEGATIVE_INFINITY;
  private readonly intervalMs: Millis;
  private readonly countOf: (topic: string) => TopicCount;
  private readonly wake: () => void;
  private readonly failed: (error: unknown, topic: string) => void;

  constructor(
    intervalMs: Millis,
    countOf: (topic: string) => TopicCount,
    wake: () => void,
    failed: (error: unknown, topic: string) => void,
  ) {
    this.intervalMs = intervalMs;
    this.countOf = countOf;
    this.wake = wake;
    this.failed = failed;
  }

  get active(): boolean {
    return this.topics.size > 0;
  }

  /** Who is there on a topic has changed. Cost: O(1). */
  note(topic: string): void {
    if (!this.topics.has(topic)) return;
    if (this.stale.size === 0) this.wake();
    this.stale.add(topic);
  }

  /** Tells the count at once, and later ones until the returned function is called. */
  watch(topic: string, listener: CountListener): () => void {
    const own: CountListener = (count) => listener(count);
    let watched = this.topics.get(topic);
    if (watched === undefined) {
      watched = { listeners: new Set(), told: this.countOf(topic) };
      this.topics.set(topic, watched);
    }
    const { listeners } = watched;
    listeners.add(own);
    this.tell(topic, own, this.countOf(topic));
    return () => {
      listeners.delete(own);
      if (listeners.size > 0 || this.topics.get(topic)?.listeners !== listeners) return;
      this.topics.delete(topic);
      this.stale.delete(topic);
    };
  }

  /** Tells what is new, if the last time is long enough ago; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    if (this.stale.size === 0) return Number.POSITIVE_INFINITY;
    if (now < this.toldAt + this.intervalMs) return this.toldAt + this.intervalMs;
    this.toldAt = now;
    const topics = [...this.stale];
    this.stale.clear();
    for (const topic of topics) this.update(topic);
    // A listener may have changed something itself.
    return this.stale.size === 0 ? Number.POSITIVE_INFINITY : now + this.intervalMs;
  }

  private update(topic: string): void {
    const watched = this.topics.get(topic);
    const count = Object.freeze(this.countOf(topic));
    if (watched === undefined || (watched.told.keys === count.keys && watched.told.entries === count.entries))
      return;
    watched.told = count;
    for (const listener of watched.listeners) this.tell(topic, listener, count);
  }

  private tell(topic: string, listener: CountListener, count: TopicCount): void {
    callListener(listener, count, (error) => this.failed(error, topic));
  }
}
