/**
 * One life of a node: what it knows of who is present, and what it does about what it does not know yet.
 *
 * Sans-I/O: messages and the time come in, messages and diffs go out. The same calls with the same times give the same
 * outputs on every machine, so one implementation runs in production and in the simulator.
 */
import { nameOf, type ReplicaId, replicaId } from "@presently/crdt";
import { checkFunction, checkOptions, checkString, stringsIn } from "./arguments.ts";
import { Content } from "./content.ts";
import { type Counters, newCounters } from "./counters.ts";
import type { Entry } from "./entry.ts";
import { Flusher } from "./flusher.ts";
import { Followers, type ReplicaListener } from "./followers.ts";
import { Goodbyes } from "./goodbyes.ts";
import { Gossip } from "./gossip.ts";
import { Inbox } from "./inbox.ts";
import { Life } from "./life.ts";
import type { Placed } from "./local-presences.ts";
import type { Marks } from "./marks.ts";
import { Membership } from "./membership.ts";
import type { Message } from "./messages.ts";
import type { MessageListener } from "./messaging/channels.ts";
import { type BroadcastOptions, Messenger } from "./messaging/messenger.ts";
import { type ReplicaOptions, type ReplicaSettings, resolveReplicaOptions } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";
import type { Peer } from "./peer.ts";
import { Peers } from "./peers.ts";
import type { PeopleListener } from "./people.ts";
import type { People, PeopleOptions } from "./people-watches.ts";
import type {
  CountListener,
  Presence,
  ReplicaReport,
  ReplicaStatus,
  SyncProgress,
  TopicCount,
  TopicSummary,
  Watcher,
} from "./presence.ts";
import { reportOn, reportOnSelf } from "./report.ts";
import type { AnySession, SessionOptions } from "./session.ts";
import type { StateView } from "./state-view.ts";
import { Sync } from "./sync.ts";
import type { TopicsListener } from "./topic-list-watches.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** One life of a node. Whoever runs it hands in messages and the time (monotonic milliseconds), and does what its outbox asks. */
export class Replica {
  readonly settings: ReplicaSettings;
  /** Monotone counts of what happened, for metrics. */
  readonly counters: Counters = newCounters();
  private readonly outbox: Outbox;
  private readonly content: Content;
  private readonly membership: Membership;
  private readonly peers: Peers;
  private readonly life: Life;
  private readonly gossip: Gossip;
  /** Messages of the application: `broadcast`, `send`, `request` and who listens to them. */
  readonly messenger: Messenger;
  private readonly followers: Followers;
  private readonly flusher: Flusher;
  private readonly sync: Sync;
  private readonly goodbyes: Goodbyes;
  private readonly inbox: Inbox;
  private wakeAt: Millis = NEVER;

  /**
   * @throws {InvalidArgumentError} for an option that cannot be used
   * @throws {ConfigurationError} for options that contradict each other
   */
  constructor(options: ReplicaOptions, outbox: Outbox) {
    const settings = resolveReplicaOptions(options);
    const { counters } = this;
    this.settings = settings;
    this.outbox = outbox;
    const content = new Content(replicaId(settings.name, settings.incarnation), settings, counters, {
      counted: (replica) => this.membership.get(replica)?.counted ?? false,
      changed: (bytes) => {
        this.gossip.touch();
        this.flusher.changed(bytes);
      },
      wake: () => outbox.wake(0),
      notice: (notice) => outbox.notice(notice),
    });
    const membership = new Membership(content.set.replica, settings, {
      shown: (replica) => content.show(replica),
      hidden: (replica) => content.hide(replica),
      evicted: (replica, reason) => {
        counters.evictions++;
        content.forget(replica, reason);
        this.gossip.touch();
      },
      evictionForgotten: (replica) => content.set.readmit(replica),
      probe: (voters, replica) => outbox.send(voters, { type: "probe", replica }),
      redial: (replica) => outbox.redial(replica),
      newerSelf: (incarnation) => this.life.hearOf(incarnation),
      changed: (replica) => this.followers.note(replica),
      notice: (notice) => outbox.notice(notice),
    });
    const peers = new Peers(outbox);
    const life = new Life(membership, settings, counters, outbox, (id, handsOff) =>
      this.goOnAs(id, handsOff),
    );
    this.followers = new Followers(
      (replica) => ({
        replica,
        status: membership.get(replica)?.status ?? "gone",
        linked: peers.has(replica),
      }),
      (error) => content.listenerFailed(error, {}),
    );
    this.messenger = new Messenger(settings, counters, {
      self: () => this.id,
      flush: () => this.flusher.flush(),
      readyPeers: (isWanted) => peers.ready(isWanted),
      isLinked: (peer) => peers.has(peer),
      isMember: (replica) => membership.knows(replica),
      isOver: () => life.over,
      congested: (peer) => outbox.congested(peer),
      interestsChanged: () => this.flusher.want(),
      send: (to, message) => outbox.send(to, message),
      sendFrame: (to, frame) => outbox.sendFrame(to, frame),
      wake: (delayMs) => outbox.wake(delayMs),
      failed: (error, channel) => content.listenerFailed(error, { channel }),
    });
    this.followers.listen((change) => this.messenger.replicaChanged(change));
    this.gossip = new Gossip(content, membership, settings, (to, message) => outbox.send(to, message));
    this.flusher = new Flusher(content, this.messenger, peers, life, settings, counters, outbox);
    this.sync = new Sync(content, membership, this.gossip, peers, this.flusher, settings, counters, outbox);
    this.goodbyes = new Goodbyes(content, membership, this.gossip, peers, outbox);
    this.inbox = new Inbox(content, membership, this.sync, this.goodbyes, this.messenger, life, outbox);
    this.content = content;
    this.membership = membership;
    this.peers = peers;
    this.life = life;
  }

