/**
 * What the clients of one topic are told of presence, in which order?
 *
 * One queue for the topic at this node holds diffs and requests for the state, and its items are dealt with one after
 * the other, so that a slow `fetch` delays but never reorders. A state is the list as it was when it was asked for; who
 * asked gets the diffs that were queued behind it, and none of those before. So no diff is lost or known already, and
 * no state is older than a diff that was sent before it.
 *
 * A diff is encoded once for all. While there is neither `fetch` nor `handleMetas`, everything happens at once, during
 * the call that makes the change.
 */
import type { Presence, PresentlyNode, TopicDiff } from "presently";
import type { PresenceDefinition } from "./channel-definition.ts";
import { type Fetcher, fetchNothing } from "./fetcher.ts";
import { EncodedJson, EVENT } from "./message.ts";
import { MetasByKey, type MetasListener } from "./metas-listener.ts";
import type { NoticeListener } from "./notice.ts";
import { groupByKey, mergeDiffs, type PresenceDiff, type PresenceMap, type RawDiff } from "./presence-map.ts";
import { isPromise } from "./settle.ts";
import { SharedBroadcast } from "./shared-broadcast.ts";

/** Diffs that wait for a slow `fetch` one by one; beyond it the last one takes in what comes. */
const DIFFS_WAITING_MAX = 64;

/** Who is told: a channel. */
export interface PresenceReceiver {
  deliver(broadcast: SharedBroadcast): void;
  pushState(state: EncodedJson): void;
}

export interface PresenceFeedOptions {
  readonly node: Pick<PresentlyNode, "watch" | "list">;
  readonly topic: string;
  readonly fetch?: Fetcher | undefined;
  readonly metas?: MetasListener | undefined;
  readonly dispatch?: PresenceDefinition["dispatch"] | undefined;
  readonly notice: NoticeListener;
}

type Item =
  | { readonly type: "diff"; diff: RawDiff }
  | {
      readonly type: "state";
      readonly presences: readonly Presence[];
      readonly receivers: Set<PresenceReceiver>;
    };

export class PresenceFeed {
  readonly #options: PresenceFeedOptions;
  readonly #fetch: Fetcher;
  readonly #receivers = new Set<PresenceReceiver>();
  readonly #present = new MetasByKey();
  readonly #unwatch: () => void;
  #queue: Item[] = [];
  /** Out of the queue already, and not yet done with. */
  #current: Item | undefined;
  #diffsWaiting = 0;

