/**
 * Who is alive? A replica is up while its heartbeat counter advances by any path, measured on our own monotonic clock.
 *
 * A lost link is a hint: the replica is suspected, the transport redials, and other peers are asked whether they can
 * hear it. It is down as soon as it can neither be reached nor vouched for, else when its counter has stood still for
 * `downAfterMs`. Down replicas are hidden and kept; when their counter advances they return. Evicted ones are forgotten,
 * but for their last counter: a third node's stale copy of it cannot bring them back.
 *
 * Sources: Das, Gupta, Motivala, "SWIM", DSN 2002; Dadgar, Phillips, Currey, "Lifeguard", arXiv 1707.00788.
 */
import { incarnationOf, nameOf, type ReplicaId, replicaId } from "@presently/crdt";
import { Member } from "./member.ts";
import type { Heard, ProbeAckMessage } from "./messages.ts";
import type { Notice } from "./notice.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis } from "./outbox.ts";
import { PastLives } from "./past-lives.ts";
import type { LeaveReason } from "./presence.ts";
import { Suspicions } from "./suspicions.ts";

export interface MembershipListener {
  /** Its entries count again. */
  shown(replica: ReplicaId): void;
  /** It is believed down: its entries are hidden, and kept. */
  hidden(replica: ReplicaId): void;
  /** It is forgotten, with its entries. */
  evicted(replica: ReplicaId, reason: LeaveReason): void;
  /** Its eviction is no longer remembered. */
  evictionForgotten(replica: ReplicaId): void;
  /** Ask these peers whether they can hear it. */
  probe(peers: readonly ReplicaId[], replica: ReplicaId): void;
  /** Try to reach it now. */
  redial(replica: ReplicaId): void;
  /** Our own name has been seen with this incarnation, which is newer than ours. */
  newerSelf(incarnation: number): void;
  /** What is believed of it has changed. */
  changed(replica: ReplicaId): void;
  notice(notice: Notice): void;
}

export class Membership {
  private readonly members = new Map<ReplicaId, Member>();
  private readonly links = new Set<ReplicaId>();
  /** Those down that have been heard again. */
  private readonly returning = new Set<Member>();
  private readonly pastLives: PastLives;
  private readonly suspicions: Suspicions;
  /** Until then nobody is told again that there are too many replicas. */
  private quietUntil: Millis = Number.NEGATIVE_INFINITY;
  /** When a verdict may next fall due. */
  nextDeadline: Millis = Number.POSITIVE_INFINITY;
  private self: ReplicaId;
  /** What this process is and was called, since it started. */
  private readonly ownIds = new Set<ReplicaId>();
  private readonly settings: ReplicaSettings;
  private readonly listener: MembershipListener;
  private readonly suspectAfterMs: number;

  constructor(self: ReplicaId, settings: ReplicaSettings, listener: MembershipListener) {
    this.ownIds.add(self);
    this.self = self;
    this.settings = settings;
    this.listener = listener;
    this.suspectAfterMs = Math.max(2 * settings.heartbeatIntervalMs, settings.downAfterMs / 2);
    this.pastLives = new PastLives(settings, (replica) => listener.evictionForgotten(replica));
    this.suspicions = new Suspicions(this.members, this.links, settings, {
      suspected: (member) =>
        this.say("replica-suspect", "info", `${member.id} is suspected: asking others`, member),
      probe: (voters, replica) => listener.probe(voters, replica),
      redial: (replica) => listener.redial(replica),
      plan: (at) => this.plan(at),
      down: (member, why) => this.declareDown(member, why),
    });
  }

  /** The replica lives on under a newer incarnation. */
  rename(self: ReplicaId): void {
    this.ownIds.add(self);
    this.self = self;
  }

  all(): Iterable<Member> {
    return this.members.values();
  }

  get(replica: ReplicaId): Member | undefined {
    return this.members.get(replica);
  }

  /** The newest incarnation seen of a node's name; 0 if none. */
  newestOf(name: string): number {
    return this.pastLives.newestOf(name);
  }

  /** Whether what is said of this replica's events counts: it is known, and not superseded or evicted. */
  knows(replica: ReplicaId): boolean {
    return this.members.has(replica);
  }

  /** Whether it is gone for good: it said goodbye and its hand-off is over, or a newer life of its node has been seen. */
  isGone(replica: ReplicaId): boolean {
    return this.pastLives.isBarred(replica) && !this.members.has(replica);
  }