  /** `name@incarnation`. */
  get id(): ReplicaId {
    return this.content.set.replica;
  }

  get name(): string {
    return this.settings.name;
  }

  get incarnation(): number {
    return this.life.incarnation;
  }

  // Presence.

  /**
   * Opens a session, the local owner of presences.
   *
   * @throws {LimitError} beyond `sessionsMax`; those that have dropped and still linger count
   * @throws {InvalidArgumentError} for an option that cannot be used
   */
  session(options?: SessionOptions): AnySession {
    return this.content.locals.open(options);
  }

  /** Who is present on a topic, key by key. From local memory. Cost: O(answer). */
  list(topic: string): readonly Presence[] {
    checkString("topic", topic);
    return this.content.roster.list(topic);
  }

  /** The presences of one key on a topic. Cost: O(answer). */
  get(topic: string, key: string): readonly Presence[] {
    checkString("topic", topic);
    checkString("key", key);
    return this.content.roster.get(topic, key);
  }

  /**
   * As `list`, as they are now, with presences that are made as they are read.
   * @internal For those who read many a few at a time.
   */
  read(topic: string): Iterable<Presence> {
    return this.content.roster.read(topic);
  }

  /**
   * As `topics`, one by one and in no order; nothing may change while it is read.
   * @internal For those who need few of very many.
   */
  readTopics(prefix = ""): Iterable<TopicSummary> {
    return this.content.roster.readTopics(prefix);
  }

  /** Cost: O(1). */
  count(topic: string): TopicCount {
    checkString("topic", topic);
    return this.content.roster.count(topic);
  }

  /** Topics on which somebody is present, in code unit order. Cost: O(topics). */
  topics(prefix = ""): readonly TopicSummary[] {
    checkString("prefix", prefix);
    return this.content.roster.summaries(prefix);
  }

  /** On which topics these keys are present; keys that are nowhere are left out. Cost: O(keys + answer). */
  where(keys: Iterable<string>): Map<string, readonly string[]> {
    return this.content.roster.where(stringsIn("keys", keys));
  }

