/** What may be read of the replicated state without a way to change it. */
import type { ObservedRemoveSet } from "@presently/crdt";
import type { Presence } from "./presence.ts";

/** Vectors, digests, entries by origin and event number, and what waits; see `ObservedRemoveSet`. */
export type StateView = Pick<
  ObservedRemoveSet<Presence>,
  "vector" | "vectorOf" | "digest" | "originIds" | "entriesOf" | "pendingOf" | "aheadOf" | "isEvicted"
>;
