/** `io.presence` and `io.of(…).presence`: who is in the rooms of one namespace, on all servers. */
import type { AnyNode, Meta, People, PeopleListener } from "presently";
import { checkFunction, checkString } from "presently/drop-in";
import { nameOf, roomOf } from "./rooms.ts";
import type { PresenceParts } from "./socket-presence.ts";

/** Somebody in a room. */
export interface PersonHere<M extends object = Meta> {
  readonly key: string;
  /** What each of their sockets says. */
  readonly metas: readonly M[];
}

/** Who is in the rooms of a namespace. All reads are from memory. */
export class NamespacePresence<M extends object = Meta> {
  readonly #node: AnyNode;
  readonly #parts: PresenceParts;
  readonly #namespace: string;

  constructor(node: AnyNode, parts: PresenceParts, namespace: string) {
    this.#node = node;
    this.#parts = parts;
    this.#namespace = namespace;
  }

  /** Who is in a room. Cost: O(sockets in it). */
  list(room: string): readonly PersonHere<M>[] {
    const people = new Map<string, M[]>();
    for (const { key, meta } of this.#parts.roster.list(this.#nameOf(room))) {
      const metas = people.get(key);
      if (metas === undefined) people.set(key, [meta as M]);
      else metas.push(meta as M);
    }
    return [...people].map(([key, metas]) => ({ key, metas }));
  }

  /** How many people are in a room. */
  count(room: string): number {
    const topic = this.#parts.settings.names.topicOf(this.#nameOf(room));
    return topic === undefined ? 0 : this.#node.count(topic).keys;
  }

  /** The rooms of this namespace that a person is in. */
  where(person: string): readonly string[] {
    checkString("person", person);
    const { names } = this.#parts.settings;
    const key = names.keyOf(person);
    const topics = key === undefined ? [] : (this.#node.where([key]).get(key) ?? []);
    return topics.flatMap((topic) => {
      const name = names.nameOf(topic);
      return (name === undefined ? undefined : roomOf(name, this.#namespace)) ?? [];
    });
  }

  /** Tells who is in a room, then every change, as `node.watchPeople`; `end` of what it returns ends it. */
  watch(room: string, listener: PeopleListener): People {
    checkFunction("listener", listener);
    const { roster, settings } = this.#parts;
    return roster.watchPeople(this.#nameOf(room), { graceMs: settings.graceMs }, listener);
  }

  #nameOf(room: string): string {
    return nameOf(room, this.#namespace, this.#parts.settings.names);
  }
}
