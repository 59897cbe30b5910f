/**
 * Which topics does this node want broadcasts of, and who knows that by now?
 *
 * Every peer is told the whole set when its link opens, and what changes from then on; it says up to which telling it has
 * come. A peer that has been told nothing yet sends everything, so what matters are those that go by an older set: a
 * subscription is in force when no linked peer does. Nothing of this outlives a link: whoever comes back is told anew.
 */
import type { ReplicaId } from "@presently/crdt";
import type { InterestMessage } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";
import type { TopicHash } from "./topic-hash.ts";

/** Topics that one message names, at 6 bytes each. */
const TOPICS_PER_FRAME = 6_000;

export interface OwnInterestsPort {
  readonly send: (peers: readonly ReplicaId[], message: InterestMessage) => void;
  readonly congested: (peer: ReplicaId) => boolean;
  /** There is something to tell. */
  readonly changed: () => void;
  readonly wake: (delayMs: number) => void;
}

/** What a peer knows of our interest. */
interface Told {
  /** The telling that it was told the whole set with; undefined: it knows of nothing, and sends everything. */
  first: number | undefined;
  /** The last telling that it has taken in. */
  acknowledged: number;
  /** It was congested when there was something to tell: it needs the whole set again. */
  behind: boolean;
  /** It has let somebody wait for too long, and is not waited for until it answers. */
  mute: boolean;
  /** How long its acknowledgements take, smoothed; undefined before the first. */
  ackMs: Millis | undefined;
}

interface Waiter {
  readonly telling: number;
  readonly since: Millis;
  readonly settled: () => void;
}

/** A peer that takes this many times as long as it usually does is not waited for any longer. */
const USUAL_TIMES = 4;
/** Nor before this part of `interestTimeoutMs` is over: a pause of the garbage collector is no reason. */
const LEAST_PART = 1 / 4;

export class OwnInterests {
  /** How many want each topic. */
  private readonly wanted = new Map<TopicHash, number>();
  /** What the next telling brings: whether a topic is wanted. */
  private readonly changes = new Map<TopicHash, boolean>();
  private readonly peers = new Map<ReplicaId, Told>();
  /** Those that wait until a telling is known; the first to be told comes first. */
  private waiters: Waiter[] = [];
  private telling = 0;
  /** Too many topics to name. */
  private everything = false;
  private someAreBehind = false;
  private readonly settings: ReplicaSettings;
  private readonly port: OwnInterestsPort;

  constructor(settings: ReplicaSettings, port: OwnInterestsPort) {
    this.settings = settings;
    this.port = port;
  }

  /** One more wants the topic; answers which telling peers must know for that. */
  add(topic: TopicHash): number {
    const count = this.wanted.get(topic) ?? 0;
    this.wanted.set(topic, count + 1);
    if (count === 0) this.note(topic, true);
    return this.telling + (this.changes.size > 0 ? 1 : 0);
  }

  /** One less wants it. */
  delete(topic: TopicHash): void {
    const count = this.wanted.get(topic) ?? 0;
    if (count > 1) this.wanted.set(topic, count - 1);
    else if (this.wanted.delete(topic)) this.note(topic, false);
  }

  private note(topic: TopicHash, isWanted: boolean): void {
    const { interestsMax } = this.settings;
    const { size } = this.wanted;
    // Not back and forth at the bound: each time costs every peer the whole set.
    const everything = this.everything ? size > interestsMax / 2 : size > interestsMax;
    if (everything !== this.everything) {
      this.everything = everything;
      this.changes.clear();
      for (const told of this.peers.values()) told.behind = true;
      this.someAreBehind = true;
      this.telling++;
    } else if (!everything) {
      if (this.changes.get(topic) === !isWanted) this.changes.delete(topic);
      else this.changes.set(topic, isWanted);
    }
    this.port.changed();
  }

  get hasChanges(): boolean {
    return this.changes.size > 0;
  }

  linked(peer: ReplicaId): void {
    const told: Told = { first: undefined, acknowledged: 0, behind: true, mute: false, ackMs: undefined };
    this.peers.set(peer, told);
    this.someAreBehind = true;
    this.catchUp();
  }

  unlinked(peer: ReplicaId): void {
    if (this.peers.delete(peer)) this.settle();
  }

  /** A congested link has room again. */
  drained(): void {
    this.catchUp();
  }

  /** Tells every peer what has changed. Cost: O(changes). */
  tell(): void {
    if (this.changes.size > 0) {
      this.telling++;
      const ready: ReplicaId[] = [];
      for (const [peer, told] of this.peers) {
        if (told.behind) continue;
        if (this.port.congested(peer)) this.someAreBehind = told.behind = true;
        else ready.push(peer);
      }
      const added: TopicHash[] = [];
      const removed: TopicHash[] = [];
      for (const [topic, isWanted] of this.changes) (isWanted ? added : removed).push(topic);
      this.changes.clear();
      this.send(ready, false, added, removed);
    }
    this.catchUp();
  }

