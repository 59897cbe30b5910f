/** What a replica keeps about a peer that it has a link with. */
import type { EventNumber, ReplicaId } from "@presently/crdt";
import type { OriginSummary } from "./messages.ts";
import type { Millis } from "./outbox.ts";

export class Peer {
  readonly id: ReplicaId;
  /** Its last digest. */
  digest: ReadonlyMap<ReplicaId, OriginSummary> | undefined = undefined;
  /** Events that it has at least, by its last digest and by what it pushed since. */
  readonly claims = new Map<ReplicaId, EventNumber>();
  /** What of that it had claimed before its last heartbeat: deltas that were on their way from their origin have come by now. */
  olderClaims: ReadonlyMap<ReplicaId, EventNumber> = new Map();
  /** Hash of the digest that we last sent it. */
  digestHashSent: number | undefined = undefined;
  agrees: boolean | undefined = undefined;
  agreedAt: Millis | undefined = undefined;
  /** Same events, other state: to be settled by a full exchange. */
  diverges = false;
  /** Whether we have once had everything that it claimed since the link opened. */
  caughtUp = false;

  constructor(id: ReplicaId) {
    this.id = id;
  }

  claim(replica: ReplicaId, vector: EventNumber): void {
    if (vector > (this.claims.get(replica) ?? 0)) this.claims.set(replica, vector);
  }

  /** Takes in the digest of a heartbeat; undefined: it is what it was. */
  take(digest: readonly OriginSummary[] | undefined): void {
    this.olderClaims = new Map(this.claims);
    if (digest === undefined) return;
    this.digest = new Map(digest.map((summary) => [summary.replica, summary]));
    // What the peer no longer claims it can no longer give.
    this.claims.clear();
    for (const { replica, vector } of digest) this.claims.set(replica, vector);
  }

  agree(now: Millis): void {
    this.agrees = true;
    this.agreedAt = now;
  }
}
