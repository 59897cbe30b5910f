/**
 * Who is in a presence channel, as users: the people of its topic, and what is said of each.
 *
 * Whose `user_info` counts, when a user has several connections? That of the first, until all have gone. Each entry says what
 * the first said, and when: who comes later repeats it. Two that came at once, at two nodes, learn of each other afterwards;
 * then the earlier one counts, by time and then by node, and the other is told to repeat it.
 *
 * Pure: the same changes give the same events.
 */
import type { PeopleChange, Presence } from "presently";
import { isEnvelope, saidIn } from "presently/drop-in";
import type { Member } from "./frames.ts";

/** What a client is told. */
export type MemberEvent =
  | { readonly type: "added"; readonly member: Member }
  | { readonly type: "removed"; readonly id: string };

/** The word of the first connection of a user: what it said, and when. */
export interface FirstWord {
  readonly info: unknown;
  readonly at: number;
}

interface Held extends FirstWord {
  readonly node: string;
}

export class Members {
  readonly #held = new Map<string, Held>();
  /** Entries that are shown, by user and reference. */
  readonly #entries = new Map<string, Map<string, Presence>>();

  get size(): number {
    return this.#held.size;
  }

  get(id: string): FirstWord | undefined {
    return this.#held.get(id);
  }

  list(): Member[] {
    return Array.from(this.#held, ([id, { info }]) => ({ id, info }));
  }

  /** Takes in what `watchPeople` tells. Cost: O(change, and entries of the users in it). */
  apply(change: PeopleChange): MemberEvent[] {
    if (change.type === "state") {
      this.#held.clear();
      this.#entries.clear();
      for (const { key, presences } of change.people) this.#join(key, presences);
      return [];
    }
    const told: MemberEvent[] = [];
    for (const event of change.events) {
      const { key: id } = event;
      if (event.type === "leave") {
        this.#held.delete(id);
        this.#entries.delete(id);
        told.push({ type: "removed", id });
      } else if (event.type === "join") {
        this.#join(id, event.presences);
        told.push(this.#added(id));
      } else {
        const entries = this.#entries.get(id)!;
        for (const { before, after } of event.updates) {
          entries.delete(before.ref);
          entries.set(after.ref, after);
        }
        for (const { presence } of event.leaves) entries.delete(presence.ref);
        for (const presence of event.joins) entries.set(presence.ref, presence);
        const { info } = this.#held.get(id)!;
        this.#settle(id);
        if (JSON.stringify(this.#held.get(id)!.info) !== JSON.stringify(info)) told.push(this.#added(id));
      }
    }
    return told;
  }

  #join(id: string, presences: readonly Presence[]): void {
    this.#entries.set(id, new Map(presences.map((presence) => [presence.ref, presence])));
    this.#settle(id);
  }

  #added(id: string): MemberEvent {
    return { type: "added", member: { id, info: this.#held.get(id)!.info } };
  }

  /** A user all of whose entries were lost a moment ago says what they said. */
  #settle(id: string): void {
    let first: Held | undefined;
    for (const presence of this.#entries.get(id)!.values()) {
      const word = wordOf(presence);
      if (first === undefined || isBefore(word, first)) first = word;
    }
    if (first !== undefined) this.#held.set(id, first);
  }
}

/** What comes by another protocol says no time, and counts only where nobody else says anything. */
function wordOf({ meta, node }: Presence): Held {
  const { info, at } = saidIn(meta);
  return { info, at: isEnvelope(meta) ? at : Number.MAX_SAFE_INTEGER, node };
}

function isBefore(one: Held, other: Held): boolean {
  return one.at === other.at ? one.node < other.node : one.at < other.at;
}
