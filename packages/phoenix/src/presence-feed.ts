/**
 * What the clients of one topic are told of presence, in which order?
 *
 * Every change is told at once, by itself, until that has taken a thousand frames; what happens then, before
 * `diffIntervalMs` are over, is told as one diff. So small rooms hear everything, and the cost of a large one grows with
 * its clients and with time, and not with how many of them come and go. A state is what the diffs up to now, and not yet those to come, have made of the room: who asks
 * gets it at once, and then the same diffs as everybody. So no diff is lost, no state is older than a diff that was sent
 * before it, everybody hears of their own coming, and all who ask between two diffs are given one and the same text.
 *
 * One queue for the topic at this node holds diffs and states; its items are dealt with one after the other, so that a
 * slow `fetch` delays but never reorders. While there is neither `fetch` nor `handleMetas`, items are dealt with at once.
 * A diff is encoded once for all.
 */
import type { Presence, PresentlyNode, TopicDiff } from "presently";
import { reportRejection } from "presently/drop-in";
import type { PresenceDefinition } from "./channel-definition.ts";
import { type Fetcher, fetchNothing } from "./fetcher.ts";
import { EncodedJson, EVENT } from "./message.ts";
import { MetasByKey, type MetasListener } from "./metas-listener.ts";
import type { NoticeListener } from "./notice.ts";
import { PendingDiff } from "./pending-diff.ts";
import { groupByKey, type PresenceDiff, type PresenceMap, type RawDiff } from "./presence-map.ts";
import { isPromise } from "./settle.ts";
import { SharedBroadcast } from "./shared-broadcast.ts";

/** Diffs that wait for a slow `fetch`; beyond it the next one goes on growing. */
const DIFFS_WAITING_MAX = 64;

/** Frames that diffs of one topic may take in `diffIntervalMs` before they are merged. */
const FRAMES_PER_INTERVAL = 1_000;

/** How long the text of a state is kept for those who ask for the same: the room of a quiet topic is not kept in memory twice. */
const STATE_KEPT_MS = 50;

/** Who is told: a channel. */
export interface PresenceReceiver {
  deliver(broadcast: SharedBroadcast): void;
  pushState(state: EncodedJson): void;
}

export interface PresenceFeedOptions {
  readonly node: Pick<PresentlyNode, "watch">;
  readonly topic: string;
  readonly fetch?: Fetcher | undefined;
  readonly metas?: MetasListener | undefined;
  readonly dispatch?: PresenceDefinition["dispatch"] | undefined;
  /** How long diffs are merged when they are many. Default 0: never. */
  readonly diffIntervalMs?: number | undefined;
  readonly notice: NoticeListener;
}

