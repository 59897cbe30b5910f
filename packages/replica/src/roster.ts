/** Who is shown on which topic: the index that readers read, and the watchers' diffs that follow from its changes. */
import { CountWatches } from "./count-watches.ts";
import { Entry } from "./entry.ts";
import { LimitError } from "./errors.ts";
import { KeyIndex } from "./key-index.ts";
import { reportRejection } from "./listener-call.ts";
import type { Millis } from "./outbox.ts";
import type {
  CountListener,
  LeaveReason,
  Presence,
  TopicCount,
  TopicDiff,
  TopicSummary,
  Watcher,
} from "./presence.ts";
import { Group, type Held, Topic } from "./topic.ts";
import { TopicListWatches, type TopicsListener } from "./topic-list-watches.ts";
import { type Subscription, TopicWatch } from "./topic-watch.ts";
import { unshared } from "./utf8.ts";

export interface RosterOptions {
  readonly watchersMax: number;
  /** Diffs of topics with at least `diffIntervalEntries` entries are told so far apart; 0: at once. */
  readonly diffIntervalMs: Millis;
  readonly diffIntervalEntries: number;
  readonly countIntervalMs: Millis;
}

export interface RosterListener {
  /** What a watcher threw; the others are still told of the diff. */
  failed(error: unknown, topic: string): void;
  /** `tick` has something to do. */
  wake(): void;
  /** Watchers are about to be told a diff. */
  told(): void;
}

export class Roster {
  private readonly topics = new Map<string, Topic>();
  private readonly keys = new KeyIndex();
  private readonly watches = new Map<string, TopicWatch>();
  private readonly dirty = new Set<TopicWatch>();
  private readonly deliveries: { diff: TopicDiff; subscriptions: readonly Subscription[] }[] = [];
  private depth = 0;
  private delivering = false;
  private watchers = 0;
  private readonly options: RosterOptions;
  private readonly listener: RosterListener;
  private readonly counts: CountWatches;
  private readonly topicList: TopicListWatches;
  /** Those of large topics that have changed, and whose diffs are put off. */
  private readonly putOff = new Set<TopicWatch>();
  private toldAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(options: RosterOptions, listener: RosterListener) {
    this.options = options;
    this.listener = listener;
    this.counts = new CountWatches(
      options.countIntervalMs,
      (topic) => this.count(topic),
      () => listener.wake(),
      (error, topic) => listener.failed(error, topic),
    );
    this.topicList = new TopicListWatches((error, prefix) => listener.failed(error, prefix));
  }

  // Reading. Everything is answered from local memory.

  /** The presences of a topic, key by key. Cost: O(answer). */
  list(name: string): Presence[] {
    return this.topics.get(name)?.list() ?? [];
  }

  /** As `list`, as they are now, with presences that are made as they are read: for those who read many a few at a time. */
  read(name: string): Iterable<Presence> {
    return this.topics.get(name)?.read() ?? [];
  }

  /** The presences of one key on a topic. Cost: O(answer). */
  get(name: string, key: string): Presence[] {
    const held = this.heldOf(name, key);
    if (held === undefined) return [];
    return Array.from(entriesIn(held), (entry) => entry.presence);
  }

  /** The entries of one key on a topic. Cost: O(answer). */
  entriesOf(name: string, key: string): readonly Entry[] {
    const held = this.heldOf(name, key);
    return held === undefined ? [] : [...entriesIn(held)];
  }

  /** The first entry of one key on a topic that the test holds for. Cost: O(entries of the key). */
  find(name: string, key: string, test: (entry: Entry) => boolean): Entry | undefined {
    const held = this.heldOf(name, key);
    if (held === undefined) return undefined;
    if (held instanceof Entry) return test(held) ? held : undefined;
    return held.find(test);
  }

  private heldOf(name: string, key: string): Held | undefined {
    const topic = this.topics.get(name);
    return topic === undefined ? undefined : this.keys.get(topic, key);
  }

  count(name: string): TopicCount {
    const topic = this.topics.get(name);
    return { keys: topic?.keys ?? 0, entries: topic?.entries ?? 0 };
  }

  /** As `count(name).entries`. */
  entriesOn(name: string): number {
    return this.topics.get(name)?.entries ?? 0;
  }