  /**
   * Tells `watcher` the state of a topic at once, then every diff, exactly once and in order, while the call that makes
   * the change runs. State plus diffs is `list(topic)` at any time. Returns a function that ends it.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watch(topic: string, watcher: Watcher): () => void {
    checkString("topic", topic);
    checkFunction("watcher", watcher);
    return this.content.roster.watch(topic, watcher);
  }

  /**
   * Tells `listener` how many are on a topic, at once and whenever that has changed, at most every `countIntervalMs`, and
   * the newest count in the end; returns a function that ends it. Costs O(1) a change, whatever the size of the topic.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watchCount(topic: string, listener: CountListener): () => void {
    checkString("topic", topic);
    checkFunction("listener", listener);
    return this.content.roster.watchCount(topic, listener);
  }

  /**
   * As `watch`, of people: a key is there while it has an entry, and for `graceMs` after one was lost with its node. Tells
   * who comes first and goes last, and what changes of those who stay.
   *
   * @param options.graceMs how long a node's crash does not show; default 0
   * @throws {InvalidArgumentError} for a grace that is no number of milliseconds
   * @throws {LimitError} beyond `watchersMax`
   */
  watchPeople(topic: string, options: PeopleOptions, listener: PeopleListener): People {
    checkString("topic", topic);
    checkOptions(options, ["graceMs"]);
    checkFunction("listener", listener);
    return this.content.people.watch(topic, options, listener);
  }

  /**
   * Tells `listener` the topics that begin with `prefix` and have somebody on them, then those that appear and vanish.
   * Returns a function that ends it.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watchTopics(prefix: string, listener: TopicsListener): () => void {
    checkString("prefix", prefix);
    checkFunction("listener", listener);
    return this.content.roster.watchTopics(prefix, listener);
  }

  /** Makes all changes of `work` one diff, and one delta as far as frames allow. Returns what `work` returns. */
  batch<T>(work: () => T): T {
    checkFunction("work", work);
    return this.content.change(work);
  }

  /** Removes every entry of `key` on `topic` that is seen here, whoever holds it; answers how many. Its sessions are told. */
  remove(topic: string, key: string): number {
    checkString("topic", topic);
    checkString("key", key);
    return this.content.remove(topic, key);
  }

  /** @internal The presences that are marked as callers' own. */
  get marks(): Marks<Entry> {
    return this.content.marks;
  }

  /** @internal Tracks a marked presence in the place of `before`, and takes `others` away, as one change. */
  place(session: AnySession, placed: Placed, before: Entry | undefined, others: readonly Entry[]): Entry {
    return this.content.change(() => this.content.locals.place(session, placed, before, others));
  }

  /** @internal Tracks what stands in for a marked presence whose node is gone; `leaving` is that one while it is seen. */
  standIn(session: AnySession, placed: Placed, leaving: Entry | undefined): Entry {
    return this.content.change(() => this.content.locals.standIn(session, placed, leaving));
  }

  /** @internal Removes these marked presences, whoever holds them; answers how many there were. */
  removeMarked(entries: Iterable<Entry>): number {
    return this.content.removeEntries(entries);
  }

  /** @internal What it believes of a replica; `gone` of one that it does not know. */
  statusOf(replica: ReplicaId): ReplicaStatus | "gone" {
    return replica === this.id ? "self" : (this.membership.get(replica)?.status ?? "gone");
  }

  /** @internal Itself and those that are up. */
  *upReplicas(): Generator<ReplicaId> {
    yield this.id;
    for (const { id, status } of this.membership.all()) if (status === "up") yield id;
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
    checkString("replica", replica);
    const known = this.content.change(() => this.membership.evictNow(replica));
    this.followers.tell();
    return known;
  }

  /**
   * Calls `listener` whenever another replica is seen to come, to be doubted, to go or to return, or when our link with
   * it changes, after the presences of that change; until the returned function is called.
   */
  onReplica(listener: ReplicaListener): () => void {
    checkFunction("listener", listener);
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
    return this.sync.progress;
  }

  /** Whether it has caught up with every peer that it has a link with. */
  get synced(): boolean {
    return this.peers.caughtUp;
  }

  /** Says goodbye: peers drop this replica's entries after `handoffMs`, in which the same keys may appear elsewhere. */
  leave(handoffMs: number): void {
    if (this.life.over) return;
    this.sayGoodbye(handoffMs);
    this.life.end();
    this.messenger.close();
  }

  private sayGoodbye(handoffMs: number): void {
    this.flusher.flush();
    this.outbox.send(this.peers.ids(), { type: "leave", replica: this.id, handoffMs });
  }

  // The transport and the clock.

  /** A link with a peer is open. */
  peerUp(id: ReplicaId, now: Millis): void {
    this.input(now, () => {
      if (nameOf(id) === this.name) {
        this.life.meet(id, now);
        return;
      }
      const peer = this.peers.add(id);
      const welcome = this.membership.linked(id, now);
      this.noteLink(id, "peer-linked", `linked with ${id}`);
      if (this.life.over) return;
      if (welcome) {
        this.goodbyes.tellNewcomer(peer, now);
        this.beat(peer, now);
      } else this.life.turnAway(id);
      this.messenger.peerUp(id);
      this.flusher.tellAllLingering(id);
    });
  }

