/** A client's own list of one room: the state that it was sent, with the changes after it. Pure. */
import type { PersonOf, PresenceEvents } from "./types.ts";

/** What is to be told of one message. */
export type Told<M extends object> = {
  [Name in keyof PresenceEvents<M>]: readonly [name: Name, ...words: PresenceEvents<M>[Name]];
}[keyof PresenceEvents<M>];

/** A person as it travels; without metas they are gone. */
type Change<M> = readonly [key: string, metas?: readonly M[]];

export class Roster<M extends object> {
  #people = new Map<string, PersonOf<M>>();
  #list: readonly PersonOf<M>[] | undefined;
  #number: number | undefined;

  /** In the order in which they came; the same list until somebody changes. */
  get people(): readonly PersonOf<M>[] {
    this.#list ??= Object.freeze([...this.#people.values()]);
    return this.#list;
  }

  /** Whether a state has come since the connection was made, or the room was left. */
  get isSynced(): boolean {
    return this.#number !== undefined;
  }

  /** The next state replaces the list; until then it stays as it is. */
  stale(): void {
    this.#number = undefined;
  }

  /** Takes in what the server sent; returns what has happened. What does not follow what was sent before is ignored. */
  apply(number: unknown, kind: unknown, content: unknown): Told<M>[] {
    if (kind === "end") {
      this.#number = undefined;
      this.#people.clear();
      return this.#synced();
    }
    if (typeof number !== "number" || !Array.isArray(content)) return [];
    if (kind === "state") {
      this.#number = number;
      this.#people = new Map(
        (content as Change<M>[]).map(([key, metas = []]) => [key, personOf(key, metas)]),
      );
      return this.#synced();
    }
    if (kind !== "diff" || this.#number === undefined || number !== this.#number + 1) return [];
    this.#number = number;
    this.#list = undefined;
    return (content as Change<M>[]).flatMap((change) => this.#changed(change));
  }

  #synced(): Told<M>[] {
    this.#list = undefined;
    return [["sync", this.people]];
  }

  #changed([key, metas]: Change<M>): Told<M>[] {
    const before = this.#people.get(key);
    if (metas === undefined) {
      this.#people.delete(key);
      return before === undefined ? [] : [["leave", before]];
    }
    const person = personOf(key, metas);
    this.#people.set(key, person);
    return [before === undefined ? ["join", person] : ["update", person, before]];
  }
}

function personOf<M extends object>(key: string, metas: readonly M[]): PersonOf<M> {
  return Object.freeze({ key, metas: Object.freeze([...metas]), meta: metas.at(-1) });
}
