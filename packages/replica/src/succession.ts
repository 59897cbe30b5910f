/**
 * Whose place does an entry take? One that is an update, a coming back, or a taking over from a replica that leaves shows
 * as an update of the entry before it, not as a join beside it.
 */
import type { EventNumber, ObservedRemoveSet, ReplicaId } from "@presently/crdt";
import type { Entry } from "./entry.ts";
import type { Lingering } from "./lingering.ts";
import type { Roster } from "./roster.ts";

export class Succession {
  /** Replicas on their way out, whose keys may be taken over. */
  private readonly leaving = new Set<ReplicaId>();
  /** Own lingering entries whose identities have come back elsewhere, unknown to those who brought them. */
  private returned: Entry[] = [];
  private readonly content: { readonly set: ObservedRemoveSet<Entry> };
  private readonly roster: Roster;
  private readonly lingering: Lingering;

  /** @param content whose set is another one once its replica goes on under another id */
  constructor(content: { readonly set: ObservedRemoveSet<Entry> }, roster: Roster, lingering: Lingering) {
    this.content = content;
    this.roster = roster;
    this.lingering = lingering;
  }

  /** From now on entries with its topics and keys elsewhere take the places of its own. */
  beginHandOff(replica: ReplicaId): void {
    this.leaving.add(replica);
  }

  endHandOff(replica: ReplicaId): void {
    this.leaving.delete(replica);
  }

  /** The shown entry of a leaving replica with this topic and key. */
  handedOff(topic: string, key: string): Entry | undefined {
    return this.leaving.size === 0 ? undefined : this.roster.find(topic, key, this.isLeaving);
  }

  private readonly isLeaving = ({ replica }: Entry): boolean => this.leaving.has(replica);

  /** The shown entry of the same chain of updates, whose remove comes with this entry or behind it. */
  updatedBy({ replica, topic, key, previous, root, number }: Entry): Entry | undefined {
    const before = this.content.set.entriesOf(replica).get(previous);
    if (before?.shown && before.topic === topic && before.key === key) return before;
    // Those in between may never have come here.
    return this.earlierOf(replica, topic, key, root, number);
  }

  /** The shown entry of another session or replica in whose place this one comes. */
  replacedBy(entry: Entry, isNew: boolean): Entry | undefined {
    return (
      this.inheritedBy(entry) ??
      (isNew && this.lingering.size > 0 ? this.returnedBy(entry) : undefined) ??
      (this.leaving.has(entry.replica) ? undefined : this.handedOff(entry.topic, entry.key))
    );
  }

  /** Own lingering entries that were found by `replacedBy` since the last call: they have to go. */
  takeReturned(): readonly Entry[] {
    const { returned } = this;
    if (returned.length > 0) this.returned = [];
    return returned;
  }

  /** The shown lingering entry whose identity is back with this one. */
  private inheritedBy({ topic, key, heirOf }: Entry): Entry | undefined {
    if (heirOf === undefined) return undefined;
    const { replica, number, root } = heirOf;
    const before = this.content.set.entriesOf(replica).get(number);
    if (before?.shown && before.topic === topic && before.key === key) return before;
    // Or an earlier one of its chain of updates: the later ones may never have come here.
    return this.earlierOf(replica, topic, key, root, number);
  }

  /** An own lingering entry whose identity has come back elsewhere, unknown to whoever brought it. */
  private returnedBy({ replica, topic, key }: Entry): Entry | undefined {
    const own = this.content.set.replica;
    const before = replica === own ? undefined : this.lingering.firstOf(own, topic, key);
    if (before !== undefined) this.returned.push(before);
    return before;
  }

  /** The shown entry of a chain of updates before one of its numbers. */
  private earlierOf(
    replica: ReplicaId,
    topic: string,
    key: string,
    root: EventNumber,
    number: EventNumber,
  ): Entry | undefined {
    return this.roster.find(
      topic,
      key,
      (other) => other.replica === replica && other.root === root && other.number < number,
    );
  }
}