  /** Whether everybody should know it: it has neither said goodbye nor been silent for so long that others may have forgotten it. */
  follows(replica: ReplicaId): boolean {
    const member = this.members.get(replica);
    return member !== undefined && member.status !== "leaving" && member.status !== "down";
  }

  /** Those on their way out, and how long their hand-offs still last: what newcomers have to be told. */
  leaving(now: Millis): { readonly replica: ReplicaId; readonly handoffMs: number }[] {
    const leaving = [];
    for (const { id, status, leavesAt } of this.members.values())
      if (status === "leaving" && leavesAt > now)
        leaving.push({ replica: id, handoffMs: Math.ceil(leavesAt - now) });
    return leaving;
  }

  /**
   * Takes in what somebody knows of a replica's heartbeat: the one place where a replica becomes known or returns.
   *
   * @param via the peer that said so; the replica itself if it is its own heartbeat
   */
  learn(heard: Heard, via: ReplicaId, now: Millis): void {
    const { replica, counter, agoMs } = heard;
    if (replica === this.self) return;
    if (!this.isCurrent(replica)) return;
    const member = this.members.get(replica);
    if (member === undefined) {
      this.discover(heard, via, now);
      return;
    }
    if (counter <= member.counter || member.status === "leaving") return;
    member.counter = counter;
    member.heardFrom = via;
    member.heardAt = Math.max(member.heardAt, now - agoMs);
    member.learntAt = now;
    this.proveAlive(member, now);
  }

  /** A link is open: proof of life by itself. False if the peer has no place here, because a newer life of it is known. */
  linked(peer: ReplicaId, now: Millis): boolean {
    this.links.add(peer);
    if (!this.isCurrent(peer)) return false;
    const member = this.members.get(peer);
    if (member === undefined) {
      this.discover({ replica: peer, counter: 0, agoMs: 0 }, peer, now);
      return true;
    }
    if (member.status === "leaving") return true;
    member.heardAt = now;
    member.learntAt = now;
    member.heardFrom = peer;
    member.suspicion = undefined;
    this.proveAlive(member, now);
    return true;
  }

  /** The link is gone: a hint, not a verdict. */
  unlinked(peer: ReplicaId, now: Millis): void {
    this.links.delete(peer);
    const member = this.members.get(peer);
    if (member?.returnsAt !== undefined) this.cancelReturn(member);
    if (member === undefined || !this.isDoubtable(member)) return;
    if (member.suspicion === undefined) this.suspicions.begin(member, now);
    else this.listener.redial(peer);
  }

  /** The transport could not reach a peer. */
  unreachable(peer: ReplicaId, now: Millis): void {
    const member = this.members.get(peer);
    if (member !== undefined) this.suspicions.unreachable(member, now);
  }

  /** A peer that lost its link with `replica` asks whether we hear it. */
  probed(replica: ReplicaId, asker: ReplicaId, now: Millis): ProbeAckMessage {
    const member = this.members.get(replica);
    const counter = member?.counter ?? 0;
    const agoMs =
      member === undefined ? this.settings.evictAfterMs : Math.max(0, Math.round(now - member.heardAt));
    // Whoever heard of it only through the asker cannot vouch to the asker, and has reason to doubt it as well.
    const heardElsewhere = member?.heardFrom !== asker && agoMs < 2 * this.settings.heartbeatIntervalMs;
    const vouches = this.links.has(replica) || (member?.status === "up" && heardElsewhere);
    if (!vouches && member?.status === "up") this.suspicions.begin(member, now);
    return { type: "probe-ack", replica, counter, agoMs, vouches };
  }

  /** The answer to a probe of ours. */
  answered(answer: ProbeAckMessage, from: ReplicaId, now: Millis): void {
    this.learn(answer, from, now);
    const member = this.members.get(answer.replica);
    if (member !== undefined) this.suspicions.answered(member, from, answer.vouches, now);
  }

