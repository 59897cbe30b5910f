/** Who watches the people of a topic, and when time changes what they are told. */
import { checkString } from "./arguments.ts";
import { InvalidArgumentError } from "./errors.ts";
import type { Millis } from "./outbox.ts";
import {
  type PeopleChange,
  type PeopleListener,
  PeopleView,
  type Person,
  type PersonEvent,
} from "./people.ts";
import type { Meta, TopicChange, Watcher } from "./presence.ts";

/** How `watchPeople` tells of people. */
export interface PeopleOptions {
  /** How long somebody whose node is lost still counts. Milliseconds; default 0. */
  readonly graceMs?: Millis;
}

/** The people of one topic, as their listener was told of them. */
export interface People<M extends object = Meta> {
  /** How many are there. */
  readonly size: number;
  /** One of them; undefined if they are not there. */
  get(key: string): Person<M> | undefined;
  /** Everybody, in the order in which they came. */
  list(): readonly Person<M>[];
  /** Tells the listener nothing more. */
  end(): void;
}

export interface PeopleWatchesOptions {
  readonly watch: (topic: string, watcher: Watcher) => () => void;
  /** `tick` has something to do. */
  readonly wake: () => void;
  /** What a listener threw. */
  readonly failed: (error: unknown, topic: string) => void;
}

export class PeopleWatches {
  private readonly options: PeopleWatchesOptions;
  /** Those for which a grace is running. */
  private readonly waiting = new Set<PeopleWatch>();

  constructor(options: PeopleWatchesOptions) {
    this.options = options;
  }

  /**
   * Tells `listener` who is there at once, and each change from then on.
   *
   * @throws {InvalidArgumentError} for a `graceMs` that is no duration
   * @throws {LimitError} beyond `watchersMax`
   */
  watch(topic: string, { graceMs = 0 }: PeopleOptions, listener: PeopleListener): People {
    if (!Number.isFinite(graceMs) || graceMs < 0)
      throw new InvalidArgumentError("graceMs", "must be a number of milliseconds, 0 or more");
    const { watch, wake, failed } = this.options;
    const people = new PeopleWatch(topic, graceMs, listener, failed);
    people.onEnd = watch(topic, (change) => {
      people.apply(change);
      if (people.nextDeadline === Number.POSITIVE_INFINITY) return;
      this.waiting.add(people);
      wake();
    });
    return people;
  }

  /** Tells of those whose grace is over; returns when it next wants to be called. Cost: O(people in their grace). */
  tick(now: Millis): Millis {
    let next = Number.POSITIVE_INFINITY;
    for (const people of this.waiting) {
      people.tick(now);
      const deadline = people.nextDeadline;
      if (deadline === Number.POSITIVE_INFINITY) this.waiting.delete(people);
      next = Math.min(next, deadline);
    }
    return next;
  }
}

class PeopleWatch implements People {
  private readonly topic: string;
  private readonly view: PeopleView;
  private readonly listener: PeopleListener;
  private readonly failed: (error: unknown, topic: string) => void;
  private number = 0;
  private ended = false;
  onEnd: (() => void) | undefined = undefined;

  constructor(
    topic: string,
    graceMs: Millis,
    listener: PeopleListener,
    failed: (error: unknown, topic: string) => void,
  ) {
    this.topic = topic;
    this.view = new PeopleView(graceMs);
    this.listener = listener;
    this.failed = failed;
  }

  get size(): number {
    return this.view.size;
  }

  get(key: string): Person | undefined {
    checkString("key", key);
    return this.view.get(key);
  }

  list(): readonly Person[] {
    return this.view.list();
  }

  get nextDeadline(): Millis {
    return this.ended ? Number.POSITIVE_INFINITY : this.view.nextDeadline;
  }

  /** @internal */
  apply(change: TopicChange): void {
    const events = this.view.apply(change);
    if (change.type === "diff") this.tellEvents(events);
    else this.tell({ type: "state", topic: this.topic, number: 0, people: this.view.list() });
  }

  /** @internal */
  tick(now: Millis): void {
    if (!this.ended) this.tellEvents(this.view.tick(now));
  }

  end(): void {
    this.ended = true;
    this.onEnd?.();
  }

  private tellEvents(events: readonly PersonEvent[]): void {
    if (events.length > 0) this.tell({ type: "diff", topic: this.topic, number: ++this.number, events });
  }

  private tell(change: PeopleChange): void {
    if (this.ended) return;
    try {
      this.listener(change);
    } catch (error) {
      this.failed(error, this.topic);
    }
  }
}
