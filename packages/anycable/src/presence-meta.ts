/**
 * How a presence of AnyCable is an entry of the node's roster: topic = stream, key = id, and a meta that holds the info
 * with the time of the join that said it, by which all nodes find the same one to be the latest.
 *
 * What others track on the topic (other protocols, the node's own API) is shown too: its whole meta is the info.
 */
import type { Meta } from "presently";

const STAMP = "$at";

export interface StampedInfo {
  /** Any JSON; undefined if there is none. */
  readonly info: unknown;
  /** Larger than that of every join of the same id that was known; 0 of what others track. */
  readonly at: number;
}

export function metaOf({ info, at }: StampedInfo): Meta {
  return info === undefined ? { [STAMP]: at } : { info, [STAMP]: at };
}

export function infoIn(meta: Meta): StampedInfo {
  const at = meta[STAMP];
  if (typeof at === "number") return { info: meta.info, at };
  return { info: Object.keys(meta).length === 0 ? undefined : meta, at: 0 };
}
