/**
 * How a presence of AnyCable is an entry of the node's roster: topic = stream, key = id, and a meta that holds the info
 * with the time of the join that said it, by which all nodes find the same one to be the latest.
 *
 * What others track on the topic (other protocols, the node's own API) is shown too: what they say is the info.
 */
import type { Meta } from "presently";
import { envelope, type Said, saidIn } from "presently/drop-in";

/** The `info` of a join (any JSON, undefined if there is none), and `at`: later than every join of the id that was known. */
export type StampedInfo = Said;

export function metaOf(said: StampedInfo): Meta {
  return envelope(said);
}

export function infoIn(meta: Meta): StampedInfo {
  // Who said nothing at all elsewhere has no info here, rather than an empty one.
  return Object.keys(meta).length === 0 ? { info: undefined, at: 0 } : saidIn(meta);
}
