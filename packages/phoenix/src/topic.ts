/** One topic as this node serves it: who has joined it here, and the feed of its presence. */
import { PresenceFeed, type PresenceFeedOptions, type PresenceReceiver } from "./presence-feed.ts";
import type { SharedBroadcast } from "./shared-broadcast.ts";

/** A channel of this node. */
export interface Member extends PresenceReceiver {
  /** Unique in the cluster. */
  readonly id: string;
}

export class Topic {
  readonly #members = new Set<Member>();
  readonly #feedOptions: PresenceFeedOptions;
  readonly #emptied: () => void;
  #feed: PresenceFeed | undefined;
  /** Whoever needs the topic to stay: members, their joins under way, observers. */
  #holds = 0;

  constructor(feedOptions: PresenceFeedOptions, emptied: () => void) {
    this.#feedOptions = feedOptions;
    this.#emptied = emptied;
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
