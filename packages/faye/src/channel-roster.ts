/** What the subscribers of a channel are told when the list of the cluster changes: who came first, and who went last. */
import type { Leave, LeaveReason, Presence, TopicChange } from "presently";
import { latestOf } from "./presence-value.ts";

/** The first client of an id has come, or the last one has gone. */
export type RosterEvent =
  | { readonly type: "subscribe"; readonly id: string; readonly presence: Presence }
  | {
      readonly type: "unsubscribe";
      readonly id: string;
      readonly presence: Presence;
      readonly reason: LeaveReason;
    };

/** How many clients each id has. Fed with everything that a watcher is told, it says what that means for ids. */
export class ChannelRoster {
  readonly #counts = new Map<string, number>();

  get empty(): boolean {
    return this.#counts.size === 0;
  }

  /** Ids that are present. */
  ids(): IterableIterator<string> {
    return this.#counts.keys();
  }

  /**
   * The events of one change, those who went before those who came. An id that changed hands, or that only got another
   * value, is none. Cost: O(change).
   */
  apply(change: TopicChange): RosterEvent[] {
    const touched = new Map<string, Touched>();
    const touch = (id: string) => {
      const known = touched.get(id) ?? { joins: [], leaves: [] };
      touched.set(id, known);
      return known;
    };
    if (change.type === "state") for (const join of change.presences) touch(join.key).joins.push(join);
    else {
      for (const join of change.joins) touch(join.key).joins.push(join);
      for (const leave of change.leaves) touch(leave.presence.key).leaves.push(leave);
    }
    const gone: RosterEvent[] = [];
    const come: RosterEvent[] = [];
    for (const [id, { joins, leaves }] of touched) {
      const before = this.#counts.get(id) ?? 0;
      const after = before + joins.length - leaves.length;
      if (after === 0) this.#counts.delete(id);
      else this.#counts.set(id, after);
      if (before > 0 && after === 0) gone.push({ type: "unsubscribe", id, ...leaves.at(-1)! });
      if (before === 0 && after > 0) come.push({ type: "subscribe", id, presence: latestOf(joins)! });
    }
    return [...gone, ...come];
  }
}

interface Touched {
  readonly joins: Presence[];
  readonly leaves: Leave[];
}
