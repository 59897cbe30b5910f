/**
 * Over which third node does a message reach a member that we have no link with?
 *
 * Who wants to know asks its peers. Each says whether it has a link with that member, and says so again whenever that
 * changes, for as long as its link with the asker lasts. So a route is known before anything is sent over it, and a route
 * that breaks is known to be broken.
 */
import type { ReplicaId } from "@presently/crdt";
import type { Message, ReachesMessage } from "../messages.ts";
import type { Millis } from "../outbox.ts";

/** A peer that does not say within this time whether it can pass on is not waited for. */
const ANSWER_TIMEOUT_MS = 1_000;
/** Replicas that one question names. */
const REPLICAS_PER_FRAME = 500;

export interface RoutesPort {
  /** Peers that can be asked: they have links with us, and pass messages on. */
  readonly relays: () => ReadonlySet<ReplicaId>;
  readonly send: (peers: readonly ReplicaId[], message: Message) => void;
  /** A route is known, or none of the peers has one. */
  readonly settled: (replica: ReplicaId) => void;
  /** What was sent to the replica over this route may not have arrived. */
  readonly broken: (replica: ReplicaId) => void;
  readonly wake: (delayMs: number) => void;
}

/** What is known of the ways to one replica. */
interface Target {
  /** The peer that messages go over; it does not change while it can pass them on. */
  via: ReplicaId | undefined;
  readonly open: Set<ReplicaId>;
  readonly asked: Set<ReplicaId>;
  /** Those of the asked ones that have not answered. */
  readonly silent: Set<ReplicaId>;
  /** Until when their answers are waited for; undefined before the next tick. */
  until: Millis | undefined;
}

/** The routes of one replica to members that it has no link with. */
export class Routes {
  private readonly targets = new Map<ReplicaId, Target>();
  private readonly port: RoutesPort;

  constructor(port: RoutesPort) {
    this.port = port;
  }

  /** The peer over which messages reach `replica`; `looking` while peers are asked, undefined if none of them can. */
  to(replica: ReplicaId): ReplicaId | "looking" | undefined {
    const target = this.targets.get(replica) ?? this.look(replica);
    return target.via ?? (target.silent.size > 0 ? "looking" : undefined);
  }

  /** The peer over which messages went lately; undefined if there was none. */
  knownTo(replica: ReplicaId): ReplicaId | undefined {
    return this.targets.get(replica)?.via;
  }

  private look(replica: ReplicaId): Target {
    const target: Target = {
      via: undefined,
      open: new Set(),
      asked: new Set(),
      silent: new Set(),
      until: undefined,
    };
    this.targets.set(replica, target);
    const relays = [...this.port.relays()];
    for (const relay of relays) {
      target.asked.add(relay);
      target.silent.add(relay);
    }
    if (relays.length === 0) return target;
    this.port.send(relays, { type: "reach", replicas: [replica] });
    this.port.wake(ANSWER_TIMEOUT_MS);
    return target;
  }

  /** A peer that can be asked is there: it is asked for all that a route is wanted to. */
  relayUp(relay: ReplicaId): void {
    const wanted: ReplicaId[] = [];
    for (const [replica, { asked, silent }] of this.targets) {
      if (replica === relay || asked.has(relay)) continue;
      asked.add(relay);
      silent.add(relay);
      wanted.push(replica);
    }
    for (let start = 0; start < wanted.length; start += REPLICAS_PER_FRAME)
      this.port.send([relay], { type: "reach", replicas: wanted.slice(start, start + REPLICAS_PER_FRAME) });
  }

  /** A peer's link is gone, and with it what was sent over it. */
  relayDown(relay: ReplicaId): void {
    for (const [replica, target] of this.targets) {
      target.asked.delete(relay);
      this.close(replica, target, relay);
    }
  }

  /** A peer says whom it can pass messages on to. What nobody has asked it for is ignored. */
  answered(relay: ReplicaId, { open, closed }: ReachesMessage): void {
    for (const replica of closed) {
      const target = this.targets.get(replica);
      if (target?.asked.has(relay)) this.close(replica, target, relay);
    }
    for (const replica of open) {
      const target = this.targets.get(replica);
      if (!target?.asked.has(relay)) continue;
      target.silent.delete(relay);
      target.open.add(relay);
      this.choose(replica, target);
    }
  }

  private close(replica: ReplicaId, target: Target, relay: ReplicaId): void {
    const wasSilent = target.silent.delete(relay);
    target.open.delete(relay);
    if (target.via === relay) {
      target.via = undefined;
      this.port.broken(replica);
      this.choose(replica, target);
    } else if (wasSilent && target.via === undefined && target.silent.size === 0) this.port.settled(replica);
  }

  private choose(replica: ReplicaId, target: Target): void {
    if (target.via !== undefined) return;
    const [via] = target.open;
    if (via === undefined && target.silent.size > 0) return;
    target.via = via;
    this.port.settled(replica);
  }

  /** No route is wanted: there is a link, or the replica is gone. */
  forget(replica: ReplicaId): void {
    this.targets.delete(replica);
  }

  /** Waits no longer for who does not answer; returns when it next wants to be called. Cost: O(targets). */
  tick(now: Millis): Millis {
    let next = Number.POSITIVE_INFINITY;
    for (const [replica, target] of this.targets) {
      if (target.silent.size === 0) {
        target.until = undefined;
        continue;
      }
      target.until ??= now + ANSWER_TIMEOUT_MS;
      if (now < target.until) {
        next = Math.min(next, target.until);
        continue;
      }
      target.silent.clear();
      target.until = undefined;
      if (target.via === undefined) this.port.settled(replica);
    }
    return next;
  }
}
