/** How often the drop-ins of a node have refused clients, for its metrics: by the protocol, and by the reason. */
import type { Protocol } from "../access/access.ts";
import type { RefusalReason } from "./gate.ts";

/** Why: `forbidden` is what a client that is in may not do, the others are why one is not let in. */
type Reason = RefusalReason | "forbidden";

/** Counts since they were made, by the reason. */
export type RefusalCounts = Readonly<Record<Reason, number>>;

/** As `RefusalCounts`, for whoever counts. */
export type RefusalTally = Record<Reason, number>;

/** All drop-ins of one protocol at a node count together, and go on where one left off that has been closed. */
const tallies = new WeakMap<object, Map<Protocol, RefusalTally>>();

/** A tally of nothing. */
export function newTally(): RefusalTally {
  return { starting: 0, unauthenticated: 0, "too-many": 0, failed: 0, forbidden: 0 };
}

/** Where the drop-ins of a protocol count what they refuse at this node. */
export function tallyAt(node: object, protocol: Protocol): RefusalTally {
  const ofNode = tallies.get(node) ?? new Map<Protocol, RefusalTally>();
  tallies.set(node, ofNode);
  const tally = ofNode.get(protocol) ?? newTally();
  ofNode.set(protocol, tally);
  return tally;
}

/** What was refused at this node since the first drop-in of each protocol was attached. */
export function refusalsAt(node: object): ReadonlyMap<Protocol, RefusalCounts> {
  return tallies.get(node) ?? new Map();
}
