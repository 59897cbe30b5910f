/**
 * How does one name a write so that every replica names it alike, without asking anyone?
 *
 * By a dot: the replica that made it, and the number of the event there, counted 1, 2, 3 … without holes.
 * A replica is one life of a node, so a restarted node counts from 1 again under another replica id.
 * Source: Preguiça, Baquero, Almeida, Fonte, Gonçalves, "Dotted Version Vectors", arXiv 1011.5808.
 */

declare const brand: unique symbol;

/** One life of one node, written `name@incarnation`; the replica of the CRDT. */
export type ReplicaId = string & { readonly [brand]: "ReplicaId" };

/** The number of an event at its replica: 1, 2, 3 …; 0 stands for "none". */
export type EventNumber = number;

/** `(replica id, event number)`: names an event and, if the event added an entry, that entry. */
export interface Dot {
  readonly origin: ReplicaId;
  readonly number: EventNumber;
}

/** The replica id of life `incarnation` (an integer ≥ 0) of the node `name`. */
export function replicaId(name: string, incarnation: number): ReplicaId {
  return `${name}@${incarnation}` as ReplicaId;
}

/** The name in a replica id. A name may itself contain `@`: the last one counts. */
export function nameOf(replica: ReplicaId): string {
  return replica.slice(0, replica.lastIndexOf("@"));
}

/** The incarnation in a replica id. */
export function incarnationOf(replica: ReplicaId): number {
  return Number(replica.slice(replica.lastIndexOf("@") + 1));
}

/** Whether a text from outside is a replica id: a name, `@`, and a safe integer ≥ 0 in decimal. */
export function isReplicaId(text: string): text is ReplicaId {
  const at = text.lastIndexOf("@");
  return (
    at > 0 &&
    /^(0|[1-9]\d{0,15})$/.test(text.slice(at + 1)) &&
    Number.isSafeInteger(Number(text.slice(at + 1)))
  );
}