  /** Topics with at least one entry, in code unit order. Cost: O(topics log answer). */
  summaries(prefix: string): TopicSummary[] {
    return [...this.readTopics(prefix)].sort((one, other) => (one.topic < other.topic ? -1 : 1));
  }

  /** As `summaries`, one by one, in no order: for those who need few of very many. Nothing may change while it is read. */
  *readTopics(prefix: string): Generator<TopicSummary> {
    for (const { name, keys, entries } of this.topics.values())
      if (name.startsWith(prefix)) yield { topic: name, keys, entries };
  }

  /** The topics on which a key is present. Cost: O(answer). */
  topicsOf(key: string): string[] {
    return this.keys.topicsOf(key).map(({ name }) => name);
  }

  /** As `topicsOf`, of several keys; those that are nowhere are left out. Cost: O(keys + answer). */
  where(keys: Iterable<string>): Map<string, readonly string[]> {
    const found = new Map<string, readonly string[]>();
    for (const key of keys) {
      const topics = this.topicsOf(key);
      if (topics.length > 0) found.set(key, topics);
    }
    return found;
  }

  // Changing. Diffs are delivered when the outermost change ends.

  begin(): void {
    this.depth++;
  }

  end(): void {
    if (--this.depth > 0) return;
    if (this.dirty.size > 0) {
      for (const watch of this.dirty) if (!this.putsOff(watch)) this.finish(watch);
      this.dirty.clear();
    }
    this.deliver();
  }

  /** Whether a topic is so large that its diffs are told in larger steps. */
  private putsOff(watch: TopicWatch): boolean {
    const { diffIntervalMs, diffIntervalEntries } = this.options;
    if (diffIntervalMs === 0 || this.entriesOn(watch.topic) < diffIntervalEntries) return false;
    if (this.putOff.size === 0) this.listener.wake();
    this.putOff.add(watch);
    return true;
  }

  /** Tells what was put off, and new counts, once it is time; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    return Math.min(this.tellPutOff(now), this.counts.tick(now));
  }

  private tellPutOff(now: Millis): Millis {
    if (this.putOff.size === 0) return Number.POSITIVE_INFINITY;
    const dueAt = this.toldAt + this.options.diffIntervalMs;
    if (now < dueAt) return dueAt;
    this.toldAt = now;
    for (const watch of this.putOff) this.finish(watch);
    if (this.depth === 0) this.deliver();
    return Number.POSITIVE_INFINITY;
  }

  /** Shows an entry. Nothing happens if it is shown already. Cost: O(1). */
  show(entry: Entry): void {
    if (entry.shown) return;
    let topic = this.topics.get(entry.topic);
    if (topic === undefined) {
      topic = new Topic(unshared(entry.topic));
      this.topics.set(topic.name, topic);
      this.topicList.note(topic.name, true);
    }
    entry.topic = topic.name;
    const held = this.keys.add(topic, entry);
    if (held === undefined) topic.add(entry);
    else this.keys.replace(topic, entry.key, topic.addTo(held, entry));
    this.changed(topic.name)?.show(entry);
  }

  /** How many entries one key has on a topic. Cost: O(1). */
  countOf(name: string, key: string): number {
    const held = this.heldOf(name, key);
    return held === undefined ? 0 : held instanceof Entry ? 1 : held.size;
  }

  /** Hides an entry. Nothing happens if it is not shown. Cost: O(1). */
  hide(entry: Entry, reason: LeaveReason): void {
    const topic = topicOf(entry);
    if (topic === undefined) return;
    const left = topic.remove(entry);
    if (left !== undefined) this.keys.replace(topic, entry.key, left);
    else {
      this.keys.delete(topic, entry.key);
      if (topic.entries === 0) {
        this.topics.delete(topic.name);
        this.topicList.note(topic.name, false);
      }
    }
    this.changed(topic.name)?.hide(entry, reason);
  }

  /** Shows `after`, of the same topic and key, in the very place of `before`, which is shown: readers see one of them at any time. Cost: as `hide`. */
  swap(before: Entry, after: Entry): void {
    const topic = topicOf(before)!;
    after.topic = topic.name;
    this.keys.replace(topic, after.key, topic.swap(before, after));
    const watch = this.changed(topic.name);
    watch?.show(after);
    watch?.hide(before, "left");
  }

