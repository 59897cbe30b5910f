/**
 * Anti-entropy, the asking side: sees from digests and gaps that something is missing or wrong, pulls it from a peer
 * that has it, and puts a full state together that comes in parts. One pull is under way at a time.
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987.
 */
import type { EventNumber, ObservedRemoveSet, Removal, ReplicaId } from "@presently/crdt";
import { hasAll } from "./digest.ts";
import type { Entry } from "./entry.ts";
import { ProtocolError } from "./errors.ts";
import type { PullMessage, SyncMessage } from "./messages.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis } from "./outbox.ts";
import type { Peer } from "./peer.ts";
import type { SyncProgress } from "./presence.ts";
import { checkRemovals } from "./removal-bounds.ts";

export interface PullerListener {
  send(peer: ReplicaId, message: PullMessage): void;
  /** Whether what is said of this replica's events counts. */
  knows(replica: ReplicaId): boolean;
  /** Whether a link with it is up, so that its deltas come from itself. */
  linked(replica: ReplicaId): boolean;
  /** The peer brought nothing for too long. */
  timedOut(peer: ReplicaId): void;
  /** A full state was merged, or could not be because something that it calls live was not handed over. */
  merged(peer: ReplicaId, complete: boolean): void;
  /** Everything that the pull asked for has come. */
  finished(peer: ReplicaId): void;
}

interface Pull {
  readonly id: number;
  readonly peer: Peer;
  progressAt: Millis;
  /** Full form, until its last part has come. */
  readonly vector: Map<ReplicaId, EventNumber>;
  readonly live: Map<ReplicaId, { ranges: EventNumber[]; hash: number }>;
  ranges: number;
  /** Entries that had been received before it, and that it is to bring; undefined while that is not known. */
  readonly receivedBefore: number;
  expected: number | undefined;
}

export class Puller {
  private pull: Pull | undefined = undefined;
  private lastId = 0;
  /** How far the entries of a broken-off full sync have come, so that the next sender need not repeat them. */
  private readonly staged = new Map<ReplicaId, EventNumber>();
  /** Of each peer the first pull that was given up for its time, and whose answer may still be on its way. */
  private readonly givenUp = new Map<ReplicaId, number>();
  private readonly set: ObservedRemoveSet<Entry>;
  private readonly settings: ReplicaSettings;
  private readonly listener: PullerListener;
  /** Entries received by full syncs so far, for progress reports. */
  entriesReceived = 0;
  /** Of these, those that belong to states which are merged. */
  private entriesMerged = 0;
  /** As of the last part of an answer. */
  lastProgress: SyncProgress | undefined = undefined;

  constructor(set: ObservedRemoveSet<Entry>, settings: ReplicaSettings, listener: PullerListener) {
    this.set = set;
    this.settings = settings;
    this.listener = listener;
  }

  /** Pulls from one of these peers if it has what we lack and nothing is under way. */
  consider(peers: Iterable<Peer>, now: Millis): void {
    if (this.pull !== undefined) return;
    for (const peer of peers) {
      if (peer.diverges || this.lacks(peer)) {
        this.start(peer, now);
        return;
      }
    }
  }

  /**
   * Whether the peer has what we must ask for. Deltas of a replica that we are linked with come from itself, and are
   * likely to be on their way: they count only once a later digest has claimed them again.
   */
  private lacks(peer: Peer): boolean {
    const { knows, linked } = this.listener;
    for (const [replica, claimed] of peer.claims) {
      if (!knows(replica)) continue;
      const waitForIt = replica !== peer.id && linked(replica);
      const vector = waitForIt ? Math.min(claimed, peer.olderClaims.get(replica) ?? 0) : claimed;
      if (this.set.vectorOf(replica) < vector) return true;
    }
    return false;
  }

  /** Asks this peer now, unless a pull is under way already. */
  start(peer: Peer, now: Millis): void {
    if (this.pull !== undefined) return;
    const id = ++this.lastId;
    this.pull = {
      ...{ id, peer, progressAt: now, vector: new Map(), live: new Map(), ranges: 0 },
      ...{ receivedBefore: this.entriesReceived, expected: undefined },
    };
    const vector = [...this.set.vector()];
    const staged = [...this.staged];
    this.listener.send(peer.id, { type: "pull", id, vector, staged, full: peer.diverges });
    peer.diverges = false;
  }