  /** Tells the whole set to those that have missed something, or know nothing yet. */
  private catchUp(): void {
    if (!this.someAreBehind) return;
    this.someAreBehind = false;
    const ready: ReplicaId[] = [];
    for (const [peer, told] of this.peers) {
      if (!told.behind) continue;
      if (this.port.congested(peer)) {
        this.someAreBehind = true;
        continue;
      }
      told.behind = false;
      told.first ??= this.telling;
      ready.push(peer);
    }
    this.send(ready, true, this.everything ? [] : [...this.wanted.keys()], []);
  }

  private send(
    peers: readonly ReplicaId[],
    whole: boolean,
    added: readonly TopicHash[],
    removed: readonly TopicHash[],
  ): void {
    if (peers.length === 0) return;
    const { telling, everything } = this;
    let start = 0;
    do {
      const end = start + TOPICS_PER_FRAME;
      const parts = {
        added: added.slice(start, end),
        removed: removed.slice(Math.max(0, start - added.length), Math.max(0, end - added.length)),
      };
      const last = end >= added.length + removed.length;
      this.port.send(peers, {
        type: "interest",
        telling,
        whole: whole && start === 0,
        last,
        everything,
        relays: true,
        ...parts,
      });
      start = end;
    } while (start < added.length + removed.length);
  }

  /** A peer has taken in what it was told. */
  acknowledged(peer: ReplicaId, telling: number, now: Millis): void {
    const told = this.peers.get(peer);
    if (told === undefined) return;
    told.acknowledged = Math.max(told.acknowledged, Math.min(telling, this.telling));
    told.mute = false;
    const waiter = this.waiters.find((other) => other.telling <= telling);
    if (waiter !== undefined) {
      const tookMs = now - waiter.since;
      told.ackMs = told.ackMs === undefined ? tookMs : told.ackMs + (tookMs - told.ackMs) / 8;
    }
    this.settle();
  }

  /** Whether no peer that there is a link with goes by an older telling. Cost: O(peers). */
  isKnown(telling: number): boolean {
    return this.known >= telling;
  }

  /**
   * Calls `settled` once a telling is known, perhaps at once. A peer that takes much longer than it usually does, at most
   * `interestTimeoutMs`, is not waited for.
   */
  whenKnown(telling: number, now: Millis, settled: () => void): void {
    if (this.isKnown(telling)) {
      settled();
      return;
    }
    const waiter = { telling, since: now, settled };
    // Mostly it is the last: what is asked for again is older.
    let at = this.waiters.length;
    while (at > 0 && this.waiters[at - 1]!.telling > telling) at--;
    this.waiters.splice(at, 0, waiter);
    this.port.wake(this.settings.interestTimeoutMs * LEAST_PART);
  }

  /** Up to which telling nobody goes by an older set. */
  private get known(): number {
    // What has not been told yet is known where there is nobody.
    let known = this.telling + 1;
    for (const told of this.peers.values())
      if (!told.mute && told.first !== undefined)
        known = Math.min(known, Math.max(told.first, told.acknowledged));
    return known;
  }

  private settle(): void {
    if (this.waiters.length === 0) return;
    const { known } = this;
    const waiting = this.waiters.findIndex(({ telling }) => telling > known);
    const ready = this.waiters.splice(0, waiting < 0 ? this.waiters.length : waiting);
    for (const { settled } of ready) settled();
  }

  /** Waits no longer for those who take too long; returns when it next wants to be called. Cost: O(peers + waiters of those who are behind). */
  tick(now: Millis): Millis {
    let next = Number.POSITIVE_INFINITY;
    if (this.waiters.length === 0) return next;
    for (const told of this.peers.values()) {
      if (told.mute || told.first === undefined) continue;
      const acknowledged = Math.max(told.first, told.acknowledged);
      const patienceMs = this.patienceWith(told);
      if (this.waiters.at(-1)!.telling <= acknowledged) continue;
      const first = this.waiters.find(({ telling }) => telling > acknowledged)!;
      const until = first.since + patienceMs;
      if (until <= now) told.mute = true;
      else next = Math.min(next, until);
    }
    this.settle();
    return next;
  }

  private patienceWith({ ackMs }: Told): Millis {
    const { interestTimeoutMs } = this.settings;
    if (ackMs === undefined) return interestTimeoutMs;
    return Math.min(interestTimeoutMs, Math.max(interestTimeoutMs * LEAST_PART, ackMs * USUAL_TIMES));
  }

  /** Nobody is told anything any more. */
  close(): void {
    for (const { settled } of this.waiters.splice(0)) settled();
  }
}