  /** As `swap`, where the two entries do not tell by themselves that one follows the other: an update for watchers all the same. */
  replace(before: Entry, after: Entry): void {
    this.watches.get(before.topic)?.pair(before, after);
    this.swap(before, after);
  }

  private changed(name: string): TopicWatch | undefined {
    const watch = this.watches.size === 0 ? undefined : this.watches.get(name);
    if (watch !== undefined) this.dirty.add(watch);
    if (this.counts.active) this.counts.note(name);
    return watch;
  }

  // Watching.

  /**
   * Tells the watcher the state at once, and from then on every diff, until the returned function is called.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watch(name: string, watcher: Watcher): () => void {
    this.checkRoom();
    let watch = this.watches.get(name);
    if (watch === undefined) {
      watch = new TopicWatch(name);
      this.watches.set(name, watch);
    }
    // Changes under way, or put off, are in the state that this watcher is told: they must not come to it as a diff as well.
    this.finish(watch);
    if (this.depth === 0) this.deliver();
    const subscription: Subscription = { watcher, active: true };
    watch.subscriptions = [...watch.subscriptions, subscription];
    this.watchers++;
    const presences = this.list(name);
    this.tell(subscription, { type: "state", topic: name, number: watch.number, presences });
    return () => this.unsubscribe(watch, subscription);
  }

  /** Tells the listener the count at once, and later ones, at most every `countIntervalMs`. Errors as of `watch`. */
  watchCount(name: string, listener: CountListener): () => void {
    this.checkRoom();
    this.watchers++;
    let end: (() => void) | undefined = this.counts.watch(name, listener);
    return () => {
      if (end === undefined) return;
      this.watchers--;
      end();
      end = undefined;
    };
  }

  /** Tells the listener the topics that begin with `prefix` at once, and then what changes. Errors as of `watch`. */
  watchTopics(prefix: string, listener: TopicsListener): () => void {
    this.checkRoom();
    this.watchers++;
    const topics = [...this.topics.keys()].filter((name) => name.startsWith(prefix));
    let end: (() => void) | undefined = this.topicList.watch(prefix, topics, listener);
    return () => {
      if (end === undefined) return;
      this.watchers--;
      end();
      end = undefined;
    };
  }

  private checkRoom(): void {
    const { watchersMax } = this.options;
    if (this.watchers >= watchersMax) throw new LimitError("watchersMax", watchersMax, "too many watchers");
  }

  private unsubscribe(watch: TopicWatch, subscription: Subscription): void {
    if (!subscription.active) return;
    subscription.active = false;
    this.watchers--;
    watch.subscriptions = watch.subscriptions.filter((other) => other !== subscription);
    if (watch.subscriptions.length > 0) return;
    this.watches.delete(watch.topic);
    this.dirty.delete(watch);
    this.putOff.delete(watch);
  }

  private finish(watch: TopicWatch): void {
    this.putOff.delete(watch);
    const diff = watch.takeDiff();
    if (diff !== undefined) this.deliveries.push({ diff, subscriptions: watch.subscriptions });
  }

  /** A watcher may make changes itself: their diffs wait until this one has reached everybody. */
  private deliver(): void {
    if (this.delivering || (this.deliveries.length === 0 && !this.topicList.dirty)) return;
    this.delivering = true;
    for (let index = 0; index < this.deliveries.length || this.topicList.dirty; index++) {
      // Before the diff: who hears of a new topic may watch it, and is told the state.
      this.topicList.tellChanges();
      const delivery = this.deliveries[index];
      if (delivery === undefined) continue;
      this.listener.told();
      for (const subscription of delivery.subscriptions) this.tell(subscription, delivery.diff);
    }
    this.deliveries.length = 0;
    this.delivering = false;
  }

  private tell(subscription: Subscription, change: Parameters<Watcher>[0]): void {
    if (!subscription.active) return;
    try {
      const returned: unknown = subscription.watcher(change);
      if (returned !== undefined)
        reportRejection(returned, (error) => this.listener.failed(error, change.topic));
    } catch (error) {
      this.listener.failed(error, change.topic);
    }
  }
}

function topicOf({ home }: Entry): Topic | undefined {
  return home instanceof Group ? home.home : home;
}

function entriesIn(held: Held): Iterable<Entry> {
  return held instanceof Entry ? [held] : held.entries();
}
