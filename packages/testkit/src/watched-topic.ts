/** A watched topic as an application sees it: the first state, and every diff after it. Checks that they make sense. */
import type { Presence, TopicChange } from "@presently/replica";
import { InvariantError } from "./errors.ts";

/** Follows one topic by what its watcher is told, and throws an `InvariantError` at a diff that does not follow. */
export class WatchedTopic {
  /** Everybody who is there by what was told, by reference. */
  readonly present = new Map<string, Presence>();
  /** Every change in short: `+key`, `-key reason`, `~key`; the state at the start is none. */
  readonly events: string[] = [];
  readonly topic: string;
  private readonly owner: string;
  private number: number | undefined = undefined;

  /** @param owner for messages: whose watcher it is */
  constructor(topic: string, owner: string) {
    this.topic = topic;
    this.owner = owner;
  }

  /** @throws {InvariantError} for a join of who is there, a leave of who is not, a hole in the numbers */
  apply(change: TopicChange): void {
    if (change.type === "state") {
      if (this.number !== undefined) this.fail("was told the state twice");
      this.number = change.number;
      for (const presence of change.presences) this.present.set(presence.ref, presence);
      return;
    }
    if (this.number === undefined || change.number !== this.number + 1)
      this.fail(`was told diff ${change.number} after ${this.number ?? "nothing"}`);
    this.number = change.number;
    for (const { presence, reason } of change.leaves) {
      this.take(presence, "leave");
      this.events.push(`-${presence.key} ${reason}`);
    }
    for (const { before, after } of change.updates) {
      if (before.key !== after.key || before.topic !== after.topic)
        this.fail(`was told that ${before.ref} turned into ${after.ref}, of another key`);
      this.take(before, "update");
      this.put(after, "update");
      this.events.push(`~${after.key}`);
    }
    for (const presence of change.joins) {
      this.put(presence, "join");
      this.events.push(`+${presence.key}`);
    }
  }

  private take(presence: Presence, what: string): void {
    if (!this.present.delete(presence.ref))
      this.fail(`was told of a ${what} of ${presence.key} (${presence.ref}), who was not there`);
  }

  private put(presence: Presence, what: string): void {
    if (presence.topic !== this.topic) this.fail(`was told of a ${what} on ${presence.topic}`);
    if (this.present.has(presence.ref))
      this.fail(`was told of a second ${what} of ${presence.key} (${presence.ref})`);
    this.present.set(presence.ref, presence);
  }

  private fail(what: string): never {
    throw new InvariantError("diffs", `${this.owner}'s watcher of ${this.topic} ${what}`);
  }
}