  /** The link with a peer is gone. */
  peerDown(id: ReplicaId, now: Millis): void {
    this.life.part(id);
    if (!this.peers.delete(id)) return;
    this.input(now, () => {
      this.sync.lost(id);
      this.messenger.peerDown(id);
      this.noteLink(id, "peer-unlinked", `lost the link with ${id}`);
      this.membership.unlinked(id, now);
    });
  }

  /** A peer could not be reached. */
  unreachable(id: ReplicaId, now: Millis): void {
    this.input(now, () => this.membership.unreachable(id, now));
  }

  /** Somebody knows our name with this incarnation, which may be another process, our earlier life, or a lie. */
  newerLifeSeen(incarnation: number, now: Millis): void {
    if (incarnation >= this.incarnation) this.input(now, () => this.life.hearOf(incarnation));
  }

  /** A congested link has room again: what it was not sent meanwhile shows in our digest. */
  drained(id: ReplicaId, now: Millis): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    this.input(now, () => {
      if (this.life.over) return;
      this.beat(peer, now);
      this.messenger.drained();
      this.flusher.tellAllLingering(id);
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
    if (this.life.over) return;
    this.input(now, () => {
      if (peer === undefined) this.life.hear(from, message, now);
      else this.inbox.receive(peer, message, now);
    });
  }

  /** Does what time has made due; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    this.life.start(now);
    this.input(now, () => this.flusher.tick(now));
    this.wakeAt = this.life.over ? NEVER : this.due(now);
    return this.wakeAt;
  }

  /** When something falls due that inputs since the last `tick` have brought about. */
  get nextDeadline(): Millis {
    return this.life.over ? NEVER : this.membership.nextDeadline;
  }

  private due(now: Millis): Millis {
    let next = NEVER;
    this.input(now, () => {
      // A digest claims nothing that was not sent: who hears of it would pull what is on its way.
      if (this.gossip.isDue(now)) this.flusher.flush();
      next = Math.min(
        this.gossip.tick(this.peers.all(), now),
        this.membership.tick(now),
        this.sync.tick(now),
        this.content.tick(now),
        this.messenger.tick(now),
        this.life.nextDeadline,
      );
    });
    if (this.sync.give()) return now;
    return Math.min(next, this.flusher.dueAt);
  }

  /** Every input runs as one change; what it brought about is settled before its diffs go out. */
  private input(now: Millis, work: () => void): void {
    const stalledMs = now - this.wakeAt;
    if (stalledMs > this.settings.heartbeatIntervalMs / 2) this.noteStall(stalledMs, now);
    this.content.change(() => {
      work();
      this.membership.settleReturns((replica) => this.sync.hasCaughtUpOn(replica));
    });
    const answered = this.sync.takeAnswered();
    if (answered !== undefined) this.beat(answered, now);
    this.life.settle(now);
    this.followers.tell();
    if (!this.life.over) this.sync.pullIfWanted(now);
  }

  private noteStall(stalledMs: Millis, now: Millis): void {
    this.counters.stalls++;
    const message = `this process stood still for ${Math.round(stalledMs)} ms`;
    this.outbox.notice({ type: "stalled", level: "warn", message, replica: this.id });
    this.membership.stalled(now);
    this.wakeAt = now;
  }

  private noteLink(id: ReplicaId, type: "peer-linked" | "peer-unlinked", message: string): void {
    this.outbox.notice({ type, level: "debug", message, replica: id });
    this.followers.note(id);
  }

  /** Tells a peer where we are, at once. */
  private beat(peer: Peer, now: Millis): void {
    if (this.life.over) return;
    this.flusher.flush();
    this.gossip.beat([peer], now);
  }

  /** What the others know of the old id stays until it shows under the new one: for their watchers an update. */
  private goOnAs(id: ReplicaId, handsOff: boolean): void {
    if (handsOff) this.sayGoodbye(this.settings.downAfterMs);
    this.content.rename(id);
    this.membership.rename(id);
    this.gossip.touch();
    this.sync.restart();
  }
}