  /** How far the full state is that is on its way here; undefined if none is. */
  get progress(): SyncProgress | undefined {
    return this.pull?.expected === undefined ? undefined : this.lastProgress;
  }

  /** The link with a peer is gone. */
  abandon(peer: ReplicaId): void {
    this.givenUp.delete(peer);
    if (this.pull?.peer.id === peer) this.pull = undefined;
  }

  /** A part of an answer. */
  receive(from: ReplicaId, message: SyncMessage, now: Millis): void {
    const pull = this.pull;
    if (pull === undefined || pull.id !== message.pull || pull.peer.id !== from) {
      this.receiveLate(from, message, now);
      return;
    }
    pull.progressAt = now;
    if (message.full) pull.expected = message.expected;
    this.take(message);
    this.collect(pull, message);
    this.noteProgress(pull);
    if (!message.last) return;
    this.pull = undefined;
    if (message.full) this.merge(pull, message.pending);
    this.listener.finished(from);
  }

  /**
   * A part of an answer that we no longer waited for. On a link so slow that one frame takes longer than `pullTimeoutMs`
   * every part comes late: what they bring counts all the same, or each pull would ask for the same again, for ever. Only
   * the state as a whole is not merged by them: the pull after them will bring what is left of it.
   */
  private receiveLate(from: ReplicaId, message: SyncMessage, now: Millis): void {
    const first = this.givenUp.get(from);
    if (first === undefined || message.pull < first || message.pull > this.lastId) return;
    if (this.pull?.peer.id === from) this.pull.progressAt = now;
    this.take(message);
  }

  private take(message: SyncMessage): void {
    for (const delta of message.deltas) {
      if (!this.listener.knows(delta.origin)) continue;
      checkRemovals(this.set, delta.removals, this.settings);
      this.set.apply(delta);
    }
    checkRemovals(this.set, message.pending, this.settings);
    for (const entries of message.entries) this.stage(entries.origin, entries);
  }

  private noteProgress({ peer, expected = 0, receivedBefore }: Pull): void {
    this.lastProgress = {
      from: peer.id,
      entriesReceived: this.entriesReceived - this.entriesMerged,
      entriesExpected: receivedBefore - this.entriesMerged + expected,
    };
  }

  private stage(origin: ReplicaId, entries: SyncMessage["entries"][number]): void {
    if (!this.listener.knows(origin) || entries.numbers.length === 0) return;
    this.set.stage(entries);
    this.staged.set(origin, Math.max(this.staged.get(origin) ?? 0, entries.numbers.at(-1)!));
    this.entriesReceived += entries.numbers.length;
  }

  private collect(pull: Pull, message: SyncMessage): void {
    for (const { replica, vector, hash, ranges } of message.live) {
      pull.ranges += ranges.length;
      if (pull.ranges > this.settings.syncRangesMax) {
        throw new ProtocolError(
          "SYNC_TOO_LARGE",
          `a sync has more than syncRangesMax (${this.settings.syncRangesMax}) ranges`,
        );
      }
      if (!this.listener.knows(replica) && replica !== this.set.replica) continue;
      pull.vector.set(replica, vector);
      const known = pull.live.get(replica);
      if (known === undefined) pull.live.set(replica, { ranges: [...ranges], hash });
      else for (const number of ranges) known.ranges.push(number);
    }
  }

  private merge(pull: Pull, pending: readonly Removal[]): void {
    const { vector, live } = pull;
    const outcome = this.set.merge({ vector, live, pending, entries: [] });
    this.staged.clear();
    // What is late from now on goes on from a place that is no longer marked.
    this.givenUp.clear();
    this.entriesMerged = this.entriesReceived;
    this.listener.merged(pull.peer.id, outcome === "merged");
  }

  /** Gives up a pull that makes no progress; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    if (this.pull === undefined) return Number.POSITIVE_INFINITY;
    const deadline = this.pull.progressAt + this.settings.pullTimeoutMs;
    if (now < deadline) return deadline;
    const { id, peer } = this.pull;
    this.pull = undefined;
    if (!this.givenUp.has(peer.id)) this.givenUp.set(peer.id, id);
    this.listener.timedOut(peer.id);
    return Number.POSITIVE_INFINITY;
  }

  /** Whether everything that the peer claims is here. */
  hasCaughtUpWith(peer: Peer): boolean {
    return hasAll(this.set, peer.claims, this.listener.knows);
  }
}
