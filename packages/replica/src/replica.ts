/**
 * One life of a node: what it knows of who is present, and what it does about what it does not know yet.
 *
 * Sans-I/O: messages and the time come in, messages and diffs go out. The same calls with the same times give the same
 * outputs on every machine, so one implementation runs in production and in the simulator.
 */
import { type EventNumber, ObservedRemoveSet, type ReplicaId, replicaId } from "@presently/crdt";
import { type Counters, newCounters } from "./counters.ts";
import { compare, digestHash, summarize } from "./digest.ts";
import type { Entry } from "./entry.ts";
import { Giver } from "./giver.ts";
import { LocalPresences } from "./local-presences.ts";
import { Membership } from "./membership.ts";
import type {
  DeltaMessage,
  Heard,
  HeartbeatMessage,
  LeaveMessage,
  Message,
  OriginSummary,
  PullMessage,
  SyncMessage,
} from "./messages.ts";
import type { NoticeType } from "./notice.ts";
import { type ReplicaOptions, type ReplicaSettings, resolveReplicaOptions } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";
import { Peer } from "./peer.ts";
import type { LeaveReason, Presence, ReplicaReport, TopicCount, TopicSummary, Watcher } from "./presence.ts";
import { Puller } from "./puller.ts";
import { reportOn, reportOnSelf } from "./report.ts";
import { Roster } from "./roster.ts";
import type { Session } from "./session.ts";

/** Local changes that are sent without waiting for the flush interval, to keep frames small. */
const OPEN_CHANGES_MAX = 1_000;
/** Entries of a full sync between two progress notices. */
const PROGRESS_STEP = 50_000;
/** Two processes that start under one name at once must not outbid each other for ever. */
const REINCARNATIONS_MAX = 3;
const NEVER = Number.POSITIVE_INFINITY;

export class Replica {
  readonly settings: ReplicaSettings;
  /** Monotone counts of what happened, for metrics. */
  readonly counters: Counters = newCounters();
  private incarnationNow: number;
  private readonly outbox: Outbox;
  private readonly roster: Roster;
  private readonly membership: Membership;
  private readonly locals: LocalPresences;
  private set: ObservedRemoveSet<Entry>;
  private puller: Puller;
  private giver: Giver;
  private readonly peers = new Map<ReplicaId, Peer>();
  /** Replicas on their way out, whose keys may be taken over. */
  private readonly leaving = new Set<ReplicaId>();
  private readonly dropped: Entry[] = [];
  private readonly kicked: Entry[] = [];
  private digest: { summaries: Map<ReplicaId, OriginSummary>; hash: number } | undefined = undefined;
  private counter = 0;
  private heartbeatAt: Millis | undefined = undefined;
  private previousHeartbeatAt: Millis = Number.NEGATIVE_INFINITY;
  private wakeAt: Millis = NEVER;
  private flushWanted = false;
  private openBytes = 0;
  private removing = false;
  private newerLife: number | undefined = undefined;
  /** Something has happened that may call for a pull. */
  private pullWanted = false;
  private startedAt: Millis | undefined = undefined;
  private reincarnations = 0;
  /** After goodbye, or once superseded: nothing is sent any more. */
  private silent = false;

  /**
   * @throws {InvalidArgumentError} for an option that cannot be used
   * @throws {ConfigurationError} for options that contradict each other
   */
  constructor(options: ReplicaOptions, outbox: Outbox) {
    this.settings = resolveReplicaOptions(options);
    this.incarnationNow = this.settings.incarnation;
    this.outbox = outbox;
    this.roster = new Roster(this.settings.watchersMax, (error, topic) =>
      this.listenerFailed(error, { topic }),
    );
    this.set = this.newSet(replicaId(this.settings.name, this.incarnationNow));
    this.locals = new LocalPresences(this.set, this.roster, this.settings, (bytes) => this.changed(bytes));
    this.puller = this.newPuller();
    this.giver = this.newGiver();
    this.membership = new Membership(this.id, this.settings, {
      shown: (replica) => this.showAll(replica),
      hidden: (replica) => this.hideAll(replica),
      evicted: (replica, reason) => this.forget(replica, reason),
      evictionForgotten: (replica) => this.set.readmit(replica),
      probe: (peers, replica) => this.outbox.send(peers, { type: "probe", replica }),
      redial: (replica) => this.outbox.redial(replica),
      newerSelf: (incarnation) => {
        this.newerLife = Math.max(incarnation, this.newerLife ?? 0);
      },
      notice: (notice) => this.outbox.notice(notice),
    });
  }

