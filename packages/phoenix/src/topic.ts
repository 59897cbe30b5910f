/** One topic as this node serves it: who has joined it here, and the feed of its presence. */
import type { TopicSubscription } from "presently";
import { PresenceFeed, type PresenceFeedOptions, type PresenceReceiver } from "./presence-feed.ts";
import type { SharedBroadcast } from "./shared-broadcast.ts";

/** A channel of this node. */
export interface Member extends PresenceReceiver {
  /** Unique in the cluster. */
  readonly id: string;
}

export class Topic {
  readonly #members = new Set<Member>();
  readonly #subscription: TopicSubscription;
  readonly #feedOptions: PresenceFeedOptions;
  readonly #emptied: () => void;
  #feed: PresenceFeed | undefined;
  /** Whoever needs the topic to stay: members, their joins under way, observers. */
  #holds = 0;

  /** @param subscription by which broadcasts of the topic come to this node; ended with it */
  constructor(feedOptions: PresenceFeedOptions, subscription: TopicSubscription, emptied: () => void) {
    this.#feedOptions = feedOptions;
    this.#subscription = subscription;
    this.#emptied = emptied;
  }

  /** Settles when broadcasts of all nodes that can be reached come here; undefined if they do. */
  whenEffective(): undefined | Promise<void> {
    return this.#subscription.isEffective() ? undefined : this.#subscription.whenEffective();
  }

  get size(): number {
    return this.#members.size;
  }

  hold(): void {
    this.#holds++;
  }

  release(): void {
    if (--this.#holds > 0) return;
    this.#feed?.close();
    this.#feed = undefined;
    this.#subscription.end();
    this.#emptied();
  }

  add(member: Member): void {
    this.#members.add(member);
  }

  delete(member: Member): void {
    this.#members.delete(member);
    this.#feed?.detach(member);
  }

  /** Presence of the topic; made when it is first wanted. @throws {LimitError} beyond `watchersMax` of the node */
  get feed(): PresenceFeed {
    this.#feed ??= new PresenceFeed(this.#feedOptions);
    return this.#feed;
  }

  /** Hands a broadcast to all members but the one named `except`. */
  deliver(broadcast: SharedBroadcast, except: string): void {
    for (const member of this.#members) if (member.id !== except) member.deliver(broadcast);
  }
}
