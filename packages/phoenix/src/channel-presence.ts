/** What one channel has to do with presence: what it tracks, and what it hears of its topic. */
import type { Meta } from "presently";
import type { Channel, MetaChange } from "./channel.ts";
import type { EndReason, PresenceDefinition } from "./channel-definition.ts";
import type { Payload } from "./message.ts";
import { nowInSeconds } from "./online-at.ts";
import type { Member, Topic } from "./topic.ts";
import type { Tracker } from "./tracker.ts";

export interface ChannelPresenceOptions {
  readonly topic: string;
  /** The topic as this node serves it, held for this channel. */
  readonly held: Topic;
  readonly member: Member;
  readonly tracker: Tracker;
  // biome-ignore lint/suspicious/noExplicitAny: the channels of one socket share one type of assigns, which only the socket knows.
  readonly definition: PresenceDefinition<any, any> | false | undefined;
}

export class ChannelPresence {
  readonly #options: ChannelPresenceOptions;
  #attached = false;

  constructor(options: ChannelPresenceOptions) {
    this.#options = options;
  }

  /** From here on the topic reaches the channel. */
  enter(channel: Channel<unknown>, params: Payload): void {
    const { definition } = this.#options;
    if (!definition || (definition.shows?.(channel, params) ?? true)) this.attach();
    this.#options.held.add(this.#options.member);
  }

  /** Asks for the state, and for every diff after it; once, unless the application wants none. */
  attach(): void {
    if (this.#attached || this.#options.definition === false) return;
    this.#attached = true;
    this.#options.held.feed.attach(this.#options.member);
  }

  /** Asks for the state again. */
  attachAgain(): void {
    const { feed } = this.#options.held;
    this.#attached = true;
    feed.detach(this.#options.member);
    feed.attach(this.#options.member);
  }

  /** The key under which whoever has joined is to be tracked; undefined if it is not. @throws what its callback throws */
  keyOf(channel: Channel<unknown>, params: Payload): string | number | undefined {
    const { definition } = this.#options;
    return definition ? definition.key?.(channel, params) : undefined;
  }

  /** Tracks whoever has joined under this key. @throws what the callbacks throw, and as `track` */
  trackJoiner(key: string | number, channel: Channel<unknown>, params: Payload): void {
    const { definition, tracker, topic } = this.#options;
    // A key may be tracked by `join` already.
    if (!definition || tracker.holds(topic, key)) return;
    // Who was away for a moment has the meta of before, unless the application makes its own.
    if (definition.meta === undefined && tracker.resume(topic, key)) return;
    this.track(key, definition.meta?.(channel, params) ?? { online_at: nowInSeconds() });
  }

  track(key: string | number, meta: Meta): string {
    return this.#options.tracker.track(this.#options.topic, key, meta);
  }

  untrack(key: string | number): void {
    this.#options.tracker.untrack(this.#options.topic, key);
  }

  update(key: string | number, change: MetaChange): string {
    return this.#options.tracker.update(this.#options.topic, key, change);
  }

  /** Leaves the topic. What was tracked goes too, unless the node hands it off, or the client may come back for it. */
  end(reason: EndReason): void {
    const { held, member, tracker, definition } = this.#options;
    held.delete(member);
    held.release();
    const lingerMs = (definition || undefined)?.lingerMs ?? 0;
    if (reason === "drained") tracker.endLater();
    else if ((reason === "closed" || reason === "expired") && lingerMs > 0) tracker.endLater(lingerMs);
    else tracker.end();
  }
}
