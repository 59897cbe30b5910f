/** What each peer wants broadcasts of, as it has told us over its present link. */
import type { ReplicaId } from "@presently/crdt";
import type { InterestMessage } from "../messages.ts";
import type { TopicHash } from "./topic-hash.ts";

interface PeerInterest {
  /** Undefined: it has not said so, or wants everything. */
  topics: Set<TopicHash> | undefined;
  /** The whole set, while its parts come in. */
  staged: Set<TopicHash> | undefined;
}

export class PeerInterests {
  private readonly peers = new Map<ReplicaId, PeerInterest>();
  private readonly topicsMax: number;

  /** @param topicsMax of one peer; with more, it gets everything */
  constructor(topicsMax: number) {
    this.topicsMax = topicsMax;
  }

  /** Whether a peer has said anything of what it wants over its present link. */
  isKnown(peer: ReplicaId): boolean {
    return this.peers.has(peer);
  }

  /** The link is gone, and with it what was said over it. */
  forget(peer: ReplicaId): void {
    this.peers.delete(peer);
  }

  /** Takes in a message of a peer; answers whether the telling is complete with it. Cost: O(topics in it). */
  take(peer: ReplicaId, { whole, last, everything, added, removed }: InterestMessage): boolean {
    let interest = this.peers.get(peer);
    if (interest === undefined) {
      interest = { topics: undefined, staged: undefined };
      this.peers.set(peer, interest);
    }
    if (whole) interest.staged = new Set();
    const topics = interest.staged ?? interest.topics;
    for (const topic of removed) topics?.delete(topic);
    for (const topic of added) topics?.add(topic);
    const isTooLarge = topics !== undefined && topics.size > this.topicsMax;
    // Until it says all of it anew, what it wants is not known.
    if (isTooLarge) interest.topics = interest.staged = undefined;
    if (last && interest.staged !== undefined) {
      interest.topics = everything ? undefined : interest.staged;
      interest.staged = undefined;
    }
    return last;
  }

  /** Whether a peer wants one of these topics, or may. Cost: O(topics). */
  wants(peer: ReplicaId, topics: readonly TopicHash[]): boolean {
    const known = this.peers.get(peer)?.topics;
    return known === undefined || topics.some((topic) => known.has(topic));
  }
}