  /** `name@incarnation`. */
  get id(): ReplicaId {
    return this.set.replica;
  }

  get name(): string {
    return this.settings.name;
  }

  get incarnation(): number {
    return this.incarnationNow;
  }

  // Presence.

  /** @throws {LimitError} beyond `sessionsMax` */
  session(): Session {
    return this.locals.open();
  }

  /** Who is present on a topic, key by key. From local memory. Cost: O(answer). */
  list(topic: string): readonly Presence[] {
    return this.roster.list(topic);
  }

  /** The presences of one key on a topic. Cost: O(answer). */
  get(topic: string, key: string): readonly Presence[] {
    return this.roster.get(topic, key);
  }

  /** Cost: O(1). */
  count(topic: string): TopicCount {
    return this.roster.count(topic);
  }

  /** Topics on which somebody is present, in code unit order. Cost: O(topics). */
  topics(prefix = ""): readonly TopicSummary[] {
    return this.roster.summaries(prefix);
  }

  /** On which topics these keys are present; keys that are nowhere are left out. Cost: O(keys + answer). */
  where(keys: Iterable<string>): Map<string, readonly string[]> {
    const found = new Map<string, readonly string[]>();
    for (const key of keys) {
      const topics = this.roster.topicsOf(key);
      if (topics.length > 0) found.set(key, topics);
    }
    return found;
  }

  /**
   * Tells `watcher` the state of a topic at once, then every diff, exactly once and in order, while the call that makes
   * the change runs. State plus diffs is `list(topic)` at any time. Returns a function that ends it.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watch(topic: string, watcher: Watcher): () => void {
    return this.roster.watch(topic, watcher);
  }

  /** Makes all changes of `work` one diff, and one delta as far as frames allow. Returns what `work` returns. */
  batch<T>(work: () => T): T {
    return this.change(work);
  }

  /** Removes every entry of `key` on `topic` that is seen here, whoever holds it; answers how many. Its sessions are told. */
  remove(topic: string, key: string): number {
    const numbers = new Map<ReplicaId, EventNumber[]>();
    for (const entry of this.roster.get(topic, key)) {
      const known = numbers.get(entry.replica);
      if (known === undefined) numbers.set(entry.replica, [entry.number]);
      else known.push(entry.number);
    }
    if (numbers.size === 0) return 0;
    return this.change(() => {
      this.removing = true;
      try {
        const count = this.set.remove(Array.from(numbers, ([origin, dots]) => ({ origin, numbers: dots })));
        this.changed(count * 4);
        return count;
      } finally {
        this.removing = false;
      }
    });
  }

  // Operating.

  /** Forgets a replica at once, with its entries; answers whether it was known. One that is alive returns by itself. */
  evict(replica: ReplicaId): boolean {
    return this.change(() => this.membership.evictNow(replica));
  }

  /** What this replica believes of itself and every other, itself first. Cost: O(replicas). */
  cluster(now: Millis): readonly ReplicaReport[] {
    const reports = [reportOnSelf(this.set)];
    for (const member of this.membership.all())
      reports.push(reportOn(member, this.set, this.peers.get(member.id), now));
    return reports;
  }

  /** Whether it has caught up with every peer that it has a link with. */
  get synced(): boolean {
    for (const peer of this.peers.values()) if (!peer.caughtUp) return false;
    return true;
  }

  /** Says goodbye: peers drop this replica's entries after `handoffMs`, in which the same keys may appear elsewhere. */
  leave(handoffMs: number): void {
    if (this.silent) return;
    this.flush();
    this.outbox.send(this.peers.keys(), { type: "leave", replica: this.id, handoffMs });
    this.silent = true;
  }

  // The transport and the clock.

  /** A link with a peer is open. */
  peerUp(id: ReplicaId, now: Millis): void {
    this.input(now, () => {
      const peer = new Peer(id);
      this.peers.set(id, peer);
      const welcome = this.membership.linked(id, now);
      this.notice("peer-linked", "debug", `linked with ${id}`, { replica: id });
      if (this.silent) return;
      if (!welcome) this.turnAway(id);
      else this.beat([peer], now);
    });
  }

