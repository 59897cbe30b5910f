/** Who listens to which topic in this process. */
import { callListener } from "presently/drop-in";

/** Told of each message of a topic. */
// biome-ignore lint/complexity/noBannedTypes: the type that Colyseus declares for callbacks
export type TopicCallback = Function;

/** Told when the first comes to listen to a topic, and when the last has gone. */
export interface TopicsListener {
  added(topic: string): void;
  removed(topic: string): void;
}

/** The callbacks of one process by topic. Tells its listener only of a topic's first callback and of its last. */
export class Subscriptions {
  private readonly callbacks = new Map<string, TopicCallback[]>();
  private readonly failed: (error: unknown, topic: string) => void;
  /** Our own, which `remove` without a callback leaves in place. */
  private readonly kept = new WeakSet<TopicCallback>();
  private listener: TopicsListener | undefined = undefined;

  /** `failed` is told what a callback threw; the others are still told of the message. */
  constructor(failed: (error: unknown, topic: string) => void) {
    this.failed = failed;
  }

  /** Tells of the topics that there are, and of what changes. */
  follow(listener: TopicsListener): void {
    this.listener = listener;
    for (const topic of this.callbacks.keys()) listener.added(topic);
  }

  /** A callback may be added several times, and is then told as often. */
  add(topic: string, callback: TopicCallback): void {
    const callbacks = this.callbacks.get(topic);
    if (callbacks !== undefined) {
      callbacks.push(callback);
      return;
    }
    this.callbacks.set(topic, [callback]);
    this.listener?.added(topic);
  }

  /** Adds a callback of our own; returns what removes it, and nothing else does but `clear`. */
  keep(topic: string, listener: (message: unknown) => void): () => void {
    const callback: TopicCallback = (message: unknown) => listener(message);
    this.kept.add(callback);
    this.add(topic, callback);
    return () => this.remove(topic, callback);
  }

  /** Removes the callback that was added last, or all of the topic if none is named. */
  remove(topic: string, callback?: TopicCallback): void {
    const callbacks = this.callbacks.get(topic);
    if (callbacks === undefined) return;
    if (callback !== undefined) {
      const index = callbacks.lastIndexOf(callback);
      if (index >= 0) callbacks.splice(index, 1);
    }
    const left = callback === undefined ? callbacks.filter((added) => this.kept.has(added)) : callbacks;
    if (left.length > 0) {
      this.callbacks.set(topic, left);
      return;
    }
    this.callbacks.delete(topic);
    this.listener?.removed(topic);
  }

  clear(): void {
    for (const topic of this.topics()) {
      this.callbacks.delete(topic);
      this.listener?.removed(topic);
    }
  }

  /** How many callbacks a topic has; Colyseus' own tests ask for it. */
  listenerCount(topic: string): number {
    return this.callbacks.get(topic)?.length ?? 0;
  }

  topics(): string[] {
    return [...this.callbacks.keys()];
  }

  /** Tells all who listened when the message came, also those that one of them removes meanwhile. */
  deliver(topic: string, message: unknown): void {
    for (const callback of [...(this.callbacks.get(topic) ?? [])]) {
      const told = (text: unknown): unknown => callback(text);
      callListener(told, message, (error) => this.failed(error, topic));
    }
  }
}
