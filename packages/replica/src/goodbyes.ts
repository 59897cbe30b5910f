/** Goodbyes of others: heard, and told to whoever may have missed them. */
import type { Content } from "./content.ts";
import type { Gossip } from "./gossip.ts";
import type { Membership } from "./membership.ts";
import type { LeaveMessage } from "./messages.ts";
import type { Millis, Outbox } from "./outbox.ts";
import type { Peer } from "./peer.ts";
import type { Peers } from "./peers.ts";

export class Goodbyes {
  private readonly content: Content;
  private readonly membership: Membership;
  private readonly gossip: Gossip;
  private readonly peers: Peers;
  private readonly outbox: Outbox;

  constructor(content: Content, membership: Membership, gossip: Gossip, peers: Peers, outbox: Outbox) {
    this.content = content;
    this.membership = membership;
    this.gossip = gossip;
    this.peers = peers;
    this.outbox = outbox;
  }

  /** A replica says goodbye, or somebody says so for it: the first to tell us has us tell all others. */
  hear(from: Peer, message: LeaveMessage, now: Millis): void {
    const { replica, handoffMs } = message;
    if (replica === this.content.set.replica || !this.membership.left(replica, handoffMs, now)) return;
    this.gossip.touch();
    if (this.membership.get(replica)?.status === "leaving") this.content.handOff(replica);
    const others = [...this.peers.ids()].filter((peer) => peer !== from.id && peer !== replica);
    this.outbox.send(others, message);
  }

  /** Who comes during a hand-off must know of it before it is given what the leaver left. */
  tellNewcomer(peer: Peer, now: Millis): void {
    for (const { replica, handoffMs } of this.membership.leaving(now))
      if (replica !== peer.id) this.outbox.send([peer.id], { type: "leave", replica, handoffMs });
  }

  /**
   * Who missed a goodbye would keep that replica in its digests until it is evicted, and for so long could neither agree
   * with anybody nor see that it differs from them.
   */
  tellWhoMissedThem(peer: Peer): void {
    for (const replica of peer.digest?.keys() ?? [])
      if (this.membership.isGone(replica))
        this.outbox.send([peer.id], { type: "leave", replica, handoffMs: 0 });
  }
}
