/**
 * Diffs are told as what they are: an update is never a leave and a join, and a key that appears elsewhere while a leaver's
 * hand-off lasts is neither.
 */
import type { Presence, TopicDiff } from "@presently/replica";
import { InvariantError } from "./errors.ts";
import type { ClusterObserver } from "./observer.ts";
import type { SimulatedProcess } from "./process.ts";

export class DiffOracle implements ClusterObserver {
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
}
