/** What operators are told of the replicas. */
import { nameOf, type ObservedRemoveSet } from "@presently/crdt";
import type { Entry } from "./entry.ts";
import type { Member } from "./member.ts";
import type { Millis } from "./outbox.ts";
import type { Peer } from "./peer.ts";
import type { ReplicaReport } from "./presence.ts";

export function reportOnSelf(set: ObservedRemoveSet<Entry>): ReplicaReport {
  return {
    replica: set.replica,
    node: nameOf(set.replica),
    status: "self",
    entries: set.entriesOf(set.replica).size,
    events: set.vectorOf(set.replica),
    hash: set.hashOf(set.replica),
    heardAgoMs: 0,
    linked: false,
    agrees: undefined,
    agreedAgoMs: undefined,
  };
}

export function reportOn(
  member: Member,
  set: ObservedRemoveSet<Entry>,
  peer: Peer | undefined,
  now: Millis,
): ReplicaReport {
  return {
    replica: member.id,
    node: member.name,
    status: member.status,
    entries: set.entriesOf(member.id).size,
    events: set.vectorOf(member.id),
    hash: set.hashOf(member.id),
    heardAgoMs: Math.max(0, Math.round(now - member.heardAt)),
    linked: peer !== undefined,
    agrees: peer?.agrees,
    agreedAgoMs: peer?.agreedAt === undefined ? undefined : Math.round(now - peer.agreedAt),
  };
}
