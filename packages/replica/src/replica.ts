/**
 * One life of a node: what it knows of who is present, and what it does about what it does not know yet.
 *
 * Sans-I/O: messages and the time come in, messages and diffs go out. The same calls with the same times give the same
 * outputs on every machine, so one implementation runs in production and in the simulator.
 */
import { type EventNumber, incarnationOf, nameOf, type ReplicaId, replicaId } from "@presently/crdt";
import type { MessageListener } from "./channels.ts";
import { Content } from "./content.ts";
import { type Counters, newCounters } from "./counters.ts";
import { Followers, type ReplicaListener } from "./followers.ts";
import { Giver } from "./giver.ts";
import { Gossip } from "./gossip.ts";
import { Membership } from "./membership.ts";
import type {
  DeltaMessage,
  HeartbeatMessage,
  LeaveMessage,
  Message,
  PullMessage,
  SyncMessage,
} from "./messages.ts";
import { type BroadcastOptions, Messenger } from "./messenger.ts";
import type { Notice } from "./notice.ts";
import { type ReplicaOptions, type ReplicaSettings, resolveReplicaOptions } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";
import { Peer } from "./peer.ts";
import type {
  CountListener,
  Presence,
  ReplicaReport,
  SyncProgress,
  TopicCount,
  TopicSummary,
  Watcher,
} from "./presence.ts";
import { Puller } from "./puller.ts";
import { checkRemovals } from "./removal-bounds.ts";
import { reportOn, reportOnSelf } from "./report.ts";
import type { Session, SessionOptions } from "./session.ts";
import type { StateView } from "./state-view.ts";

/** Local changes that are sent without waiting for the flush interval, to keep frames small. */
const OPEN_CHANGES_MAX = 1_000;
/** Lingering entries that one message names. */
const LINGERING_PER_FRAME = 8_000;
/** Entries of a full sync between two progress notices. */
const PROGRESS_STEP = 50_000;
/** Two processes that start under one name at once must not outbid each other for ever. */
const REINCARNATIONS_MAX = 3;
/** By how much a new life is newer than the newest that was heard of, at most: milliseconds, where that is what it counts. */
const INCARNATION_STEP = 1_000;
const NEVER = Number.POSITIVE_INFINITY;
/** What counts though nobody knows its sender at the moment: it is said once on a link, or proves life. */
const ALWAYS_HEARD: ReadonlySet<Message["type"]> = new Set(["heartbeat", "interest", "interest-ack"]);

