/**
 * Which life of its node is a replica, and what if another has its name?
 *
 * Anybody may say that our name is known with a newer incarnation: it may be our own past (a restart with a clock that was
 * set back, an old greeting at a broker), another process, or a lie. So hearsay stops nobody: the replica takes a newer
 * incarnation and goes on, at most so often. It stops only if the other process itself answers, over a link with us: each
 * end sends the other a fresh number to repeat, and how long it has been running. Of two that are proven, the one that
 * has run longer stops. One end decides, the one with the smaller id, so that both never stop.
 */
import { incarnationOf, nameOf, type ReplicaId, replicaId } from "@presently/crdt";
import type { Counters } from "./counters.ts";
import type { Membership } from "./membership.ts";
import type { Message, NamesakeMessage } from "./messages.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** By how much a new life is newer than the newest that was heard of, at most: milliseconds, where that is what it counts. */
const INCARNATION_STEP = 1_000;
/** So many renames follow each other without a pause, for lives that were ended one after the other. */
const PROMPT_RENAMES = 3;
/** The longest pause between two renames, in `downAfterMs`. It doubles from one of them on. */
const PAUSE_MAX = 12;
/** Values of a token: beyond what a guess would hit. */
const TOKENS = 2 ** 48;

/** What another process was asked to repeat, and how long we had been running then. */
interface Asked {
  readonly token: number;
  readonly upMs: number;
}

export class Life {
  private ended = false;
  private incarnationNow: number;
  private startedAt: Millis | undefined = undefined;
  /** The newest incarnation of our own name that was heard of, until ours is newer. */
  private newer: number | undefined = undefined;
  /** When ours will be newer. */
  private renameAt: Millis = NEVER;
  private renamedAt: Millis = Number.NEGATIVE_INFINITY;
  private renames = 0;
  private noneLeftSaid = false;
  /** Other processes of our name that we have a link with. */
  private readonly namesakes = new Map<ReplicaId, Asked>();
  private readonly membership: Membership;
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly outbox: Outbox;
  private readonly renamed: (replica: ReplicaId, handsOff: boolean) => void;

