/** Heartbeats: proof of life, hearsay about others, and digests by which two replicas see whether they agree. */
import type { ReplicaId } from "@presently/crdt";
import type { Content } from "./content.ts";
import { compare, digestHash, summarize } from "./digest.ts";
import type { Membership } from "./membership.ts";
import type { Heard, HeartbeatMessage, OriginSummary } from "./messages.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis } from "./outbox.ts";
import type { Peer } from "./peer.ts";

/** What a peer's digest has shown: it is ours; the same events and another state; or more events of ours than we have made. */
export type Finding = "same" | "diverging" | "knows-more-of-us" | undefined;

export class Gossip {
  private readonly content: Content;
  private readonly membership: Membership;
  private readonly settings: ReplicaSettings;
  private readonly send: (peers: readonly ReplicaId[], message: HeartbeatMessage) => void;
  private digest: { summaries: Map<ReplicaId, OriginSummary>; hash: number } | undefined = undefined;
  private counter = 0;
  private nextAt: Millis | undefined = undefined;
  private previousAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(
    content: Content,
    membership: Membership,
    settings: ReplicaSettings,
    send: (peers: readonly ReplicaId[], message: HeartbeatMessage) => void,
  ) {
    this.content = content;
    this.membership = membership;
    this.settings = settings;
    this.send = send;
  }

  /** The set has changed, or whose part of it counts. */
  touch(): void {
    this.digest = undefined;
  }

  /** Whether `tick` will beat. */
  isDue(now: Millis): boolean {
    return this.nextAt !== undefined && now >= this.nextAt;
  }

  /** Beats to the peers if it is time (local changes must have been flushed then); answers when the next heartbeat is due. The first one is put off at random. */
  tick(peers: Iterable<Peer>, now: Millis): Millis {
    const { heartbeatIntervalMs, random } = this.settings;
    this.nextAt ??= now + Math.round(random() * heartbeatIntervalMs);
    if (now < this.nextAt) return this.nextAt;
    this.beat(this.partners(peers), now);
    this.previousAt = now;
    this.nextAt = now + heartbeatIntervalMs;
    return this.nextAt;
  }

  /** Sends one heartbeat to these peers. Local changes must have been flushed, so that the digest claims nothing unsent. */
  beat(peers: readonly Peer[], now: Millis): void {
    const { hash, summaries } = this.ownDigest();
    const news = peers.filter((peer) => peer.digestHashSent !== hash);
    const rest = peers.filter((peer) => peer.digestHashSent === hash);
    const heartbeat = { type: "heartbeat", counter: ++this.counter, digestHash: hash } as const;
    if (news.length > 0) {
      const heard = this.hearsay(now, Number.NEGATIVE_INFINITY);
      this.send(idsOf(news), { ...heartbeat, heard, digest: [...summaries.values()] });
    }
    if (rest.length > 0) {
      this.send(idsOf(rest), { ...heartbeat, heard: this.hearsay(now, this.previousAt), digest: undefined });
    }
    for (const peer of news) peer.digestHashSent = hash;
  }

  /** What we have learnt of the heartbeats of others since, however old it was: it has to get about; nothing of those that have said goodbye. */
  private hearsay(now: Millis, since: Millis): Heard[] {
    const heard: Heard[] = [];
    const { downAfterMs } = this.settings;
    for (const { id, counter, heardAt: lastHeardAt, learntAt, status } of this.membership.all()) {
      if (status === "leaving" || learntAt < since) continue;
      // Whoever was found to be down before its time-out must not be shown by a newcomer that hears of it from us first.
      const heardAt = status === "down" ? Math.min(lastHeardAt, now - downAfterMs) : lastHeardAt;
      heard.push({ replica: id, counter, agoMs: Math.max(0, Math.round(now - heardAt)) });
    }
    return heard;
  }

  /** Whether our digest is not what this peer was last sent. */
  isNewsTo(peer: Peer): boolean {
    return peer.digestHashSent !== this.ownDigest().hash;
  }

  /** All peers of a small cluster; a few at random of a large one, so that idle traffic does not grow with it. */
  private partners(all: Iterable<Peer>): Peer[] {
    const peers = [...all];
    const { heartbeatFanout, random } = this.settings;
    if (peers.length <= heartbeatFanout) return peers;
    for (let index = 0; index < heartbeatFanout; index++) {
      const other = index + Math.floor(random() * (peers.length - index));
      [peers[index], peers[other]] = [peers[other]!, peers[index]!];
    }
    return peers.slice(0, heartbeatFanout);
  }

  /** Takes in a peer's heartbeat. */
  hear(peer: Peer, message: HeartbeatMessage, now: Millis): Finding {
    this.membership.learn({ replica: peer.id, counter: message.counter, agoMs: 0 }, peer.id, now);
    for (const heard of message.heard) this.membership.learn(heard, peer.id, now);
    peer.take(message.digest);
    const own = this.ownDigest();
    if (message.digestHash === own.hash) {
      peer.agree(now);
      return "same";
    }
    if (peer.digest === undefined) return undefined;
    const { replica, vector } = this.ownSummary();
    if ((peer.digest.get(replica)?.vector ?? 0) > vector) return "knows-more-of-us";
    const { agreeing, diverging } = compare(
      own.summaries,
      peer.digest,
      (id) => this.counts(id),
      (id) => id === replica || this.membership.follows(id),
    );
    peer.agrees = agreeing;
    if (agreeing) peer.agree(now);
    return diverging ? "diverging" : undefined;
  }

  private ownSummary(): { replica: ReplicaId; vector: number } {
    const { set } = this.content;
    return { replica: set.replica, vector: set.vectorOf(set.replica) };
  }

  private ownDigest(): { summaries: Map<ReplicaId, OriginSummary>; hash: number } {
    if (this.digest === undefined) {
      const summaries = summarize(this.content.set, (replica) => this.counts(replica));
      const byReplica = new Map(summaries.map((summary) => [summary.replica, summary]));
      this.digest = { summaries: byReplica, hash: digestHash(summaries) };
    }
    return this.digest;
  }

  /**
   * A replica that was evicted, or whose hand-off is over, is in no digest: nobody could satisfy what newcomers would ask
   * for. Until then whoever says that it is leaving also has what it left.
   */
  private counts(replica: ReplicaId): boolean {
    return replica === this.content.set.replica || this.membership.knows(replica);
  }
}

function idsOf(peers: readonly Peer[]): ReplicaId[] {
  return peers.map(({ id }) => id);
}