  /**
   * A replica stops gracefully, or is doing so as a newcomer is told: then its people are here until its hand-off ends.
   * Answers whether that was news.
   */
  left(replica: ReplicaId, handoffMs: number, now: Millis): boolean {
    if (this.pastLives.isBarred(replica)) return false;
    this.pastLives.bar(replica);
    const member = this.members.get(replica) ?? this.meetLeaving(replica, handoffMs, now);
    if (member === undefined) return true;
    if (handoffMs === 0 || !member.counted) {
      this.evict(member, "left");
      return true;
    }
    member.status = "leaving";
    member.suspicion = undefined;
    member.leavesAt = now + Math.min(handoffMs, this.settings.evictAfterMs);
    this.plan(member.leavesAt);
    this.say(
      "replica-leaving",
      "info",
      `${replica} is leaving; its keys may be taken over for ${handoffMs} ms`,
      member,
    );
    return true;
  }

  /** One that we never knew, and that others still show. */
  private meetLeaving(replica: ReplicaId, handoffMs: number, now: Millis): Member | undefined {
    // What this process held under an earlier id it holds under this one. An earlier process of its name is another matter.
    if (handoffMs === 0 || this.ownIds.has(replica) || this.members.size >= this.settings.replicasMax)
      return undefined;
    const member = new Member(replica, 0, now, now, replica);
    this.members.set(replica, member);
    return member;
  }

  /** An operator's order to forget a replica at once. Answers whether it was known. */
  evictNow(replica: ReplicaId): boolean {
    const member = this.members.get(replica);
    if (member !== undefined) this.evict(member, "evicted");
    return member !== undefined;
  }

  /** Our own tick came late by a lot: first a full interval of fresh input must pass. */
  stalled(now: Millis): void {
    this.suspicions.holdUntil = now + this.settings.heartbeatIntervalMs;
    this.plan(this.suspicions.holdUntil);
  }

  /** Passes the verdicts that time has brought; answers when it next wants to be called. */
  tick(now: Millis): Millis {
    if (now < this.nextDeadline) return this.nextDeadline;
    this.nextDeadline = Number.POSITIVE_INFINITY;
    for (const member of [...this.members.values()]) this.age(member, now);
    return this.nextDeadline;
  }

  private age(member: Member, now: Millis): void {
    const { downAfterMs, evictAfterMs } = this.settings;
    const { holdUntil } = this.suspicions;
    const silentMs = now - member.heardAt;
    if (member.status === "leaving") {
      if (now >= member.leavesAt) this.evict(member, "left");
      else this.plan(member.leavesAt);
      return;
    }
    if (member.status === "down") {
      if (member.returnsAt !== undefined && silentMs >= downAfterMs) this.cancelReturn(member);
      if (member.returnsAt !== undefined) {
        if (now >= member.returnsAt) this.completeReturn(member);
        else this.plan(member.returnsAt);
        return;
      }
      if (silentMs >= evictAfterMs) this.evict(member, "evicted");
      else this.plan(member.heardAt + evictAfterMs);
      return;
    }
    if (silentMs >= downAfterMs && now >= holdUntil) {
      this.declareDown(member, "its heartbeat has stood still for too long");
      return;
    }
    if (silentMs >= this.suspectAfterMs && member.suspicion === undefined) this.suspicions.begin(member, now);
    else if (member.suspicion !== undefined && now >= member.suspicion.nextProbeAt)
      this.suspicions.probe(member, now);
    this.plan(Math.max(member.heardAt + downAfterMs, holdUntil));
    if (member.suspicion === undefined) this.plan(member.heardAt + this.suspectAfterMs);
    else this.plan(member.suspicion.nextProbeAt);
  }

  /** A replica that nobody here knew, or that was evicted and has since been heard to advance. */
  private discover(heard: Heard, via: ReplicaId, now: Millis): void {
    const { replica, counter, agoMs } = heard;
    const { replicasMax, downAfterMs, evictAfterMs } = this.settings;
    if (agoMs >= evictAfterMs || !this.pastLives.mayReturn(heard)) return;
    if (via !== replica && this.hasLivelyLife(nameOf(replica), now)) return;
    if (this.members.size >= replicasMax) {
      // One message may name thousands of them, again and again.
      if (now < this.quietUntil) return;
      this.quietUntil = now + downAfterMs;
      this.say(
        "replicas-max",
        "error",
        `${replica} is ignored: replicasMax (${replicasMax}) replicas are known`,
      );
      return;
    }
    this.pastLives.readmit(replica);
    const member = new Member(replica, counter, now - agoMs, now, via);
    this.members.set(replica, member);
    this.supersede(member);
    if (agoMs >= downAfterMs) {
      member.status = "down";
      this.listener.changed(replica);
      this.plan(member.heardAt + evictAfterMs);
      return;
    }
    this.plan(member.heardAt + this.suspectAfterMs);
    this.say("replica-up", "info", `${replica} is up`, member);
    this.listener.shown(replica);
  }

