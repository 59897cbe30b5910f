/** Presence by topic, for server code that is no channel: the functions of a Phoenix presence module. */
import type { AnyMeta, Meta, MetaInput } from "presently";
import { checkObject, checkString, type Roster } from "presently/drop-in";
import type { MetaChange } from "./channel.ts";
import type { Exchange } from "./exchange.ts";
import type { Fetcher } from "./fetcher.ts";
import { groupByKey, type PresenceEntry, type PresenceMap } from "./presence-map.ts";
import { keyText, type Tracker } from "./tracker.ts";

export interface SocketPresenceOptions {
  readonly roster: Roster;
  readonly newTracker: () => Tracker;
  readonly exchange: Exchange;
  /** The `fetch` of the channel that serves a topic. */
  readonly fetcherOf: (topic: string) => Fetcher;
}

/** Tracks and lists presence on any topic, for server code that is no channel; one per socket, as `socket.presence`. */
export class SocketPresence {
  readonly #options: SocketPresenceOptions;
  readonly #trackers = new WeakMap<object, Tracker>();

  constructor(options: SocketPresenceOptions) {
    this.#options = options;
  }

  /**
   * Makes a key present on any topic, for a channel (until it ends) or for any other object (until `untrack(owner)`).
   *
   * @returns its `phx_ref`
   * @throws {AlreadyTrackedError} if this owner tracks the key on the topic already
   * @throws {ClosedError} for a channel that has ended; else as `channel.track`
   */
  track(owner: object, topic: string, key: string | number, meta: MetaInput<Meta> = {}): string {
    return this.#trackerOf(owner).track(topic, key, meta);
  }

  /** Takes one presence of the owner away, or all of them on all topics. Nothing happens if there is none. */
  untrack(owner: object, topic?: string, key?: string | number): void {
    const tracker = this.#trackerOf(owner);
    if (topic !== undefined) checkString("topic", topic);
    if (topic === undefined || key === undefined) tracker.close();
    else tracker.untrack(topic, key);
  }

  /** Replaces a meta: one diff. @returns the new `phx_ref` @throws {NoPresenceError} if this owner does not track the key */
  update(owner: object, topic: string, key: string | number, change: MetaChange): string {
    return this.#trackerOf(owner).update(topic, key, change);
  }

  /** Everybody who is present on the topic, in the whole cluster, as `fetch` shows them; `{}` if nobody is. */
  list<M extends object = Meta>(topic: string): Promise<PresenceMap<M>>;
  async list(topic: string): Promise<PresenceMap<AnyMeta>> {
    checkString("topic", topic);
    const { roster, fetcherOf } = this.#options;
    return fetcherOf(topic)(topic, groupByKey(roster.list(topic)));
  }

  /** One key of the list; `[]` if it is absent. */
  getByKey<M extends object = Meta>(
    topic: string,
    key: string | number,
  ): Promise<PresenceEntry<M> | readonly []>;
  async getByKey(topic: string, key: string | number): Promise<PresenceEntry<AnyMeta> | readonly []> {
    checkString("topic", topic);
    const { roster, fetcherOf } = this.#options;
    const name = keyText(key);
    const presences = roster.get(topic, name);
    if (presences.length === 0) return [];
    return (await fetcherOf(topic)(topic, groupByKey(presences)))[name] ?? [];
  }

  /** Has `handleMetas` told of the topic although nobody has joined it at this node; until the returned function is called. */
  observe(topic: string): () => void {
    checkString("topic", topic);
    const held = this.#options.exchange.hold(topic);
    // Reading it starts it.
    void held.feed;
    let active = true;
    return () => {
      if (active) held.release();
      active = false;
    };
  }

  /** @internal Has an owner use a tracker that ends with it: called for each channel. */
  adopt(owner: object, tracker: Tracker): void {
    this.#trackers.set(owner, tracker);
  }

  #trackerOf(owner: object): Tracker {
    if (typeof owner !== "function") checkObject("owner", owner);
    const own = this.#trackers.get(owner);
    if (own !== undefined) return own;
    const tracker = this.#options.newTracker();
    this.#trackers.set(owner, tracker);
    return tracker;
  }
}
