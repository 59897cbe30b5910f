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
  /** Another `entriesPerReport` entries of a full state have come. */
  progressed(progress: SyncProgress): void;
  /** Everything that the pull asked for has come. */
  finished(peer: ReplicaId): void;
}

/** A pull, and what has come of its answer. */
interface Pull {
  readonly id: number;
  readonly peer: Peer;
  readonly askedAt: Millis;
  /** Whether some of the answer has come. */
  answered: boolean;
  progressAt: Millis;
  /** Full form, until its last part has come. */
  readonly vector: Map<ReplicaId, EventNumber>;
  readonly live: Map<ReplicaId, { ranges: EventNumber[]; hash: number }>;
  ranges: number;
  /** Entries that were staged before it, and that it is to bring; undefined while that is not known. */
  readonly stagedBefore: number;
  expected: number | undefined;
}

/** A peer's next answer may take this many times as long as its last one took to begin. */
const PATIENCE = 2;

/** The longest wait, in `pullTimeoutMs`: what a peer took in the worst case must not hold up asking others. */
const PULL_TIMEOUTS_MAX = 8;

/** Pulls without an answer that are remembered. */
const GIVEN_UP_MAX = 32;

export class Puller {
  private current: Pull | undefined = undefined;
  private lastId: number;
  /** Pulls that were given up for their time, oldest first: their answers may still be on their way. */
  private readonly givenUp = new Map<number, Pull>();
  /** How long the last answer of each peer took to begin: on a slow link longer than `pullTimeoutMs`. */
  private readonly answerTimes = new Map<ReplicaId, Millis>();
  /** How far the entries of a broken-off full sync have come, so that the next sender need not repeat them. */
  private readonly staged = new Map<ReplicaId, EventNumber>();
  private readonly set: ObservedRemoveSet<Entry>;
  private readonly settings: ReplicaSettings;
  private readonly listener: PullerListener;
  /** Entries that full syncs have brought since the last merge. */
  private entriesStaged = 0;

  /** @param lastId the newest pull that was sent over the links that are up: an answer to it is none to a new one */
  constructor(
    set: ObservedRemoveSet<Entry>,
    settings: ReplicaSettings,
    listener: PullerListener,
    lastId = 0,
  ) {
    this.set = set;
    this.settings = settings;
    this.listener = listener;
    this.lastId = lastId;
  }

  /** Pulls from one of these peers if it has what we lack and nothing is under way. */
  consider(peers: Iterable<Peer>, now: Millis): void {
    if (this.current !== undefined) return;
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
    if (this.current !== undefined) return;
    const id = ++this.lastId;
    this.current = {
      ...{
        id,
        peer,
        askedAt: now,
        answered: false,
        progressAt: now,
        vector: new Map(),
        live: new Map(),
        ranges: 0,
      },
      ...{ stagedBefore: this.entriesStaged, expected: undefined },
    };
    const vector = [...this.set.vector()];
    const staged = [...this.staged];
    this.listener.send(peer.id, { type: "pull", id, vector, staged, full: peer.diverges });
    peer.diverges = false;
  }

  /** The last pull that was sent. */
  get newestId(): number {
    return this.lastId;
  }

  /** How far the full state is that is on its way here; undefined if none is. */
  get progress(): SyncProgress | undefined {
    return this.current?.expected === undefined ? undefined : this.progressOf(this.current);
  }

  private progressOf({ peer, stagedBefore, expected = 0 }: Pull): SyncProgress {
    const { entriesStaged: entriesReceived } = this;
    // What an earlier answer brings late may be among what this one brings.
    return {
      from: peer.id,
      entriesReceived,
      entriesExpected: Math.max(entriesReceived, stagedBefore + expected),
    };
  }

  /** The link with a peer is gone. */
  abandon(peer: ReplicaId): void {
    for (const [id, pull] of this.givenUp) if (pull.peer.id === peer) this.givenUp.delete(id);
    if (this.current?.peer.id === peer) this.current = undefined;
    this.answerTimes.delete(peer);
  }

