/**
 * Diffs are told as what they are: an update is never a leave and a join, and a key that appears elsewhere while a leaver's
 * hand-off lasts is neither. And what goes over the wire stays within what a log may keep.
 */
import { decodeMessage, type Presence, type TopicDiff } from "@presently/replica";
import type { Direction } from "./connection.ts";
import { InvariantError } from "./errors.ts";
import type { ClusterObserver } from "./observer.ts";
import type { SimulatedProcess } from "./process.ts";

const SYNC = 19;

export class DiffOracle implements ClusterObserver {
  /** By sender: the answer that it last sent a part of on each way, and how much of each origin's log was in it. */
  private readonly answers = new WeakMap<Direction, { pull: number; sizes: Map<string, number> }>();

  /** @throws {InvariantError} `updates`, `hand-off` */
  changed(process: SimulatedProcess, { joins, leaves }: TopicDiff): void {
    if (joins.length === 0) return;
    const left = new Set(leaves.map(({ presence }) => presence.ref));
    for (const { key, ref, previousRef } of joins) {
      if (previousRef !== undefined && left.has(previousRef))
        throw new InvariantError(
          "updates",
          `${process.id} was told that ${key} (${previousRef}) left and ${key} (${ref}) came: that is one update`,
        );
    }
    this.checkHandOff(process, joins);
  }

  private checkHandOff(process: SimulatedProcess, joins: readonly Presence[]): void {
    const reports = process.endpoint.cluster();
    const leaving = new Set(
      reports.filter(({ status }) => status === "leaving").map(({ replica }) => replica),
    );
    if (leaving.size === 0) return;
    const fresh = new Set(joins.map(({ ref }) => ref));
    for (const { topic, key, replica, node } of joins) {
      if (leaving.has(replica)) continue;
      const held = process.endpoint.replica
        .get(topic, key)
        .find((other) => leaving.has(other.replica) && !fresh.has(other.ref));
      if (held !== undefined)
        throw new InvariantError(
          "hand-off",
          `${process.id} was told that ${key} came to ${topic} on ${node}, though ${held.replica} hands it over (${held.ref})`,
        );
    }
  }

  /** @throws {InvariantError} `buffers` when more of a log is sent than may be kept. Cost: O(frame), for parts of answers. */
  sent(direction: Direction, frame: Uint8Array): void {
    if (frame[1] !== SYNC) return;
    const message = decodeMessage(frame);
    if (message?.type !== "sync" || message.deltas.length === 0) return;
    const before = this.answers.get(direction);
    const answer = before?.pull === message.pull ? before : { pull: message.pull, sizes: new Map() };
    this.answers.set(direction, answer);
    const { process } = direction.sender;
    const { logSizeMax } = process.endpoint.replica.settings;
    for (const { origin, numbers, removals } of message.deltas) {
      let size = answer.sizes.get(origin) ?? 0;
      size += numbers.length;
      for (const removal of removals) size += removal.numbers.length;
      answer.sizes.set(origin, size);
      if (size > logSizeMax)
        throw new InvariantError(
          "buffers",
          `${process.id} has kept more than ${logSizeMax} changes of ${origin} in its log`,
        );
    }
  }
}
