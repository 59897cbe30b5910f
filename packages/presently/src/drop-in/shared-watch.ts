/**
 * One watch of one topic, for all clients of this node that look at it.
 *
 * A client holds the state that it was sent and the events after it. The node may know more than it has told: changes of a
 * batch, or of a large topic whose diffs are put off. So the state that a client begins with is not `list`, but what the
 * diffs up to now have made of the topic; the next diff is the first one that it gets.
 */
import {
  checkFunction,
  checkObject,
  checkString,
  type Presence,
  type TopicDiff,
  type Watcher,
} from "@presently/replica";

/** What can be watched: a node, or a roster of it. */
interface Watched {
  watch(topic: string, watcher: Watcher): () => void;
}

/** What a client begins with: the presences after the diff of this number. */
export interface SharedState {
  readonly number: number;
  readonly presences: Iterable<Presence>;
}

/** A watch that gives each of its receivers a state, and then the same diffs as everybody. */
export class SharedWatch<Receiver> {
  readonly topic: string;
  readonly #receivers = new Set<Receiver>();
  /** What all have been told, by reference. */
  readonly #told = new Map<string, Presence>();
  readonly #unwatch: () => void;
  #number = 0;

  /**
   * Watches until `close`.
   *
   * @param tell called with each diff and with those who have attached before it, if there are any
   * @throws what `watch` throws: `InvalidArgumentError` for a topic that cannot be one, `LimitError` beyond `watchersMax`
   */
  constructor(
    roster: Watched,
    topic: string,
    tell: (diff: TopicDiff, receivers: ReadonlySet<Receiver>) => void,
  ) {
    checkObject("roster", roster, ["watch"]);
    checkString("topic", topic);
    checkFunction("tell", tell);
    this.topic = topic;
    this.#unwatch = roster.watch(topic, (change) => {
      this.#number = change.number;
      if (change.type === "state") {
        for (const presence of change.presences) this.#told.set(presence.ref, presence);
        return;
      }
      this.#apply(change);
      if (this.#receivers.size > 0) tell(change, this.#receivers);
    });
  }

  /** How many have attached. */
  get size(): number {
    return this.#receivers.size;
  }

  /** Those that have attached. */
  get receivers(): ReadonlySet<Receiver> {
    return this.#receivers;
  }

  /** What whoever attaches now begins with. Valid until the next diff. */
  get state(): SharedState {
    return { number: this.#number, presences: this.#told.values() };
  }

  /** From now on the receiver is told every diff. Send it `state` in the same turn, before or after. */
  attach(receiver: Receiver): void {
    this.#receivers.add(receiver);
  }

  /** Idempotent. */
  detach(receiver: Receiver): void {
    this.#receivers.delete(receiver);
  }

  /** Ends the watch. Idempotent. */
  close(): void {
    this.#unwatch();
    this.#receivers.clear();
    this.#told.clear();
  }

  #apply({ joins, leaves, updates }: TopicDiff): void {
    for (const { presence } of leaves) this.#told.delete(presence.ref);
    for (const { before, after } of updates) {
      this.#told.delete(before.ref);
      this.#told.set(after.ref, after);
    }
    for (const presence of joins) this.#told.set(presence.ref, presence);
  }
}