  /** @throws {LimitError} beyond `watchersMax` of the node */
  constructor(options: PresenceFeedOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? fetchNothing;
    this.#unwatch = options.node.watch(options.topic, (change) => {
      if (change.type === "diff") this.#changed(change);
      else if (options.metas !== undefined)
        this.#present.apply({ joins: groupByKey(change.presences), leaves: {} });
    });
  }

  /** Sends the state to the receiver, and then every diff, until `detach`. */
  attach(receiver: PresenceReceiver): void {
    const last = this.#queue.at(-1);
    if (last?.type === "state") {
      last.receivers.add(receiver);
      return;
    }
    const presences = this.#options.node.list(this.#options.topic);
    this.#queue.push({ type: "state", presences, receivers: new Set([receiver]) });
    this.#run();
  }

  detach(receiver: PresenceReceiver): void {
    this.#receivers.delete(receiver);
    if (this.#current?.type === "state") this.#current.receivers.delete(receiver);
    for (const item of this.#queue) if (item.type === "state") item.receivers.delete(receiver);
  }

  /** Ends it. What waits in the queue is forgotten. */
  close(): void {
    this.#unwatch();
    this.#queue = [];
    this.#receivers.clear();
  }

  #changed({ joins, leaves, updates }: TopicDiff): void {
    const diff = {
      joins: [...joins, ...updates.map(({ after }) => after)],
      leaves: [...leaves.map(({ presence }) => presence), ...updates.map(({ before }) => before)],
    };
    const last = this.#queue.at(-1);
    if (last?.type === "diff" && this.#diffsWaiting >= DIFFS_WAITING_MAX) {
      last.diff = mergeDiffs(last.diff, diff);
      return;
    }
    this.#queue.push({ type: "diff", diff });
    this.#diffsWaiting++;
    this.#run();
  }

  /** Deals with what waits, unless somebody further up the stack, or a promise, is at it already. */
  #run(): void {
    if (this.#current !== undefined) return;
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      this.#current = item;
      if (item.type === "diff") this.#diffsWaiting--;
      const later = item.type === "diff" ? this.#tellDiff(item.diff) : this.#tellState(item);
      if (later !== undefined) {
        void later.then(() => {
          this.#current = undefined;
          this.#run();
        });
        return;
      }
      this.#current = undefined;
    }
  }

  #tellState({ presences, receivers }: Item & { type: "state" }): undefined | Promise<void> {
    if (receivers.size === 0) return undefined;
    const raw = groupByKey(presences);
    return after(this.#fetch(this.#options.topic, raw), (fetched) => {
      if (receivers.size === 0) return undefined;
      const state = this.#encode(fetched, raw);
      for (const receiver of receivers) {
        this.#receivers.add(receiver);
        receiver.pushState(state);
      }
      return undefined;
    });
  }

  #tellDiff({ joins, leaves }: RawDiff): undefined | Promise<void> {
    const { topic, metas } = this.#options;
    // A merged diff may have come to nothing.
    if (joins.length === 0 && leaves.length === 0) return undefined;
    const raw: PresenceDiff = { joins: groupByKey(joins), leaves: groupByKey(leaves) };
    if (metas !== undefined) this.#present.apply(raw);
    const fetched = [this.#fetch(topic, raw.joins), this.#fetch(topic, raw.leaves)] as const;
    const both = isPromise(fetched[0]) || isPromise(fetched[1]) ? Promise.all(fetched) : fetched;
    return after(
      both as readonly [PresenceMap, PresenceMap] | Promise<[PresenceMap, PresenceMap]>,
      (halves) => {
        const diff = { joins: halves[0], leaves: halves[1] };
        this.#dispatch(diff, raw);
        return metas?.changed(topic, diff, this.#present);
      },
    );
  }

  #dispatch(diff: PresenceDiff, raw: PresenceDiff): void {
    const { topic, dispatch, notice } = this.#options;
    const deliver = (delivered: PresenceDiff = diff) => {
      if (this.#receivers.size === 0) return;
      const broadcast = new SharedBroadcast(topic, EVENT.diff, this.#encode(delivered, raw));
      for (const receiver of this.#receivers) receiver.deliver(broadcast);
    };
    if (dispatch === undefined) {
      deliver();
      return;
    }
    try {
      dispatch(topic, diff, deliver);
    } catch (error) {
      const message = `dispatch failed for a diff of topic ${JSON.stringify(topic)}`;
      notice({ type: "callback-failed", level: "error", message, callback: "dispatch", topic, error });
    }
  }

  /** What `fetch` added may be something that JSON cannot say; then it goes without. */
  #encode(fetched: PresenceMap | PresenceDiff, raw: PresenceMap | PresenceDiff): EncodedJson {
    const { topic, notice } = this.#options;
    try {
      return new EncodedJson(JSON.stringify(fetched));
    } catch (error) {
      const message = `what fetch gave for topic ${JSON.stringify(topic)} is not JSON: its presences are sent as they are`;
      notice({ type: "callback-failed", level: "error", message, callback: "fetch", topic, error });
      return new EncodedJson(JSON.stringify(raw));
    }
  }
}

/** Hands a value on, now or when it is there; `value` must not reject, and `next` must not throw. */
function after<T>(
  value: T | Promise<T>,
  next: (value: T) => undefined | Promise<void>,
): undefined | Promise<void> {
  return value instanceof Promise ? value.then(next) : next(value);
}