  /** The link with a peer is gone. */
  peerDown(id: ReplicaId, now: Millis): void {
    if (!this.peers.delete(id)) return;
    this.input(now, () => {
      this.puller.abandon(id);
      this.pullWanted = true;
      this.giver.stop(id);
      this.notice("peer-unlinked", "debug", `lost the link with ${id}`, { replica: id });
      this.membership.unlinked(id, now);
    });
  }

  /** A peer could not be reached. */
  unreachable(id: ReplicaId, now: Millis): void {
    this.input(now, () => this.membership.unreachable(id, now));
  }

  /** A congested link has room again: what it was not sent meanwhile shows in our digest. */
  drained(id: ReplicaId, now: Millis): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    this.input(now, () => this.beat([peer], now));
    this.outbox.wake(0);
  }

  /**
   * Takes in a message of a peer.
   *
   * @throws {ProtocolError} if it breaks the protocol: the link should be closed; nothing else is affected
   */
  receive(from: ReplicaId, message: Message, now: Millis): void {
    const peer = this.peers.get(from);
    if (peer === undefined || this.silent) return;
    this.input(now, () => {
      if (message.type === "heartbeat" || this.membership.knows(from)) this.handle(peer, message, now);
    });
  }

  /** Does what time has made due; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    this.input(now, () => this.due(now));
    this.wakeAt = this.nextWake(now);
    return this.wakeAt;
  }

  /** When something falls due that inputs since the last `tick` have brought about. */
  get nextDeadline(): Millis {
    return this.silent ? NEVER : this.membership.nextDeadline;
  }

  private due(now: Millis): void {
    this.startedAt ??= now;
    this.flush();
    this.heartbeatAt ??= now + this.settings.random() * this.settings.heartbeatIntervalMs;
    if (now >= this.heartbeatAt && !this.silent) {
      this.beat(this.gossipPartners(), now);
      this.previousHeartbeatAt = now;
      this.heartbeatAt = now + this.settings.heartbeatIntervalMs;
    }
    this.membership.tick(now);
    this.puller.tick(now);
  }

  private nextWake(now: Millis): Millis {
    if (this.silent) return NEVER;
    if (this.giver.pump()) return now;
    return Math.min(this.heartbeatAt ?? now, this.membership.tick(now), this.puller.tick(now));
  }

  /** Every input runs as one change; what it brought about is settled before its diffs go out. */
  private input(now: Millis, work: () => void): void {
    if (now - this.wakeAt > this.settings.heartbeatIntervalMs / 2) {
      this.counters.stalls++;
      this.notice("stalled", "warn", `this process stood still for ${Math.round(now - this.wakeAt)} ms`, {
        stalledMs: now - this.wakeAt,
      });
      this.membership.stalled(now);
      this.wakeAt = now;
    }
    this.change(work);
    if (this.newerLife !== undefined) this.yieldTo(this.newerLife, now);
    if (!this.pullWanted || this.silent) return;
    this.pullWanted = false;
    this.puller.consider(this.peers.values(), now);
  }

  private handle(peer: Peer, message: Message, now: Millis): void {
    switch (message.type) {
      case "delta":
        this.apply(peer, message, now);
        break;
      case "heartbeat":
        this.heard(peer, message, now);
        break;
      case "pull":
        this.serve(peer, message);
        break;
      case "sync":
        this.synchronize(peer, message, now);
        break;
      case "probe":
        this.outbox.send([peer.id], this.membership.probed(message.replica, peer.id, now));
        break;
      case "probe-ack":
        this.membership.answered(message, peer.id, now);
        break;
      case "leave":
        this.farewell(peer, message, now);
        break;
      case "incarnation":
        if (message.newest > this.incarnationNow)
          this.newerLife = Math.max(message.newest, this.newerLife ?? 0);
        break;
    }
  }

  private apply(peer: Peer, { delta }: DeltaMessage, now: Millis): void {
    if (!this.membership.knows(delta.origin)) return;
    peer.claim(delta.origin, delta.to);
    this.touch();
    if (this.set.apply(delta) !== "gap") return;
    this.counters.gaps++;
    this.puller.start(peer, now);
  }

  // Heartbeats and digests.

  private beat(peers: readonly Peer[], now: Millis): void {
    if (this.silent) return;
    this.flush();
    this.counter++;
    const { hash, summaries } = this.ownDigest();
    const news = peers.filter((peer) => peer.digestHashSent !== hash);
    const rest = peers.filter((peer) => peer.digestHashSent === hash);
    const heartbeat = { type: "heartbeat", counter: this.counter, digestHash: hash } as const;
    if (news.length > 0) {
      const message: HeartbeatMessage = {
        ...heartbeat,
        heard: this.hearsay(now, false),
        digest: [...summaries.values()],
      };
      this.outbox.send(
        news.map(({ id }) => id),
        message,
      );
    }
    if (rest.length > 0) {
      const message: HeartbeatMessage = { ...heartbeat, heard: this.hearsay(now, true), digest: undefined };
      this.outbox.send(
        rest.map(({ id }) => id),
        message,
      );
    }
    for (const peer of news) peer.digestHashSent = hash;
  }

  /** What we know of the heartbeats of others; a peer that knows the rest is told only of those that advanced lately. */
  private hearsay(now: Millis, onlyLately: boolean): Heard[] {
    const heard: Heard[] = [];
    for (const { id, counter, heardAt, status } of this.membership.all()) {
      if (status === "leaving" || (onlyLately && heardAt < this.previousHeartbeatAt)) continue;
      heard.push({ replica: id, counter, agoMs: Math.max(0, Math.round(now - heardAt)) });
    }
    return heard;
  }

  /** All peers of a small cluster; a few at random of a large one, so that idle traffic does not grow with it. */
  private gossipPartners(): Peer[] {
    const peers = [...this.peers.values()];
    const { heartbeatFanout, random } = this.settings;
    if (peers.length <= heartbeatFanout) return peers;
    for (let index = 0; index < heartbeatFanout; index++) {
      const other = index + Math.floor(random() * (peers.length - index));
      [peers[index], peers[other]] = [peers[other]!, peers[index]!];
    }
    return peers.slice(0, heartbeatFanout);
  }

  private heard(peer: Peer, message: HeartbeatMessage, now: Millis): void {
    this.membership.learn({ replica: peer.id, counter: message.counter, agoMs: 0 }, peer.id, now);
    for (const heard of message.heard) this.membership.learn(heard, peer.id, now);
    peer.olderClaims = new Map(peer.claims);
    if (message.digest !== undefined) {
      peer.digest = new Map(message.digest.map((summary) => [summary.replica, summary]));
      peer.claims.clear();
      for (const { replica, vector } of message.digest) peer.claim(replica, vector);
    }
    this.pullWanted = true;
    this.compareWith(peer, message.digestHash, now);
    this.noteCatchingUp();
  }

  private compareWith(peer: Peer, hash: number, now: Millis): void {
    const own = this.ownDigest();
    if (hash === own.hash) {
      peer.agrees = true;
      peer.agreedAt = now;
      return;
    }
    if (peer.digest === undefined) return;
    if ((peer.digest.get(this.id)?.vector ?? 0) > this.set.vectorOf(this.id))
      this.newerLife ??= this.incarnationNow;
    const { agreeing, diverging } = compare(own.summaries, peer.digest, (replica) => this.counts(replica));
    peer.agrees = agreeing;
    if (agreeing) peer.agreedAt = now;
    if (!diverging) return;
    peer.diverges = true;
    this.counters.divergences++;
    this.notice(
      "divergence",
      "error",
      `${peer.id} has seen the same events and holds another state: comparing all`,
      { replica: peer.id },
    );
  }

  private ownDigest(): { summaries: Map<ReplicaId, OriginSummary>; hash: number } {
    if (this.digest === undefined) {
      const summaries = summarize(this.set, (replica) => this.counts(replica));
      const byReplica = new Map(summaries.map((summary) => [summary.replica, summary]));
      this.digest = { summaries: byReplica, hash: digestHash(summaries) };
    }
    return this.digest;
  }

  private counts(replica: ReplicaId): boolean {
    return replica === this.id || this.membership.follows(replica);
  }

  /** The set has changed, or whose part of it counts. */
  private touch(): void {
    this.digest = undefined;
  }

  // Sync.

  private serve(peer: Peer, pull: PullMessage): void {
    this.flush();
    this.counters.pullsServed++;
    if (this.giver.serve(peer.id, pull)) this.outbox.wake(0);
  }

  private synchronize(peer: Peer, message: SyncMessage, now: Millis): void {
    const before = Math.floor(this.puller.entriesReceived / PROGRESS_STEP);
    this.touch();
    this.puller.receive(peer.id, message, now);
    if (Math.floor(this.puller.entriesReceived / PROGRESS_STEP) > before) {
      const entries = this.puller.entriesReceived;
      this.notice("sync-progress", "info", `${entries} entries received so far from ${peer.id}`, {
        replica: peer.id,
        entries,
      });
    }
  }

  private noteCatchingUp(): void {
    for (const peer of this.peers.values()) {
      if (peer.caughtUp || peer.digest === undefined || !this.puller.hasCaughtUpWith(peer)) continue;
      peer.caughtUp = true;
      this.notice("synced", "debug", `caught up with ${peer.id}`, { replica: peer.id });
    }
  }

  // Coming, going and being superseded.

  private farewell(from: Peer, message: LeaveMessage, now: Millis): void {
    if (message.replica === this.id || !this.membership.left(message.replica, message.handoffMs, now)) return;
    this.touch();
    if (this.membership.get(message.replica)?.status === "leaving") this.leaving.add(message.replica);
    const others = [...this.peers.keys()].filter((peer) => peer !== from.id && peer !== message.replica);
    this.outbox.send(others, message);
  }

  private turnAway(id: ReplicaId): void {
    const own = id.startsWith(`${this.name}@`);
    const newest = Math.max(
      own ? this.incarnationNow : 0,
      this.membership.newestOf(id.slice(0, id.lastIndexOf("@"))),
    );
    this.outbox.send([id], { type: "incarnation", newest });
    this.outbox.refuse(id, "STALE_INCARNATION", `incarnation ${newest} of this node is known`);
  }

  /**
   * Our name is in use with a newer incarnation. Just after the start that is our own earlier life, and a clock that
   * went back: take a newer one. Later it is another process that has taken over the name, and keeps it.
   */
  private yieldTo(newest: number, now: Millis): void {
    this.newerLife = undefined;
    if (this.silent) return;
    const young = this.startedAt === undefined || now - this.startedAt < 2 * this.settings.downAfterMs;
    if (young && this.reincarnations < REINCARNATIONS_MAX) {
      this.reincarnations++;
      this.reincarnate(newest + 1);
      return;
    }
    this.silent = true;
    this.counters.nameConflicts++;
    const message = `another process has taken over the name ${this.name} with incarnation ${newest}: this one leaves the cluster`;
    this.notice("name-conflict", "error", message, { replica: this.id, newest });
    this.outbox.superseded(newest);
  }

  private reincarnate(incarnation: number): void {
    const before = this.id;
    this.set.takeDelta();
    const { vector, live, pending, entries } = this.set.snapshot();
    this.incarnationNow = incarnation;
    this.set = this.newSet(replicaId(this.name, incarnation));
    this.membership.rename(this.id);
    const others = new Map(vector);
    others.delete(before);
    this.change(() => {
      this.set.merge({
        vector: others,
        live,
        pending: pending.filter(({ origin }) => origin !== before),
        entries: entries.filter(({ origin }) => origin !== before),
      });
      this.locals.moveTo(this.set);
    });
    this.puller = this.newPuller();
    this.giver = this.newGiver();
    this.notice(
      "reincarnated",
      "warn",
      `${before} goes on as ${this.id}: its name is known with a newer incarnation`,
      { replica: this.id },
    );
    this.outbox.renamed(this.id);
  }

  private forget(replica: ReplicaId, reason: LeaveReason): void {
    this.leaving.delete(replica);
    this.touch();
    this.counters.evictions++;
    for (const entry of this.set.evict(replica).values()) this.roster.hide(entry, reason);
  }

  private showAll(replica: ReplicaId): void {
    for (const entry of this.set.entriesOf(replica).values()) this.present(entry);
  }

  private hideAll(replica: ReplicaId): void {
    for (const entry of this.set.entriesOf(replica).values()) this.roster.hide(entry, "lost");
  }

  // Changes of the set, and what they mean for readers.

  private newSet(id: ReplicaId): ObservedRemoveSet<Entry> {
    const listener = {
      inserted: (entry: Entry, origin: ReplicaId) => {
        if (origin === id || this.membership.get(origin)?.counted) this.present(entry);
      },
      deleted: (entry: Entry, origin: ReplicaId, _number: EventNumber, by: ReplicaId | undefined) => {
        const removed = (by !== undefined && by !== origin) || (this.removing && by === id);
        this.roster.hide(entry, removed ? "removed" : "left");
        if (origin !== id) return;
        // Only a remove event takes an entry from a live session: what a full state dropped comes back.
        if (by === undefined) this.dropped.push(entry);
        else if (removed) this.kicked.push(entry);
        else this.locals.forget(entry);
      },
    };
    return new ObservedRemoveSet<Entry>(id, listener, { logSizeMax: this.settings.logSizeMax });
  }

  /** Shows an entry; in the place of one of a leaving replica with the same topic and key, if there is any. */
  private present(entry: Entry): void {
    if (entry.shown) return;
    if (this.leaving.size > 0 && !this.leaving.has(entry.replica)) {
      const before = this.roster.find(entry.topic, entry.key, (other) => this.leaving.has(other.replica));
      if (before !== undefined) {
        this.roster.replace(before, entry);
        return;
      }
    }
    this.roster.show(entry);
  }

  private change<T>(work: () => T): T {
    this.roster.begin();
    try {
      return work();
    } finally {
      for (const entry of this.dropped.splice(0)) {
        this.counters.readded++;
        this.notice("readded", "warn", "a full exchange dropped a live session's entry: added again", {
          ref: entry.ref,
        });
        this.locals.readd(entry);
      }
      const kicked = this.kicked.splice(0);
      this.roster.end();
      for (const entry of kicked) this.tellKicked(entry);
    }
  }

  private tellKicked(entry: Entry): void {
    this.locals.forget(entry);
    try {
      entry.session?.tellRemoved(entry);
    } catch (error) {
      this.listenerFailed(error, { ref: entry.ref });
    }
  }

  private changed(bytes: number): void {
    this.touch();
    this.openBytes += bytes;
    if (this.openBytes >= this.settings.frameBytesTarget || this.set.openSize >= OPEN_CHANGES_MAX)
      this.flush();
    else if (!this.flushWanted) {
      this.flushWanted = true;
      this.outbox.wake(this.settings.flushIntervalMs);
    }
  }

  /** Sends the local changes to every peer that keeps up; the others pull them later. */
  private flush(): void {
    this.flushWanted = false;
    this.openBytes = 0;
    const delta = this.set.takeDelta();
    if (delta === undefined || this.silent) return;
    this.touch();
    this.counters.deltasMade++;
    const ready: ReplicaId[] = [];
    for (const peer of this.peers.keys()) {
      if (this.outbox.congested(peer)) this.counters.pushesSkipped++;
      else ready.push(peer);
    }
    if (ready.length > 0) this.outbox.send(ready, { type: "delta", delta });
  }

  private newPuller(): Puller {
    return new Puller(this.set, this.settings, {
      send: (peer, message) => {
        this.counters.pullsSent++;
        this.outbox.send([peer], message);
        this.outbox.wake(this.settings.pullTimeoutMs);
      },
      knows: (replica) => this.membership.knows(replica),
      linked: (replica) => this.peers.has(replica),
      timedOut: (peer) => {
        this.counters.pullTimeouts++;
        this.notice("pull-timeout", "warn", `${peer} did not answer a pull in time: asking another peer`, {
          replica: peer,
        });
        this.askLast(peer);
        this.pullWanted = true;
      },
      merged: (peer, complete) => {
        this.counters.fullSyncs++;
        if (!complete)
          this.notice("sync-progress", "warn", `the state from ${peer} was incomplete: asking again`, {
            replica: peer,
          });
      },
      finished: () => {
        this.pullWanted = true;
        this.noteCatchingUp();
      },
    });
  }

  private newGiver(): Giver {
    return new Giver(this.set, this.settings, {
      send: (peer, message) => {
        this.counters.syncFramesSent++;
        this.outbox.send([peer], message);
      },
      congested: (peer) => this.outbox.congested(peer),
    });
  }

  /** Peers are asked in the order of this map. */
  private askLast(id: ReplicaId): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    this.peers.delete(id);
    this.peers.set(id, peer);
  }

  private listenerFailed(error: unknown, facts: Record<string, unknown>): void {
    this.counters.listenerErrors++;
    this.notice("listener-error", "error", "a listener threw an error", { ...facts, error });
  }

  private notice(
    type: NoticeType,
    level: "debug" | "info" | "warn" | "error",
    message: string,
    facts: Record<string, unknown>,
  ): void {
    this.outbox.notice({ type, level, message, ...facts });
  }
}