type Item =
  | { readonly type: "diff"; readonly diff: RawDiff }
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
  /**
   * Who was here when the last diff went into the queue, by reference. The node may know more already: it tells of changes
   * of a batch when the batch is over, and of large topics later still.
   */
  readonly #told = new Map<string, Presence>();
  /** What has happened since then. */
  readonly #pending = new PendingDiff();
  /** Runs for `diffIntervalMs` from the first diff. */
  #interval: NodeJS.Timeout | undefined;
  /** Frames that the diffs of this interval take. */
  #frames = 0;
  /** The state between two diffs, for a while. */
  #state: EncodedJson | undefined;
  #stateTimer: NodeJS.Timeout | undefined;

  /** @throws {LimitError} beyond `watchersMax` of the node */
  constructor(options: PresenceFeedOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? fetchNothing;
    this.#unwatch = options.node.watch(options.topic, (change) => {
      if (change.type === "diff") this.#changed(change);
      else this.#begin(change.presences);
    });
  }

  /** Sends the state to the receiver, and then every diff, until `detach`. */
  attach(receiver: PresenceReceiver): void {
    const last = this.#queue.at(-1);
    if (last?.type === "state") last.receivers.add(receiver);
    else if (this.#state !== undefined && this.#current === undefined) this.#give(this.#state, [receiver]);
    else {
      this.#queue.push({
        type: "state",
        presences: [...this.#told.values()],
        receivers: new Set([receiver]),
      });
      this.#run();
    }
  }

  detach(receiver: PresenceReceiver): void {
    this.#receivers.delete(receiver);
    if (this.#current?.type === "state") this.#current.receivers.delete(receiver);
    for (const item of this.#queue) if (item.type === "state") item.receivers.delete(receiver);
  }

  /** Ends it. What waits in the queue is forgotten. */
  close(): void {
    this.#unwatch();
    clearTimeout(this.#interval);
    this.#forgetState();
    this.#queue = [];
    this.#receivers.clear();
    this.#told.clear();
  }

  #begin(presences: readonly Presence[]): void {
    for (const presence of presences) this.#told.set(presence.ref, presence);
    if (this.#options.metas !== undefined) this.#present.apply({ joins: groupByKey(presences), leaves: {} });
  }

  #changed({ joins, leaves, updates }: TopicDiff): void {
    for (const { presence } of leaves) this.#pending.leave(presence);
    for (const { before, after } of updates) {
      this.#pending.leave(before);
      this.#pending.join(after);
    }
    for (const presence of joins) this.#pending.join(presence);
    this.#cut();
    this.#run();
  }

  /** Makes one diff of what has happened, unless there were too many of late, or too many wait already. */
  #cut(): void {
    if (this.#pending.isEmpty || this.#diffsWaiting >= DIFFS_WAITING_MAX) return;
    if (this.#frames >= FRAMES_PER_INTERVAL) return;
    const diff = this.#pending.take();
    for (const { ref } of diff.leaves) this.#told.delete(ref);
    for (const presence of diff.joins) this.#told.set(presence.ref, presence);
    this.#queue.push({ type: "diff", diff });
    this.#diffsWaiting++;
    const { diffIntervalMs = 0 } = this.#options;
    if (diffIntervalMs === 0) return;
    this.#frames += this.#receivers.size;
    this.#interval ??= setTimeout(() => {
      this.#interval = undefined;
      this.#frames = 0;
      this.#cut();
      this.#run();
    }, diffIntervalMs);
  }

  /** Deals with what waits, unless somebody further up the stack, or a promise, is at it already. */
  #run(): void {
    if (this.#current !== undefined) return;
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      this.#current = item;
      if (item.type === "diff") {
        this.#diffsWaiting--;
        this.#forgetState();
        // There is room in the queue again.
        this.#cut();
      }
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
      if (this.#fetch === fetchNothing) this.#keepState(state);
      this.#give(state, receivers);
      return undefined;
    });
  }

  #give(state: EncodedJson, receivers: Iterable<PresenceReceiver>): void {
    for (const receiver of receivers) {
      this.#receivers.add(receiver);
      receiver.pushState(state);
    }
  }

  /** What `fetch` adds may change at any time, so that only a state without it is kept. */
  #keepState(state: EncodedJson): void {
    this.#state = state;
    this.#stateTimer = setTimeout(() => this.#forgetState(), STATE_KEPT_MS);
  }

  #forgetState(): void {
    clearTimeout(this.#stateTimer);
    this.#state = undefined;
  }

  #tellDiff({ joins, leaves }: RawDiff): undefined | Promise<void> {
    const { topic, metas } = this.#options;
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
      const payload = this.#encode(delivered, raw);
      const broadcast = new SharedBroadcast(topic, EVENT.diff, payload, { namesJoin: true });
      for (const receiver of this.#receivers) receiver.deliver(broadcast);
    };
    if (dispatch === undefined) {
      deliver();
      return;
    }
    const failed = (error: unknown) => {
      const message = `dispatch failed for a diff of topic ${JSON.stringify(topic)}`;
      notice({ type: "callback-failed", level: "error", message, callback: "dispatch", topic, error });
    };
    try {
      reportRejection(dispatch(topic, diff, deliver), failed);
    } catch (error) {
      failed(error);
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
