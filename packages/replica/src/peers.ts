/** The peers that this replica has a link with, in the order in which they are asked for what is missing. */
import type { ReplicaId } from "@presently/crdt";
import type { Outbox } from "./outbox.ts";
import { Peer } from "./peer.ts";

/** Those that a message may go to now, and how many go without because they do not keep up. */
export interface ReadyPeers {
  readonly ready: readonly ReplicaId[];
  readonly skipped: number;
}

const everybody = (_: ReplicaId) => true;

export class Peers {
  private readonly linked = new Map<ReplicaId, Peer>();
  private readonly outbox: Pick<Outbox, "congested">;

  constructor(outbox: Pick<Outbox, "congested">) {
    this.outbox = outbox;
  }

  /** A link is open: what was known of an earlier one does not count for it. */
  add(id: ReplicaId): Peer {
    const peer = new Peer(id);
    this.linked.set(id, peer);
    return peer;
  }

  /** The link is gone; answers whether there was one. */
  delete(id: ReplicaId): boolean {
    return this.linked.delete(id);
  }

  get(id: ReplicaId): Peer | undefined {
    return this.linked.get(id);
  }

  has(id: ReplicaId): boolean {
    return this.linked.has(id);
  }

  all(): Iterable<Peer> {
    return this.linked.values();
  }

  ids(): Iterable<ReplicaId> {
    return this.linked.keys();
  }

  ready(isWanted: (peer: ReplicaId) => boolean = everybody): ReadyPeers {
    const ready: ReplicaId[] = [];
    let wanted = 0;
    for (const peer of this.linked.keys()) {
      if (!isWanted(peer)) continue;
      wanted++;
      if (!this.outbox.congested(peer)) ready.push(peer);
    }
    return { ready, skipped: wanted - ready.length };
  }

  /** Whether everything has come that each of them has claimed once since its link opened. */
  get caughtUp(): boolean {
    for (const peer of this.linked.values()) if (!peer.caughtUp) return false;
    return true;
  }

  /** From now on the others are asked before this one. */
  askLast(id: ReplicaId): void {
    const peer = this.linked.get(id);
    if (peer === undefined) return;
    this.linked.delete(id);
    this.linked.set(id, peer);
  }
}
