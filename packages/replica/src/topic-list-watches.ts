/**
 * Which topics are there? Told to those who watch all topics that begin with a prefix, so that nobody has to look at the
 * whole list again and again.
 */

/** The first thing that a listener is told: every topic with somebody on it. */
export interface TopicsState {
  readonly type: "state";
  readonly topics: readonly string[];
}

/** Topics that have somebody on them now and had not, and the other way round. */
export interface TopicsDiff {
  readonly type: "diff";
  readonly appeared: readonly string[];
  readonly vanished: readonly string[];
}

/** What a listener of `watchTopics` is told: one state, then diffs. */
export type TopicsChange = TopicsState | TopicsDiff;

/** Told of all topics first, then of each change, before the watchers of these topics are told. */
export type TopicsListener = (change: TopicsChange) => void;

interface Watch {
  readonly prefix: string;
  readonly listener: TopicsListener;
}

export class TopicListWatches {
  private readonly watches = new Set<Watch>();
  /** Topics that have appeared (true) or vanished in the change under way. */
  private readonly changed = new Map<string, boolean>();
  private readonly failed: (error: unknown, topic: string) => void;

  constructor(failed: (error: unknown, topic: string) => void) {
    this.failed = failed;
  }

  /** Whether `tellChanges` has something to tell. */
  get dirty(): boolean {
    return this.changed.size > 0;
  }

  /** Tells `topics`, which are those of now, then what changes, until the returned function is called. */
  watch(prefix: string, topics: readonly string[], listener: TopicsListener): () => void {
    this.tellChanges();
    const watch: Watch = { prefix, listener };
    this.watches.add(watch);
    this.tell(watch, { type: "state", topics });
    return () => void this.watches.delete(watch);
  }

  /** A topic has got its first entry, or lost its last. Cost: O(1). */
  note(topic: string, isThere: boolean): void {
    if (this.watches.size === 0) return;
    // What comes and goes within one change was never there, and the other way round.
    if (this.changed.get(topic) === !isThere) this.changed.delete(topic);
    else this.changed.set(topic, isThere);
  }

  /** Tells what was noted since the last call. Cost: O(watches + changes x watches of it). */
  tellChanges(): void {
    if (this.changed.size === 0) return;
    const changed = [...this.changed];
    this.changed.clear();
    for (const watch of [...this.watches]) {
      const own = changed.filter(([topic]) => topic.startsWith(watch.prefix));
      if (own.length === 0) continue;
      const appeared = own.flatMap(([topic, isThere]) => (isThere ? [topic] : []));
      const vanished = own.flatMap(([topic, isThere]) => (isThere ? [] : [topic]));
      this.tell(watch, { type: "diff", appeared, vanished });
    }
  }

  private tell(watch: Watch, change: TopicsChange): void {
    if (!this.watches.has(watch)) return;
    try {
      watch.listener(change);
    } catch (error) {
      this.failed(error, watch.prefix);
    }
  }
}