  /**
   * A part of an answer, in time or late. On a link so slow that a frame takes longer than `pullTimeoutMs` every part
   * comes late: it counts all the same, or each pull would ask for the same again, for ever.
   */
  receive(from: ReplicaId, message: SyncMessage, now: Millis): void {
    const { current } = this;
    const pull = current?.id === message.pull ? current : this.givenUp.get(message.pull);
    if (pull === undefined || pull.peer.id !== from) return;
    // A peer that still answers an earlier pull has not come to this one.
    if (current?.peer.id === from) current.progressAt = now;
    this.forgetBefore(pull);
    if (!pull.answered) this.answerTimes.set(from, now - pull.askedAt);
    pull.answered = true;
    if (message.full) pull.expected = message.expected;
    this.take(pull, message);
    this.collect(pull, message);
    if (!message.last) return;
    if (pull === current) this.current = undefined;
    this.givenUp.delete(pull.id);
    if (message.full) this.merge(pull, message.pending);
    this.listener.finished(from);
  }

  /** Answers come in the order of the pulls: what has not come of the earlier ones never will. */
  private forgetBefore({ id, peer }: Pull): void {
    for (const [earlier, pull] of this.givenUp)
      if (earlier < id && pull.peer.id === peer.id) this.givenUp.delete(earlier);
  }

  private take(pull: Pull, message: SyncMessage): void {
    for (const delta of message.deltas) {
      if (!this.listener.knows(delta.origin)) continue;
      checkRemovals(this.set, delta.removals, this.settings);
      this.set.apply(delta);
    }
    checkRemovals(this.set, message.pending, this.settings);
    const before = this.entriesStaged;
    for (const entries of message.entries) this.stage(entries.origin, entries);
    const { entriesPerReport } = this.settings.steps;
    if (Math.floor(this.entriesStaged / entriesPerReport) > Math.floor(before / entriesPerReport))
      this.listener.progressed(this.progressOf(pull));
  }

  private stage(origin: ReplicaId, entries: SyncMessage["entries"][number]): void {
    if (!this.listener.knows(origin) || entries.numbers.length === 0) return;
    const before = this.set.aheadOf(origin);
    this.set.stage(entries);
    this.staged.set(origin, Math.max(this.staged.get(origin) ?? 0, entries.numbers.at(-1)!));
    this.entriesStaged += this.set.aheadOf(origin) - before;
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
      pull.vector.set(replica, vector);
      const known = pull.live.get(replica);
      if (known === undefined) pull.live.set(replica, { ranges: [...ranges], hash });
      else for (const number of ranges) known.ranges.push(number);
    }
  }

  private merge(pull: Pull, pending: readonly Removal[]): void {
    const { vector, live } = pull;
    // Only now: who becomes known between two parts of its dots would lack the first of them.
    for (const replica of vector.keys())
      if (!this.listener.knows(replica) && replica !== this.set.replica) vector.delete(replica);
    const outcome = this.set.merge({ vector, live, pending, entries: [] });
    this.staged.clear();
    // What is late from now on goes on from a place that is no longer marked.
    this.givenUp.clear();
    this.entriesStaged = 0;
    this.listener.merged(pull.peer.id, outcome === "merged");
  }

  /** Gives up a pull that makes no progress; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    if (this.current === undefined) return Number.POSITIVE_INFINITY;
    const deadline = this.current.progressAt + this.patienceWith(this.current.peer.id);
    if (now < deadline) return deadline;
    this.giveUp(this.current);
    return Number.POSITIVE_INFINITY;
  }

  private patienceWith(peer: ReplicaId): Millis {
    const { pullTimeoutMs } = this.settings;
    const wanted = (this.answerTimes.get(peer) ?? 0) * PATIENCE;
    return Math.min(Math.max(pullTimeoutMs, wanted), pullTimeoutMs * PULL_TIMEOUTS_MAX);
  }

  private giveUp(pull: Pull): void {
    this.current = undefined;
    this.givenUp.set(pull.id, pull);
    for (const oldest of this.givenUp.keys()) {
      if (this.givenUp.size <= GIVEN_UP_MAX) break;
      this.givenUp.delete(oldest);
    }
    this.listener.timedOut(pull.peer.id);
  }

  /** Whether everything that the peer claims is here. */
  hasCaughtUpWith(peer: Peer): boolean {
    return hasAll(this.set, peer.claims, this.listener.knows);
  }
}