/** One life of a node. Whoever runs it hands in messages and the time (monotonic milliseconds), and does what its outbox asks. */
export class Replica {
  readonly settings: ReplicaSettings;
  /** Monotone counts of what happened, for metrics. */
  readonly counters: Counters = newCounters();
  private readonly outbox: Outbox;
  private readonly content: Content;
  private readonly membership: Membership;
  private readonly gossip: Gossip;
  /** Messages of the application: `broadcast`, `send`, `request` and who listens to them. */
  readonly messenger: Messenger;
  private readonly followers: Followers;
  private puller: Puller;
  private giver: Giver;
  private readonly peers = new Map<ReplicaId, Peer>();
  private incarnationNow: number;
  private reincarnations = 0;
  /** A newer life of our own name that was heard of. */
  private newerLife: number | undefined = undefined;
  private startedAt: Millis | undefined = undefined;
  private wakeAt: Millis = NEVER;
  private flushWanted = false;
  /** By then the flush interval since the last one is over. */
  private nextFlushAt: Millis = Number.NEGATIVE_INFINITY;
  /** Of the local changes that wait, at a guess. */
  private openBytes = 0;
  /** Who has just answered a pull to the end, or agrees and does not know it: it is told at once where we are. */
  private answered: ReplicaId | undefined = undefined;
  /** Something has happened that may call for a pull. */
  private pullWanted = false;
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
    this.content = new Content(
      replicaId(this.settings.name, this.incarnationNow),
      this.settings,
      this.counters,
      {
        counted: (replica) => this.membership.get(replica)?.counted ?? false,
        changed: (bytes) => this.changed(bytes),
        wake: () => outbox.wake(0),
        notice: (notice) => outbox.notice(notice),
      },
    );
    this.membership = new Membership(this.id, this.settings, {
      shown: (replica) => this.content.show(replica),
      hidden: (replica) => this.content.hide(replica),
      evicted: (replica, reason) => {
        this.counters.evictions++;
        this.content.forget(replica, reason);
        this.gossip.touch();
      },
      evictionForgotten: (replica) => this.content.set.readmit(replica),
      probe: (peers, replica) => outbox.send(peers, { type: "probe", replica }),
      redial: (replica) => outbox.redial(replica),
      newerSelf: (incarnation) => this.hearOfNewerLife(incarnation),
      changed: (replica) => this.followers.note(replica),
      notice: (notice) => outbox.notice(notice),
    });
    this.followers = new Followers(
      (replica) => ({
        replica,
        status: this.membership.get(replica)?.status ?? "gone",
        linked: this.peers.has(replica),
      }),
      (error) => this.content.listenerFailed(error, {}),
    );
    this.messenger = new Messenger(this.settings, this.counters, {
      self: () => this.id,
      flush: () => this.flush(),
      readyPeers: (isWanted) => (this.silent ? { ready: [], skipped: 0 } : this.readyPeers(isWanted)),
      congested: (peer) => outbox.congested(peer),
      interestsChanged: () => this.wantFlush(),
      isReady: (peer) => !this.silent && this.peers.has(peer) && !outbox.congested(peer),
      send: (peers, message) => outbox.send(peers, message),
      wake: (delayMs) => outbox.wake(delayMs),
      failed: (error, channel) => this.content.listenerFailed(error, { channel }),
    });
    this.gossip = new Gossip(this.content, this.membership, this.settings, (peers, message) =>
      outbox.send(peers, message),
    );
    this.puller = this.newPuller();
    this.giver = this.newGiver();
  }

  /** `name@incarnation`. */
  get id(): ReplicaId {
    return this.content.set.replica;
  }

  get name(): string {
    return this.settings.name;
  }

  get incarnation(): number {
    return this.incarnationNow;
  }

  // Presence.

  /**
   * Opens a session, the local owner of presences.
   *
   * @throws {LimitError} beyond `sessionsMax`; those that have dropped and still linger count
   * @throws {InvalidArgumentError} for an option that cannot be used
   */
  session(options?: SessionOptions): Session {
    return this.content.locals.open(options);
  }

  /** Who is present on a topic, key by key. From local memory. Cost: O(answer). */
  list(topic: string): readonly Presence[] {
    return this.content.roster.list(topic);
  }

  /** The presences of one key on a topic. Cost: O(answer). */
  get(topic: string, key: string): readonly Presence[] {
    return this.content.roster.get(topic, key);
  }

  /** Cost: O(1). */
  count(topic: string): TopicCount {
    return this.content.roster.count(topic);
  }

  /** Topics on which somebody is present, in code unit order. Cost: O(topics). */
  topics(prefix = ""): readonly TopicSummary[] {
    return this.content.roster.summaries(prefix);
  }

  /** On which topics these keys are present; keys that are nowhere are left out. Cost: O(keys + answer). */
  where(keys: Iterable<string>): Map<string, readonly string[]> {
    const found = new Map<string, readonly string[]>();
    for (const key of keys) {
      const topics = this.content.roster.topicsOf(key);
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
    return this.content.roster.watch(topic, watcher);
  }

  /**
   * Tells `listener` how many are on a topic, at once and whenever that has changed, at most every `countIntervalMs`, and
   * the newest count in the end; returns a function that ends it. Costs O(1) a change, whatever the size of the topic.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watchCount(topic: string, listener: CountListener): () => void {
    return this.content.roster.watchCount(topic, listener);
  }

  /** Makes all changes of `work` one diff, and one delta as far as frames allow. Returns what `work` returns. */
  batch<T>(work: () => T): T {
    return this.content.change(work);
  }

  /** Removes every entry of `key` on `topic` that is seen here, whoever holds it; answers how many. Its sessions are told. */
  remove(topic: string, key: string): number {
    return this.content.remove(topic, key);
  }

  /** As `messenger.broadcast`. */
  broadcast(channel: string, payload: unknown, options?: BroadcastOptions): void {
    this.messenger.broadcast(channel, payload, options);
  }

  /** As `messenger.onBroadcast`. */
  onBroadcast(channel: string, listener: MessageListener): () => void {
    return this.messenger.onBroadcast(channel, listener);
  }

  // Operating.

  /** Forgets a replica at once, with its entries; answers whether it was known. One that is alive returns by itself. */
  evict(replica: ReplicaId): boolean {
    const known = this.content.change(() => this.membership.evictNow(replica));
    this.followers.tell();
    return known;
  }

  /**
   * Calls `listener` whenever another replica is seen to come, to be doubted, to go or to return, or when our link with
   * it changes, after the presences of that change; until the returned function is called.
   */
  onReplica(listener: ReplicaListener): () => void {
    return this.followers.listen(listener);
  }

  /** The state that is replicated, as it is: for checkers that compare replicas. Not to be kept across changes. */
  get state(): StateView {
    return this.content.set;
  }

  /** What this replica believes of itself and every other, itself first. Cost: O(replicas). */
  cluster(now: Millis): readonly ReplicaReport[] {
    const { set } = this.content;
    const reports = [reportOnSelf(set)];
    for (const member of this.membership.all())
      reports.push(reportOn(member, set, this.peers.get(member.id), now));
    return reports;
  }

  /** How far the full state is that is on its way here; undefined if none is. What a log can tell comes without. */
  get syncProgress(): SyncProgress | undefined {
    return this.puller.progress;
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
    this.messenger.close();
  }

  // The transport and the clock.

  /** A link with a peer is open. */
  peerUp(id: ReplicaId, now: Millis): void {
    this.input(now, () => {
      const peer = new Peer(id);
      this.peers.set(id, peer);
      const welcome = this.membership.linked(id, now);
      this.say("peer-linked", "debug", `linked with ${id}`, id);
      this.followers.note(id);
      if (this.silent) return;
      if (!welcome) this.turnAway(id);
      else this.greet(peer, now);
      this.messenger.peerUp(id);
      this.tellLingering([id], this.content.locals.lingeringNumbers());
    });
  }

  /** Who comes during a hand-off must know of it before it is given what the leaver left. */
  private greet(peer: Peer, now: Millis): void {
    for (const { replica, handoffMs } of this.membership.leaving(now))
      if (replica !== peer.id) this.outbox.send([peer.id], { type: "leave", replica, handoffMs });
    this.beat([peer], now);
  }

  /** The link with a peer is gone. */
  peerDown(id: ReplicaId, now: Millis): void {
    if (!this.peers.delete(id)) return;
    this.input(now, () => {
      this.puller.abandon(id);
      this.giver.stop(id);
      this.messenger.peerDown(id);
      this.followers.note(id);
      this.pullWanted = true;
      this.say("peer-unlinked", "debug", `lost the link with ${id}`, id);
      this.membership.unlinked(id, now);
    });
  }

  /** A peer could not be reached. */
  unreachable(id: ReplicaId, now: Millis): void {
    this.input(now, () => this.membership.unreachable(id, now));
  }

  /** A peer refuses us at its door: it knows our name with this incarnation, which is another process, or our earlier life. */
  newerLifeSeen(incarnation: number, now: Millis): void {
    if (incarnation >= this.incarnationNow) this.input(now, () => this.hearOfNewerLife(incarnation));
  }

  /** A congested link has room again: what it was not sent meanwhile shows in our digest. */
  drained(id: ReplicaId, now: Millis): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    this.input(now, () => {
      this.beat([peer], now);
      if (this.silent) return;
      this.messenger.drained();
      this.tellLingering([id], this.content.locals.lingeringNumbers());
    });
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
      if (ALWAYS_HEARD.has(message.type) || this.membership.knows(from)) this.handle(peer, message, now);
    });
  }

  /** Does what time has made due; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    this.startedAt ??= now;
    this.input(now, () => this.flushIfDue(now));
    this.wakeAt = this.silent ? NEVER : this.due(now);
    return this.wakeAt;
  }

  /** When something falls due that inputs since the last `tick` have brought about. */
  get nextDeadline(): Millis {
    return this.silent ? NEVER : this.membership.nextDeadline;
  }

  private due(now: Millis): Millis {
    let next = NEVER;
    this.input(now, () => {
      next = Math.min(
        this.gossip.tick(this.peers.values(), now),
        this.membership.tick(now),
        this.puller.tick(now),
        this.content.tick(now),
        this.messenger.tick(now),
      );
    });
    if (this.giver.pump()) return now;
    return this.flushWanted ? Math.min(next, this.nextFlushAt) : next;
  }

  /** Every input runs as one change; what it brought about is settled before its diffs go out. */
  private input(now: Millis, work: () => void): void {
    const stalledMs = now - this.wakeAt;
    if (stalledMs > this.settings.heartbeatIntervalMs / 2) {
      this.counters.stalls++;
      this.say("stalled", "warn", `this process stood still for ${Math.round(stalledMs)} ms`, this.id);
      this.membership.stalled(now);
      this.wakeAt = now;
    }
    this.content.change(() => {
      work();
      this.membership.settleReturns((replica) => this.hasCaughtUpOn(replica));
    });
    const answered = this.answered === undefined ? undefined : this.peers.get(this.answered);
    this.answered = undefined;
    if (answered !== undefined) this.beat([answered], now);
    if (this.newerLife !== undefined) this.yieldTo(this.newerLife, now);
    this.followers.tell();
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
        this.hear(peer, message, now);
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
      case "linger":
        this.content.linger(peer.id, message.numbers);
        break;
      case "incarnation":
        if (message.newest > this.incarnationNow) this.hearOfNewerLife(message.newest);
        break;
      case "interest":
        this.messenger.interest(peer.id, message);
        break;
      case "interest-ack":
        this.messenger.interestKnown(peer.id, message);
        break;
      case "broadcast":
      case "message":
      case "request":
      case "reply":
        this.messenger.receive(peer.id, message);
        break;
    }
  }

  // Deltas and sync.

  private apply(peer: Peer, { delta }: DeltaMessage, now: Millis): void {
    if (!this.membership.knows(delta.origin)) return;
    checkRemovals(this.content.set, delta.removals, this.settings);
    peer.claim(delta.origin, delta.to);
    this.gossip.touch();
    if (this.content.set.apply(delta) !== "gap") return;
    this.counters.gaps++;
    this.puller.start(peer, now);
  }

  private changed(bytes: number): void {
    this.gossip.touch();
    this.openBytes += bytes;
    if (this.openBytes >= this.settings.frameBytesTarget || this.content.set.openSize >= OPEN_CHANGES_MAX)
      this.flush();
    else this.wantFlush();
  }

  private wantFlush(): void {
    if (this.flushWanted) return;
    this.flushWanted = true;
    this.outbox.wake(0);
  }

  /** What comes after a quiet time goes out with its turn of the event loop; what follows, once in a flush interval. */
  private flushIfDue(now: Millis): void {
    if (now < this.nextFlushAt) return;
    if (this.content.set.openSize > 0 || this.messenger.hasInterestsToTell)
      this.nextFlushAt = now + this.settings.flushIntervalMs;
    this.flush();
  }

  /** Sends the local changes to every peer that keeps up; the others pull them later. */
  private flush(): void {
    this.flushWanted = false;
    this.openBytes = 0;
    if (!this.silent) this.messenger.tellInterests();
    const delta = this.content.set.takeDelta();
    const lingering = this.content.locals.takeUntold();
    if ((delta === undefined && lingering.length === 0) || this.silent) return;
    const { ready, skipped } = this.readyPeers();
    if (delta !== undefined) {
      this.counters.deltasMade++;
      this.counters.pushesSkipped += skipped;
      if (ready.length > 0) this.outbox.send(ready, { type: "delta", delta });
    }
    this.tellLingering(ready, lingering);
  }

  /** A note, and no more: a peer that does not keep up is told when it has drained. */
  private tellLingering(peers: readonly ReplicaId[], numbers: readonly EventNumber[]): void {
    if (peers.length === 0) return;
    for (let start = 0; start < numbers.length; start += LINGERING_PER_FRAME) {
      const part = numbers.slice(start, start + LINGERING_PER_FRAME).sort((one, other) => one - other);
      this.outbox.send(peers, { type: "linger", numbers: part });
    }
  }

  private readyPeers(isWanted = (_: ReplicaId) => true): { ready: ReplicaId[]; skipped: number } {
    const ready: ReplicaId[] = [];
    let wanted = 0;
    for (const peer of this.peers.keys()) {
      if (!isWanted(peer)) continue;
      wanted++;
      if (!this.outbox.congested(peer)) ready.push(peer);
    }
    return { ready, skipped: wanted - ready.length };
  }

  private serve(peer: Peer, pull: PullMessage): void {
    this.flush();
    this.counters.pullsServed++;
    if (this.giver.serve(peer.id, pull)) this.outbox.wake(0);
  }

  private synchronize(peer: Peer, message: SyncMessage, now: Millis): void {
    const steps = Math.floor(this.puller.entriesReceived / PROGRESS_STEP);
    this.gossip.touch();
    this.puller.receive(peer.id, message, now);
    if (Math.floor(this.puller.entriesReceived / PROGRESS_STEP) > steps) {
      const { entriesReceived, entriesExpected } = this.puller.lastProgress!;
      const message = `${entriesReceived} of ${entriesExpected} entries received so far, now from ${peer.id}`;
      this.say("sync-progress", "info", message, peer.id);
    }
  }

  private newPuller(): Puller {
    return new Puller(this.content.set, this.settings, {
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
        this.askLast(peer);
      },
      merged: (peer, complete) => {
        this.counters.fullSyncs++;
        if (!complete)
          this.say("sync-progress", "warn", `the state from ${peer} was incomplete: asking again`, peer);
      },
      finished: (peer) => {
        this.pullWanted = true;
        this.noteCatchingUp();
        // Whether both now agree should not wait for the next heartbeat.
        this.answered = peer;
      },
    });
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

  /** Peers are asked in the order of their map. */
  private askLast(id: ReplicaId): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    this.peers.delete(id);
    this.peers.set(id, peer);
  }

  /** Whether everything that is claimed of a replica is here, by itself if we have a link with it, else by anybody. */
  private hasCaughtUpOn(replica: ReplicaId): boolean {
    const seen = this.content.set.vectorOf(replica);
    const linked = this.peers.has(replica);
    let told = false;
    for (const { id, digest, claims } of this.peers.values()) {
      if ((claims.get(replica) ?? 0) > seen) return false;
      if (linked ? id === replica && digest !== undefined : digest?.has(replica)) told = true;
    }
    return told;
  }

  // Heartbeats.

  private beat(peers: readonly Peer[], now: Millis): void {
    if (this.silent) return;
    this.flush();
    this.gossip.beat(peers, now);
  }

  private hear(peer: Peer, message: HeartbeatMessage, now: Millis): void {
    // A newer life of its name was here while this link was open, and may be gone already: then nobody else tells it.
    if (incarnationOf(peer.id) < this.membership.newestOf(nameOf(peer.id))) {
      this.turnAway(peer.id);
      return;
    }
    const agreedBefore = peer.agrees === true;
    const finding = this.gossip.hear(peer, message, now);
    // In a quiet cluster nobody is asked to look through what all peers claim.
    if (finding === "same") {
      // It came to agree by what it was given or we were: it cannot know yet.
      if (!agreedBefore && this.gossip.isNewsTo(peer)) this.answered = peer.id;
      this.noteCatchingUp();
      return;
    }
    this.pullWanted = true;
    if (finding === "knows-more-of-us") this.hearOfNewerLife(this.incarnationNow);
    this.passGoodbyesOn(peer);
    if (finding === "diverging") {
      peer.diverges = true;
      this.counters.divergences++;
      this.say(
        "divergence",
        "error",
        `${peer.id} has seen the same events and holds another state: comparing all`,
        peer.id,
      );
    }
    this.noteCatchingUp();
  }

  /**
   * Who missed a goodbye would keep that replica in its digests until it is evicted, and for so long could neither agree
   * with anybody nor see that it differs from them.
   */
  private passGoodbyesOn(peer: Peer): void {
    for (const replica of peer.digest?.keys() ?? [])
      if (this.membership.isGone(replica))
        this.outbox.send([peer.id], { type: "leave", replica, handoffMs: 0 });
  }

  private noteCatchingUp(): void {
    for (const peer of this.peers.values()) {
      if (peer.caughtUp || peer.digest === undefined || !this.puller.hasCaughtUpWith(peer)) continue;
      peer.caughtUp = true;
      this.say("synced", "debug", `caught up with ${peer.id}`, peer.id);
    }
  }

  // Coming, going and being superseded.

  private farewell(from: Peer, message: LeaveMessage, now: Millis): void {
    const { replica, handoffMs } = message;
    if (replica === this.id || !this.membership.left(replica, handoffMs, now)) return;
    this.gossip.touch();
    if (this.membership.get(replica)?.status === "leaving") this.content.handOff(replica);
    const others = [...this.peers.keys()].filter((peer) => peer !== from.id && peer !== replica);
    this.outbox.send(others, message);
  }

  private turnAway(id: ReplicaId): void {
    const name = nameOf(id);
    const newest = Math.max(name === this.name ? this.incarnationNow : 0, this.membership.newestOf(name));
    this.outbox.send([id], { type: "incarnation", newest });
    this.outbox.refuse(id, "STALE_INCARNATION", `incarnation ${newest} of this node is known`);
  }

  private hearOfNewerLife(incarnation: number): void {
    this.newerLife = Math.max(incarnation, this.newerLife ?? 0);
  }

  /**
   * Our name is in use with a newer incarnation. Just after the start that is our own earlier life, and a clock that
   * went back: take a newer one. Later it is another process that has taken over the name, and keeps it.
   */
  private yieldTo(newest: number, now: Millis): void {
    this.newerLife = undefined;
    if (this.silent) return;
    const young = this.startedAt === undefined || now - this.startedAt < 2 * this.settings.downAfterMs;
    // Whoever told us may not know of the newest life itself: one that is taken by chance is nobody's yet.
    const next = newest + 1 + Math.floor(this.settings.random() * INCARNATION_STEP);
    // Beyond safe integers there is no next life; nobody would let it in.
    if (young && this.reincarnations < REINCARNATIONS_MAX && Number.isSafeInteger(next)) {
      this.reincarnate(next);
      return;
    }
    this.silent = true;
    this.counters.nameConflicts++;
    const message = `another process has taken over the name ${this.name} with incarnation ${newest}: this one leaves the cluster`;
    this.say("name-conflict", "error", message, this.id);
    this.outbox.superseded(newest);
  }

  private reincarnate(incarnation: number): void {
    const before = this.id;
    this.reincarnations++;
    this.incarnationNow = incarnation;
    this.content.rename(replicaId(this.name, incarnation));
    this.membership.rename(this.id);
    this.gossip.touch();
    this.puller = this.newPuller();
    this.giver = this.newGiver();
    this.say(
      "reincarnated",
      "warn",
      `${before} goes on as ${this.id}: its name is known with a newer incarnation`,
      this.id,
    );
    this.outbox.renamed(this.id);
  }

  private say(type: Notice["type"], level: Notice["level"], message: string, replica: ReplicaId): void {
    this.outbox.notice({ type, level, message, replica });
  }
}
