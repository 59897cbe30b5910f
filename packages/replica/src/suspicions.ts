/**
 * From the first doubt to the verdict: a replica whose link is lost, or that is silent, is redialled, and other peers
 * are asked whether they can hear it. Who can neither be reached nor vouched for is down before its time.
 */
import type { ReplicaId } from "@presently/crdt";
import type { Member } from "./member.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis } from "./outbox.ts";

export interface SuspicionsListener {
  /** It is doubted from now on. */
  suspected(member: Member): void;
  /** Ask these peers whether they can hear it. */
  probe(peers: readonly ReplicaId[], replica: ReplicaId): void;
  /** Try to reach it now. */
  redial(replica: ReplicaId): void;
  /** Something falls due then. */
  plan(at: Millis): void;
  /** The verdict. */
  down(member: Member, why: string): void;
}

/** A link that breaks and is back within so many probes is no reason for anybody to leave. */
const DOUBTS = 3;

export class Suspicions {
  /** Our own tick came late: until then nobody is declared down. */
  holdUntil: Millis = Number.NEGATIVE_INFINITY;
  private readonly members: ReadonlyMap<ReplicaId, Member>;
  private readonly links: ReadonlySet<ReplicaId>;
  private readonly settings: ReplicaSettings;
  private readonly listener: SuspicionsListener;

  /**
   * @param members all that are known; whom to ask is looked up in them
   * @param links those that we have a link with
   */
  constructor(
    members: ReadonlyMap<ReplicaId, Member>,
    links: ReadonlySet<ReplicaId>,
    settings: ReplicaSettings,
    listener: SuspicionsListener,
  ) {
    this.members = members;
    this.links = links;
    this.settings = settings;
    this.listener = listener;
  }

  begin(member: Member, now: Millis): void {
    member.status = "suspect";
    member.suspicion = { since: now, denials: new Set(), unreachable: false, nextProbeAt: now };
    this.listener.suspected(member);
    if (!this.links.has(member.id)) this.listener.redial(member.id);
    this.probe(member, now);
  }

  /** Asks again, if it is still doubted. */
  probe(member: Member, now: Millis): void {
    const suspicion = member.suspicion;
    if (suspicion === undefined) return;
    suspicion.nextProbeAt = now + this.settings.probeIntervalMs;
    this.listener.plan(suspicion.nextProbeAt);
    const voters = this.votersOn(member);
    if (voters.length > 0) this.listener.probe(voters, member.id);
    this.judge(member, now);
  }

  /** The transport could not reach it. */
  unreachable(member: Member, now: Millis): void {
    if (member.suspicion === undefined) return;
    member.suspicion.unreachable = true;
    this.judge(member, now);
  }

  /** A peer that was asked says whether it hears it. */
  answered(member: Member, from: ReplicaId, vouches: boolean, now: Millis): void {
    if (member.suspicion === undefined) return;
    if (vouches) member.suspicion.denials.delete(from);
    else member.suspicion.denials.add(from);
    this.judge(member, now);
  }

  private votersOn(member: Member): ReplicaId[] {
    const voters: ReplicaId[] = [];
    for (const peer of this.links) {
      if (peer !== member.id && this.members.get(peer)?.status === "up") voters.push(peer);
      if (voters.length === this.settings.heartbeatFanout) break;
    }
    return voters;
  }

  /** Down before its time: only if it cannot be reached, and none of those we can ask hears it. */
  private judge(member: Member, now: Millis): void {
    const suspicion = member.suspicion;
    if (suspicion === undefined || !suspicion.unreachable || this.links.has(member.id)) return;
    if (now < this.holdUntil || now - suspicion.since < DOUBTS * this.settings.probeIntervalMs) return;
    if (this.votersOn(member).every((voter) => suspicion.denials.has(voter))) {
      this.listener.down(member, "it cannot be reached and nobody else hears it");
    }
  }
}
