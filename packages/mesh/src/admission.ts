/**
 * How do two nodes that dial each other at once end with one link, the same at both ends, and never with none?
 *
 * Three rules make it so.
 *
 * 1. A dialler proves itself only while it has no link with that peer, and on one connection at a time. So whoever
 *    sends a proof says: "as I write this, I have no link with you."
 * 2. The acceptor alone decides, when the proof arrives; the dialler does as it is told. No connection is ever judged
 *    twice, so the two ends cannot judge it differently.
 * 3. Where both have a proof on its way to the other, the one dialled by the smaller replica id is kept: the smaller
 *    refuses the other's, the larger accepts. Both can tell, each from its own side alone.
 *
 * What is left are links that the acceptor believes in when a proof arrives. If the dialler of that link is the one
 * who proves itself now, it has given the link up (rule 1). If we dialled that link, then either the peer had it and
 * lost it, or it wrote its proof before it accepted ours, and will be content with ours. To tell these apart a proof
 * names the last link that its writer lost: if that is the link we believe in, it is stale and must give way at once,
 * without waiting for a silence to be noticed.
 *
 * Links of other incarnations and other processes are compared first: one name is one link, with its newest life. Another
 * process of our own name gets a link like any other, unless it has our very id: over that link the two find out which of
 * them stops.
 */
import { incarnationOf, type ReplicaId } from "@presently/replica";
import { type Refusal, refusal } from "./refusal.ts";

/** Which end of a connection one is. */
export type Role = "dialler" | "acceptor";

/** An authenticated peer that asks for a link, on one connection. */
export interface Candidate {
  readonly replica: ReplicaId;
  readonly instance: string;
  /** Where it is, for people. */
  readonly address: string;
  /** The last link it lost with us; known only to the acceptor. */
  readonly lostLinkId?: string | undefined;
}

/** The link that we have with a node. */
export interface Incumbent {
  readonly replica: ReplicaId;
  readonly instance: string;
  readonly address: string;
  readonly linkId: string;
  /** Our end of it. */
  readonly role: Role;
}

/** What the judging node knows at that moment. */
export interface Standing {
  readonly replica: ReplicaId;
  readonly instance: string;
  /** Where we are, for people. */
  readonly address: string;
  /** Our end of the connection that is judged. */
  readonly role: Role;
  /** The link with the candidate's node name, if there is one. */
  readonly incumbent: Incumbent | undefined;
  /** Whether a proof of ours is on its way to this very replica, on another connection. */
  readonly proving: boolean;
  /** Whether `linksMax` is reached. */
  readonly full: boolean;
}

/**
 * Why this connection must not become a link, or undefined if it may; then it replaces the incumbent, if any.
 * As dialler one asks before the proof is sent, as acceptor when it has come.
 */
export function judge(standing: Standing, candidate: Candidate): Refusal | undefined {
  if (candidate.instance === standing.instance) {
    return refusal("SELF", "the node reached itself");
  }
  if (candidate.replica === standing.replica) {
    // Which of the two must step back is for the acceptor to say, so that both do not.
    return standing.role === "dialler" ? undefined : taken(candidate, standing.address);
  }
  return (
    judgeAgainstIncumbent(standing, candidate) ??
    judgeAgainstOwnProof(standing, candidate) ??
    (standing.full && standing.incumbent === undefined
      ? refusal("LINKS_FULL", "the node has as many links as it may (linksMax)")
      : undefined)
  );
}

function judgeAgainstIncumbent(standing: Standing, candidate: Candidate): Refusal | undefined {
  const { incumbent, role } = standing;
  if (incumbent === undefined) return undefined;
  const linked = incarnationOf(incumbent.replica);
  if (linked > incarnationOf(candidate.replica)) return stale(candidate, incumbent);
  if (linked < incarnationOf(candidate.replica)) return undefined;
  if (incumbent.instance !== candidate.instance) return taken(candidate, incumbent.address);
  const givenUp =
    role === "acceptor" && (incumbent.role === "acceptor" || incumbent.linkId === candidate.lostLinkId);
  return givenUp ? undefined : refusal("DUPLICATE", `there is a link with ${candidate.replica} already`);
}

function judgeAgainstOwnProof(standing: Standing, candidate: Candidate): Refusal | undefined {
  if (!standing.proving) return undefined;
  const oursIsKept = standing.role === "dialler" || standing.replica < candidate.replica;
  return oursIsKept ? refusal("DUPLICATE", `a link with ${candidate.replica} is under way`) : undefined;
}

function taken({ replica, address }: Candidate, holder: string): Refusal {
  const reason = `the process at ${address} has the replica id ${replica} of another process, at ${holder}`;
  return { ...refusal("REPLICA_ID_TAKEN", reason), holder };
}

function stale({ replica }: Candidate, newer: Incumbent): Refusal {
  const reason = `${replica} is older than ${newer.replica}, which there is a link with already`;
  const newest = incarnationOf(newer.replica);
  return { ...refusal("STALE_INCARNATION", reason), newest, holder: newer.address };
}