  /**
   * @param renamed everything of this replica goes on under another id; told before the outbox is. `handsOff`: the old id
   *   was ours alone, so that what it held may be handed over
   */
  constructor(
    membership: Membership,
    settings: ReplicaSettings,
    counters: Counters,
    outbox: Outbox,
    renamed: (replica: ReplicaId, handsOff: boolean) => void,
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

  /** Time has begun. */
  start(now: Millis): void {
    this.startedAt ??= now;
  }

  /** A peer has no place here: a newer life of it is known. */
  turnAway(id: ReplicaId): void {
    const newest = this.membership.newestOf(nameOf(id));
    this.outbox.send([id], { type: "incarnation", newest });
    this.outbox.refuse(id, "STALE_INCARNATION", `incarnation ${newest} of this node is known`);
  }

  // Hearsay: a newer incarnation is taken.

  /** Somebody knows our name with this incarnation, which is not ours: `settle` sees to it. */
  hearOf(incarnation: number): void {
    this.newer = Math.max(incarnation, this.newer ?? 0);
  }

  /** Does what has to be done about what was heard of, once it is time. */
  settle(now: Millis): void {
    if (this.newer !== undefined && this.newer < this.incarnationNow) this.forgetNewer();
    if (this.newer === undefined || this.ended) return;
    if (this.renameAt === NEVER) {
      this.renameAt = Math.max(now + this.graceMs(now), this.renamedAt + this.pauseMs);
      this.outbox.wake(this.renameAt - now);
      // If it is a process that runs, a link with it shows which of the two must stop.
      if (this.newer > this.incarnationNow) this.outbox.redial(replicaId(this.settings.name, this.newer));
    }
    if (now >= this.renameAt) this.reincarnate(this.newer, now);
  }

  /** When `settle` next has something to do. */
  get nextDeadline(): Millis {
    return this.renameAt;
  }

  /** Just after the start it is most likely our own earlier life. Later another process gets the time to answer. */
  private graceMs(now: Millis): Millis {
    const { downAfterMs, heartbeatIntervalMs } = this.settings;
    const young = this.startedAt === undefined || now - this.startedAt < 2 * downAfterMs;
    return young ? 0 : heartbeatIntervalMs;
  }

  /** Two processes that cannot reach each other, or a peer that lies, cost a rename now and then. */
  private get pauseMs(): Millis {
    const { downAfterMs } = this.settings;
    if (this.renames < PROMPT_RENAMES) return 0;
    return downAfterMs * Math.min(2 ** (this.renames - PROMPT_RENAMES), PAUSE_MAX);
  }

  private forgetNewer(): void {
    this.newer = undefined;
    this.renameAt = NEVER;
  }

  private reincarnate(newest: number, now: Millis): void {
    this.forgetNewer();
    const { random, downAfterMs } = this.settings;
    // Whoever told us may not know of the newest life itself: one that is taken by chance is nobody's yet.
    const wanted = newest + 1 + Math.floor(random() * INCARNATION_STEP);
    const next = Math.min(wanted, Number.MAX_SAFE_INTEGER);
    if (next <= newest) {
      this.sayNoneLeft(newest);
      return;
    }
    if (now - this.renamedAt > 2 * PAUSE_MAX * downAfterMs) this.renames = 0;
    this.renames++;
    this.renamedAt = now;
    const before = this.id;
    const handsOff = newest > this.incarnationNow;
    this.incarnationNow = next;
    this.namesakes.clear();
    this.renamed(this.id, handsOff);
    this.outbox.notice({
      type: "reincarnated",
      level: "warn",
      message: `${before} goes on as ${this.id}: its name is known with a newer incarnation`,
      replica: this.id,
    });
    this.outbox.renamed(this.id);
  }

  /** Beyond safe integers there is no incarnation to take. Those who believe in that one let nobody else in. */
  private sayNoneLeft(newest: number): void {
    if (this.noneLeftSaid) return;
    this.noneLeftSaid = true;
    this.outbox.notice({
      type: "no-incarnation-left",
      level: "error",
      message: `a peer says that ${this.settings.name} has incarnation ${newest}, and none is newer: peers that believe it ignore this node`,
      replica: this.id,
    });
  }

  // Proof: another process of our name answers.

  /** A link with another process of our name is open: it is asked to prove that it runs. */
  meet(id: ReplicaId, now: Millis): void {
    if (this.ended) return;
    const token = 1 + Math.floor(this.settings.random() * TOKENS);
    this.namesakes.set(id, { token, upMs: this.upMs(now) });
    this.send(id, { token, repeats: 0, stops: "nobody" }, now);
  }

  /** The link is gone. */
  part(id: ReplicaId): void {
    this.namesakes.delete(id);
  }

  /** What another process of our name sends; all but the exchange of both is ignored. */
  hear(from: ReplicaId, message: Message, now: Millis): void {
    const asked = this.namesakes.get(from);
    if (asked === undefined || this.ended) return;
    const { token } = asked;
    // As one of an earlier version says it.
    if (message.type === "incarnation" && message.newest > this.incarnationNow) this.hearOf(message.newest);
    if (message.type !== "namesake") return;
    if (message.repeats !== token) {
      if (message.repeats === 0) this.send(from, { token, repeats: message.token, stops: "nobody" }, now);
    } else if (message.stops === "receiver") this.yieldTo(from);
    else if (message.stops === "sender") this.hearOf(incarnationOf(from));
    else if (this.id < from) this.decide(from, asked, message, now);
  }

  /** The older process is most likely the one that somebody meant to replace. */
  private decide(
    other: ReplicaId,
    asked: Asked,
    { token: repeats, upMs }: NamesakeMessage,
    now: Millis,
  ): void {
    // It told its age half a round trip ago.
    const ownMs = (asked.upMs + this.upMs(now)) / 2;
    const stops = ownMs >= upMs ? "sender" : "receiver";
    this.send(other, { token: asked.token, repeats, stops }, now);
    if (stops === "sender") this.yieldTo(other);
    else this.hearOf(incarnationOf(other));
  }

  private send(to: ReplicaId, what: Pick<NamesakeMessage, "token" | "repeats" | "stops">, now: Millis): void {
    this.outbox.send([to], { type: "namesake", ...what, upMs: this.upMs(now) });
  }

  private upMs(now: Millis): number {
    return Math.max(0, Math.floor(now - (this.startedAt ?? now)));
  }

  /** Another process has proven that it runs under our name, and has started later. */
  private yieldTo(other: ReplicaId): void {
    this.ended = true;
    this.counters.nameConflicts++;
    this.outbox.notice({
      type: "name-conflict",
      level: "error",
      message: `another process has taken over the name ${this.settings.name}, as ${other}: this one leaves the cluster`,
      replica: this.id,
      by: other,
    });
    this.outbox.superseded(other);
  }

  private get id(): ReplicaId {
    return replicaId(this.settings.name, this.incarnationNow);
  }
}
