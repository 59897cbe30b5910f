/** What peers send of the set and are sent of it: deltas as they come, and pulls, in both directions, for what digests and gaps show to be missing. */
import type { ReplicaId } from "@presently/crdt";
import type { Content } from "./content.ts";
import type { Counters } from "./counters.ts";
import type { Flusher } from "./flusher.ts";
import { Giver } from "./giver.ts";
import type { Finding, Gossip } from "./gossip.ts";
import type { Membership } from "./membership.ts";
import type { DeltaMessage, HeartbeatMessage, PullMessage, SyncMessage } from "./messages.ts";
import type { Notice } from "./notice.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";
import type { Peer } from "./peer.ts";
import type { Peers } from "./peers.ts";
import type { SyncProgress } from "./presence.ts";
import { Puller, type PullerListener } from "./puller.ts";
import { checkRemovals } from "./removal-bounds.ts";

export class Sync {
  private puller: Puller;
  private giver: Giver;
  /** Something has happened that may call for a pull. */
  private pullWanted = false;
  /** Who has just answered a pull to the end, or agrees and does not know it. */
  private answered: ReplicaId | undefined = undefined;
  private readonly content: Content;
  private readonly membership: Membership;
  private readonly gossip: Gossip;
  private readonly peers: Peers;
  private readonly flusher: Flusher;
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly outbox: Outbox;

  constructor(
    content: Content,
    membership: Membership,
    gossip: Gossip,
    peers: Peers,
    flusher: Flusher,
    settings: ReplicaSettings,
    counters: Counters,
    outbox: Outbox,
  ) {
    this.content = content;
    this.membership = membership;
    this.gossip = gossip;
    this.peers = peers;
    this.flusher = flusher;
    this.settings = settings;
    this.counters = counters;
    this.outbox = outbox;
    this.puller = this.newPuller();
    this.giver = this.newGiver();
  }

  /** The set is another one: what was under way belonged to the one before. */
  restart(): void {
    this.puller = this.newPuller(this.puller.newestId);
    this.giver = this.newGiver();
  }

  // Messages.

  /** @throws {ProtocolError} if its removals name more than is allowed; nothing has changed then */
  apply(peer: Peer, { delta }: DeltaMessage, now: Millis): void {
    if (!this.membership.knows(delta.origin)) return;
    checkRemovals(this.content.set, delta.removals, this.settings);
    peer.claim(delta.origin, delta.to);
    this.gossip.touch();
    if (this.content.set.apply(delta) !== "gap") return;
    this.counters.gaps++;
    this.puller.start(peer, now);
  }

  serve(peer: Peer, pull: PullMessage): void {
    this.flusher.flush();
    this.counters.pullsServed++;
    if (this.giver.serve(peer.id, pull)) this.outbox.wake(0);
  }

  /** @throws {ProtocolError} for an answer that is larger than is allowed */
  receive(peer: Peer, message: SyncMessage, now: Millis): void {
    this.gossip.touch();
    this.puller.receive(peer.id, message, now);
  }

  /** Takes in a heartbeat, and what its digest shows of who lacks what. */
  compare(peer: Peer, message: HeartbeatMessage, now: Millis): Finding {
    const agreedBefore = peer.agrees === true;
    const finding = this.gossip.hear(peer, message, now);
    if (finding === "same") {
      // It came to agree by what it was given or we were: it cannot know yet.
      if (!agreedBefore && this.gossip.isNewsTo(peer)) this.answered = peer.id;
    } else {
      // In a quiet cluster nobody is asked to look through what all peers claim.
      this.pullWanted = true;
    }
    if (finding === "diverging") {
      peer.diverges = true;
      this.counters.divergences++;
      const message = `${peer.id} has seen the same events and holds another state: comparing all`;
      this.say("divergence", "error", message, peer.id);
    }
    this.noteCatchingUp();
    return finding;
  }

  // Links and time.

  /** The link with a peer is gone: what it was to bring is asked of another. */
  lost(id: ReplicaId): void {
    this.puller.abandon(id);
    this.giver.stop(id);
    this.pullWanted = true;
  }

  /** Gives up a pull that makes no progress; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    return this.puller.tick(now);
  }

  /** Sends some of what was asked for; answers whether there is more that could go out now. */
  give(): boolean {
    return this.giver.pump();
  }

  /** Looks for a peer that has what we lack, if something has happened since the last call that may call for it. */
  pullIfWanted(now: Millis): void {
    if (!this.pullWanted) return;
    this.pullWanted = false;
    this.puller.consider(this.peers.all(), now);
  }

  // Having caught up.

  /** How far the full state is that is on its way here; undefined if none is. */
  get progress(): SyncProgress | undefined {
    return this.puller.progress;
  }

  /** Whether everything that is claimed of a replica is here, by itself if we have a link with it, else by anybody. */
  hasCaughtUpOn(replica: ReplicaId): boolean {
    const seen = this.content.set.vectorOf(replica);
    const linked = this.peers.has(replica);
    let told = false;
    for (const { id, digest, claims } of this.peers.all()) {
      if ((claims.get(replica) ?? 0) > seen) return false;
      if (linked ? id === replica && digest !== undefined : digest?.has(replica)) told = true;
    }
    return told;
  }

  /** Who should be told at once where we are. */
  takeAnswered(): Peer | undefined {
    const answered = this.answered === undefined ? undefined : this.peers.get(this.answered);
    this.answered = undefined;
    return answered;
  }

  private noteCatchingUp(): void {
    for (const peer of this.peers.all()) {
      if (peer.caughtUp || peer.digest === undefined || !this.puller.hasCaughtUpWith(peer)) continue;
      peer.caughtUp = true;
      this.say("synced", "debug", `caught up with ${peer.id}`, peer.id);
    }
  }

  private newPuller(lastId = 0): Puller {
    const listener: PullerListener = {
      send: (peer, message) => {
        this.counters.pullsSent++;
        this.outbox.send([peer], message);
        this.outbox.wake(this.settings.pullTimeoutMs);
      },
      knows: (replica) => this.membership.knows(replica),
      linked: (replica) => this.peers.has(replica),
      timedOut: (peer) => {
        this.counters.pullTimeouts++;
        this.pullWanted = true;
        this.say("pull-timeout", "warn", `${peer} did not answer a pull in time: asking another peer`, peer);
        this.peers.askLast(peer);
      },
      merged: (peer, complete) => {
        this.counters.fullSyncs++;
        if (!complete)
          this.say("sync-progress", "warn", `the state from ${peer} was incomplete: asking again`, peer);
      },
      progressed: ({ from, entriesReceived, entriesExpected }) => {
        const message = `${entriesReceived} of ${entriesExpected} entries received so far, now from ${from}`;
        this.say("sync-progress", "info", message, from);
      },
      finished: (peer) => {
        this.pullWanted = true;
        this.noteCatchingUp();
        // Whether both now agree should not wait for the next heartbeat.
        this.answered = peer;
      },
    };
    return new Puller(this.content.set, this.settings, listener, lastId);
  }

  private newGiver(): Giver {
    return new Giver(this.content.set, this.settings, {
      send: (peer, message) => {
        this.counters.syncFramesSent++;
        this.outbox.send([peer], message);
      },
      congested: (peer) => this.outbox.congested(peer),
    });
  }

  private say(type: Notice["type"], level: Notice["level"], message: string, replica: ReplicaId): void {
    this.outbox.notice({ type, level, message, replica });
  }
}
