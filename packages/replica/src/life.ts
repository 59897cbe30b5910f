/** Which life of its node a replica is: what it does when a newer one of the same name is heard of, and with earlier ones of others. */
import { nameOf, type ReplicaId, replicaId } from "@presently/crdt";
import type { Counters } from "./counters.ts";
import type { Membership } from "./membership.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";

/** Two processes that start under one name at once must not outbid each other for ever. */
const REINCARNATIONS_MAX = 3;
/** By how much a new life is newer than the newest that was heard of, at most: milliseconds, where that is what it counts. */
const INCARNATION_STEP = 1_000;

export class Life {
  private ended = false;
  private incarnationNow: number;
  private reincarnations = 0;
  /** A newer life of our own name that was heard of. */
  private newer: number | undefined = undefined;
  private startedAt: Millis | undefined = undefined;
  private readonly membership: Membership;
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly outbox: Outbox;
  private readonly renamed: (replica: ReplicaId) => void;

  /** @param renamed everything of this replica goes on under another id; told before the outbox is */
  constructor(
    membership: Membership,
    settings: ReplicaSettings,
    counters: Counters,
    outbox: Outbox,
    renamed: (replica: ReplicaId) => void,
  ) {
    this.membership = membership;
    this.settings = settings;
    this.incarnationNow = settings.incarnation;
    this.counters = counters;
    this.outbox = outbox;
    this.renamed = renamed;
  }

  get incarnation(): number {
    return this.incarnationNow;
  }

  /** After goodbye, or once superseded: nothing is sent any more. */
  get over(): boolean {
    return this.ended;
  }

  /** We have said goodbye. */
  end(): void {
    this.ended = true;
  }

  /** Time has begun: whoever has our name just afterwards is our own earlier life. */
  start(now: Millis): void {
    this.startedAt ??= now;
  }

  /** Our name is known with this incarnation, which is not ours: `settle` sees to it. */
  hearOf(incarnation: number): void {
    this.newer = Math.max(incarnation, this.newer ?? 0);
  }

  /** Does what has to be done about a newer life that was heard of since the last call. */
  settle(now: Millis): void {
    if (this.newer !== undefined) this.yieldTo(this.newer, now);
  }

  /** A peer has no place here: a newer life of it is known, or it has our own name. */
  turnAway(id: ReplicaId): void {
    const name = nameOf(id);
    const own = name === this.settings.name ? this.incarnationNow : 0;
    const newest = Math.max(own, this.membership.newestOf(name));
    this.outbox.send([id], { type: "incarnation", newest });
    this.outbox.refuse(id, "STALE_INCARNATION", `incarnation ${newest} of this node is known`);
  }

  /**
   * Our name is in use with a newer incarnation. Just after the start that is our own earlier life, and a clock that
   * went back: take a newer one. Later it is another process that has taken over the name, and keeps it.
   */
  private yieldTo(newest: number, now: Millis): void {
    this.newer = undefined;
    if (this.ended) return;
    const young = this.startedAt === undefined || now - this.startedAt < 2 * this.settings.downAfterMs;
    // Whoever told us may not know of the newest life itself: one that is taken by chance is nobody's yet.
    const next = newest + 1 + Math.floor(this.settings.random() * INCARNATION_STEP);
    // Beyond safe integers there is no next life; nobody would let it in.
    if (young && this.reincarnations < REINCARNATIONS_MAX && Number.isSafeInteger(next)) {
      this.reincarnate(next);
      return;
    }
    this.ended = true;
    this.counters.nameConflicts++;
    const { name } = this.settings;
    this.outbox.notice({
      type: "name-conflict",
      level: "error",
      message: `another process has taken over the name ${name} with incarnation ${newest}: this one leaves the cluster`,
      replica: this.id,
    });
    this.outbox.superseded(newest);
  }

  private reincarnate(incarnation: number): void {
    const before = this.id;
    this.reincarnations++;
    this.incarnationNow = incarnation;
    this.renamed(this.id);
    this.outbox.notice({
      type: "reincarnated",
      level: "warn",
      message: `${before} goes on as ${this.id}: its name is known with a newer incarnation`,
      replica: this.id,
    });
    this.outbox.renamed(this.id);
  }

  private get id(): ReplicaId {
    return replicaId(this.settings.name, this.incarnationNow);
  }
}
