/** What a process sends: no more of a log than may be kept, and something at once to a peer whose link has room again. */
import { decodeMessage, type Notice } from "@presently/replica";
import type { Direction } from "./connection.ts";
import { InvariantError } from "./errors.ts";
import type { ClusterObserver } from "./observer.ts";
import type { SimulatedProcess } from "./process.ts";

/** Types of messages. */
const [HEARTBEAT, SYNC] = [17, 19];

export class WireOracle implements ClusterObserver {
  /** The answer that a part was last sent of on each way, and how much of each origin's log was in it. */
  private readonly answers = new WeakMap<Direction, { pull: number; sizes: Map<string, number> }>();
  /** Ways that have room again, and over which no digest has gone since. */
  private readonly drainedBy = new WeakMap<SimulatedProcess, Set<Direction>>();

  sent(direction: Direction, frame: Uint8Array): void {
    if (frame[1] === HEARTBEAT) this.drainedBy.get(direction.sender.process)?.delete(direction);
    if (frame[1] === SYNC) this.checkLog(direction, frame);
  }

  drained(direction: Direction): void {
    const { process } = direction.sender;
    this.drainedBy.set(process, (this.drainedBy.get(process) ?? new Set()).add(direction));
  }

  /** @throws {InvariantError} `progress` */
  input(process: SimulatedProcess): void {
    const drained = this.drainedBy.get(process);
    if (drained === undefined) return;
    this.drainedBy.delete(process);
    if (process.ended || process.leaving || process.superseded) return;
    for (const { sender } of drained) {
      if (sender.open)
        throw new InvariantError(
          "progress",
          `${process.id} says nothing to ${sender.peer}, whose link has room again for what it was not sent`,
        );
    }
  }

  /** @throws {InvariantError} `progress` */
  notice(process: SimulatedProcess, { type, replica }: Notice): void {
    if (type !== "pull-timeout") return;
    for (const { peer } of process.links()) if (peer === replica) return;
    throw new InvariantError(
      "progress",
      `${process.id} has waited for an answer of ${replica}, with which it has no link any more`,
    );
  }

  /** @throws {InvariantError} `buffers`. Cost: O(frame). */
  private checkLog(direction: Direction, frame: Uint8Array): void {
    const message = decodeMessage(frame);
    if (message?.type !== "sync") return;
    const before = this.answers.get(direction);
    const answer = before?.pull === message.pull ? before : { pull: message.pull, sizes: new Map() };
    // Whoever goes on under another id counts its pulls from the beginning: the same number, and another answer.
    if (message.last) this.answers.delete(direction);
    else this.answers.set(direction, answer);
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
