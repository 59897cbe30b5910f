/** What one replica knows of another's liveness. */
import { incarnationOf, nameOf, type ReplicaId } from "@presently/crdt";
import type { Millis } from "./outbox.ts";

export type MemberStatus = "up" | "suspect" | "leaving" | "down";

/** What is under way while a lost link is being looked into. */
export interface Suspicion {
  readonly since: Millis;
  /** Peers that could not vouch for it since the link was lost. */
  readonly denials: Set<ReplicaId>;
  /** Whether the transport has failed to reach it since. */
  unreachable: boolean;
  nextProbeAt: Millis;
}

export class Member {
  readonly id: ReplicaId;
  readonly name: string;
  readonly incarnation: number;
  status: MemberStatus = "up";
  /** Its highest heartbeat counter heard by any path. */
  counter: number;
  /** When the counter last advanced, by our clock. */
  heardAt: Millis;
  /** When we learnt of that, which may have been a while after it happened. */
  learntAt: Millis;
  /** Through whom it last advanced: the replica itself, or a peer that passed it on. */
  heardFrom: ReplicaId;
  suspicion: Suspicion | undefined = undefined;
  /** While down, once it was heard again: when its entries count at the latest, whether or not we have caught up with it. */
  returnsAt: Millis | undefined = undefined;
  /** While leaving: when its hand-off ends. */
  leavesAt: Millis = Number.POSITIVE_INFINITY;

  constructor(id: ReplicaId, counter: number, heardAt: Millis, learntAt: Millis, heardFrom: ReplicaId) {
    this.id = id;
    this.name = nameOf(id);
    this.incarnation = incarnationOf(id);
    this.counter = counter;
    this.heardAt = heardAt;
    this.learntAt = learntAt;
    this.heardFrom = heardFrom;
  }

  /** Whether its entries are shown. */
  get counted(): boolean {
    return this.status !== "down";
  }
}