  /** Whether no newer life of the same node is known. A newer life of our own name is somebody's mistake, or ours. */
  private isCurrent(replica: ReplicaId): boolean {
    const name = nameOf(replica);
    const incarnation = incarnationOf(replica);
    if (name === nameOf(this.self)) {
      if (incarnation > incarnationOf(this.self)) this.listener.newerSelf(incarnation);
      return false;
    }
    return incarnation >= this.newestOf(name);
  }

  /**
   * Whether the newest known life of a node is up and undoubted. Then a link with a newer one ends it, and what somebody
   * says does not: one member that lies would hide the people of others.
   */
  private hasLivelyLife(name: string, now: Millis): boolean {
    const member = this.members.get(replicaId(name, this.newestOf(name)));
    return (
      member?.status === "up" && member.suspicion === undefined && now - member.heardAt < this.suspectAfterMs
    );
  }

  /** A new life of a node ends its earlier ones everywhere. */
  private supersede(member: Member): void {
    this.pastLives.begin(member);
    for (const other of [...this.members.values()]) {
      if (other.name === member.name && other.incarnation < member.incarnation) {
        this.pastLives.bar(other.id);
        // One that said goodbye goes when its hand-off ends: until then its keys may be taken over, also by the new life.
        if (other.status !== "leaving") this.evict(other, "evicted");
      }
    }
  }

  private proveAlive(member: Member, now: Millis): void {
    if (now - member.heardAt >= this.settings.downAfterMs) return;
    // What was heard before the link was lost says nothing about what happened since.
    if (member.suspicion !== undefined && member.heardAt <= member.suspicion.since) return;
    member.suspicion = undefined;
    if (member.status === "down") {
      this.beginReturn(member, now);
      return;
    }
    this.plan(member.heardAt + this.suspectAfterMs);
    if (member.status === "up") return;
    member.status = "up";
    this.say("replica-up", "debug", `${member.id} is up again`, member);
  }

  /**
   * Whoever left or changed while it was down must not be shown first as it was then: its entries count once we have
   * caught up with it, or when a pull would have been given up.
   */
  private beginReturn(member: Member, now: Millis): void {
    if (member.returnsAt !== undefined) return;
    member.returnsAt = now + this.settings.pullTimeoutMs;
    this.returning.add(member);
    this.plan(member.returnsAt);
  }

  private cancelReturn(member: Member): void {
    member.returnsAt = undefined;
    this.returning.delete(member);
  }

  /** Lets those count again that have been heard since they were down, and that the test holds for. */
  settleReturns(isCaughtUpOn: (replica: ReplicaId) => boolean): void {
    for (const member of this.returning) if (isCaughtUpOn(member.id)) this.completeReturn(member);
  }

  private completeReturn(member: Member): void {
    this.cancelReturn(member);
    member.status = "up";
    this.plan(member.heardAt + this.suspectAfterMs);
    this.say("replica-up", "info", `${member.id} is up again`, member);
    this.listener.shown(member.id);
  }

  private isDoubtable(member: Member): boolean {
    return member.status === "up" || member.status === "suspect";
  }

  /** The one place where a replica is declared down. */
  private declareDown(member: Member, why: string): void {
    member.status = "down";
    member.suspicion = undefined;
    this.plan(member.heardAt + this.settings.evictAfterMs);
    this.say("replica-down", "warn", `${member.id} is down: ${why}`, member);
    this.listener.hidden(member.id);
  }

  private evict(member: Member, reason: LeaveReason): void {
    this.members.delete(member.id);
    this.cancelReturn(member);
    this.pastLives.end(member.id, member.counter);
    this.say("replica-evicted", "info", `${member.id} is forgotten (${reason})`, member, { reason });
    this.listener.evicted(member.id, reason);
  }

  private plan(at: Millis): void {
    if (at < this.nextDeadline) this.nextDeadline = at;
  }

  private say(
    type: Notice["type"],
    level: Notice["level"],
    message: string,
    member?: Member,
    facts: Record<string, unknown> = {},
  ): void {
    if (member !== undefined) this.listener.changed(member.id);
    const about = member === undefined ? {} : { replica: member.id, counter: member.counter };
    this.listener.notice({ type, level, message, ...about, ...facts });
  }
}
