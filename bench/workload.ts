/** What most questions about cost work on: 100,000 entries over 100 topics, each with a meta of three fields. */
import { createNode, type PresentlyNode } from "presently";

export const ENTRIES = 100_000;
const TOPICS = 100;

/** Stands under every table with a column of Phoenix.Tracker. */
export const TRACKER_NOTE =
  "Phoenix.Tracker (phoenix_pubsub 2.2 on OTP 25) was measured on another day, on such a 2-core machine with this workload.";

/** One entry to be: its topic, its key and its first meta. Texts are flat, as they are when they come from a socket. */
export interface Person {
  readonly topic: string;
  readonly key: string;
  readonly meta: Meta;
}

export interface Meta extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly online_at: number;
  readonly status: string;
}

/** `count` people with keys of their own, in turn on each of the topics. */
export function people(count = ENTRIES, topics: number = TOPICS): Person[] {
  const names = Array.from({ length: topics }, (_, index) => flat(`room:${index}`));
  return Array.from({ length: count }, (_, index) => ({
    topic: names[index % topics]!,
    key: flat(`user-${index}`),
    meta: metaOf(index, "online"),
  }));
}

export function metaOf(index: number, status: string): Meta {
  return { name: flat(`Person ${index}`), online_at: 1_700_000_000 + index, status };
}

/** A text in one piece. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

/** A node without links. */
export function nodeAlone(): Promise<PresentlyNode> {
  return createNode({ name: "alone", cluster: "bench", logLevel: "silent" });
}

/** Milliseconds that `work` takes, on a heap that has just been cleaned up. */
export function timed(work: () => void): number {
  globalThis.gc?.();
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

/** A turn of the event loop and more: what waits to be flushed, or to be freed, has its time. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
