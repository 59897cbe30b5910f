/** The presences of a node, seen by the names that one protocol has for topics and keys. */
import {
  checkFunction,
  checkObject,
  type Leave,
  type Meta,
  type People,
  type PeopleChange,
  type PeopleListener,
  type PeopleOptions,
  type Person,
  type PersonEvent,
  type Presence,
  type Session,
  type SessionOptions,
  type TopicChange,
  type TopicDiff,
  type Update,
  type Watcher,
} from "@presently/replica";
import type { AnyNode, PresentlyNode } from "../node.ts";
import { checkNode } from "./check-node.ts";
import type { RosterNames } from "./roster-names.ts";

/** What a drop-in does with a session of its own. */
export type RosterSession = Pick<
  Session,
  "track" | "update" | "untrack" | "get" | "close" | "drop" | "onRemoved" | "closed" | "dropped" | "size"
>;

/** What a drop-in does with the presences of a node; a node is one. */
export interface Roster extends Pick<PresentlyNode, "list" | "get" | "watch" | "watchPeople" | "batch"> {
  session(options?: SessionOptions): RosterSession;
}

/**
 * The presences of `node` by these names; the node itself, at no cost, if every name stands for itself.
 *
 * A room without a topic is empty, and stays so; who tracks there gets `NAME_NOT_MAPPED`. A key without an id is not
 * shown. Cost: O(1) for each presence that is shown.
 */
export function rosterOf(node: AnyNode, names: RosterNames): Roster {
  checkNode(node);
  checkObject("names", names, ["topicOf", "keyOf"]);
  return names.areSame ? node : new NamedRoster(node, names);
}

class NamedRoster implements Roster {
  readonly #node: PresentlyNode;
  readonly #names: RosterNames;

  constructor(node: PresentlyNode, names: RosterNames) {
    this.#node = node;
    this.#names = names;
  }

  list(name: string): readonly Presence[] {
    const topic = this.#names.topicOf(name);
    return topic === undefined ? [] : shown(this.#node.list(topic), name, this.#names);
  }

  get(name: string, id: string): readonly Presence[] {
    const topic = this.#names.topicOf(name);
    const key = this.#names.keyOf(id);
    if (topic === undefined || key === undefined) return [];
    return shown(this.#node.get(topic, key), name, this.#names);
  }

  watch(name: string, watcher: Watcher): () => void {
    checkFunction("watcher", watcher);
    const topic = this.#names.topicOf(name);
    if (topic !== undefined)
      return this.#node.watch(topic, (change) => watcher(translated(change, name, this.#names)));
    watcher({ type: "state", topic: name, number: 0, presences: [] });
    return () => undefined;
  }

  watchPeople(name: string, options: PeopleOptions, listener: PeopleListener): People {
    checkFunction("listener", listener);
    const topic = this.#names.topicOf(name);
    if (topic !== undefined) {
      const people = this.#node.watchPeople(topic, options, (change) =>
        listener(translatedPeople(change, name, this.#names)),
      );
      return new NamedPeople(people, name, this.#names);
    }
    listener({ type: "state", topic: name, number: 0, people: [] });
    return NOBODY;
  }

  batch<T>(work: () => T): T {
    return this.#node.batch(work);
  }

  session(options?: SessionOptions): RosterSession {
    return new NamedSession(this.#node.session(options), this.#names);
  }
}

class NamedSession implements RosterSession {
  readonly #session: Session;
  readonly #names: RosterNames;

  constructor(session: Session, names: RosterNames) {
    this.#session = session;
    this.#names = names;
  }

  get closed(): boolean {
    return this.#session.closed;
  }

  get dropped(): boolean {
    return this.#session.dropped;
  }

  get size(): number {
    return this.#session.size;
  }

  track(name: string, id: string, meta?: Meta): string {
    return this.#session.track(this.#names.topicFor(name), this.#names.keyFor(id), meta);
  }

  update(name: string, id: string, meta: Meta | ((previous: Meta) => Meta)): string {
    return this.#session.update(this.#names.topicFor(name), this.#names.keyFor(id), meta);
  }

  untrack(name: string, id: string): boolean {
    const topic = this.#names.topicOf(name);
    const key = this.#names.keyOf(id);
    return topic !== undefined && key !== undefined && this.#session.untrack(topic, key);
  }

  get(name: string, id: string): Presence | undefined {
    const topic = this.#names.topicOf(name);
    const key = this.#names.keyOf(id);
    const presence = topic === undefined || key === undefined ? undefined : this.#session.get(topic, key);
    return presence && renamed(presence, name, id);
  }

  close(): void {
    this.#session.close();
  }

  drop(lingerMs?: number): void {
    this.#session.drop(lingerMs);
  }

  onRemoved(listener: (presence: Presence) => void): () => void {
    checkFunction("listener", listener);
    return this.#session.onRemoved((presence) => {
      const name = this.#names.nameOf(presence.topic);
      const id = this.#names.idOf(presence.key);
      if (name !== undefined && id !== undefined) listener(renamed(presence, name, id));
    });
  }
}

class NamedPeople implements People {
  readonly #people: People;
  readonly #name: string;
  readonly #names: RosterNames;

  constructor(people: People, name: string, names: RosterNames) {
    this.#people = people;
    this.#name = name;
    this.#names = names;
  }

  get size(): number {
    return this.list().length;
  }

  get(id: string): Person | undefined {
    const key = this.#names.keyOf(id);
    const person = key === undefined ? undefined : this.#people.get(key);
    return person && { key: id, presences: shown(person.presences, this.#name, this.#names) };
  }

  list(): readonly Person[] {
    return shownPeople(this.#people.list(), this.#name, this.#names);
  }

  end(): void {
    this.#people.end();
  }
}

const NOBODY: People = { size: 0, get: () => undefined, list: () => [], end: () => undefined };

function shownPeople(people: readonly Person[], name: string, names: RosterNames): Person[] {
  return people.flatMap(({ key, presences }) => {
    const id = names.idOf(key);
    return id === undefined ? [] : [{ key: id, presences: shown(presences, name, names) }];
  });
}

/** The same change by other names. */
function translatedPeople(change: PeopleChange, name: string, names: RosterNames): PeopleChange {
  if (change.type === "state")
    return { ...change, topic: name, people: shownPeople(change.people, name, names) };
  const events = change.events.flatMap((event): PersonEvent[] => {
    const key = names.idOf(event.key);
    if (key === undefined) return [];
    if (event.type === "join") return [{ ...event, key, presences: shown(event.presences, name, names) }];
    if (event.type === "leave") return [{ ...event, key, presence: renamed(event.presence, name, key) }];
    const { joins, leaves, updates } = event;
    return [{ type: "update", key, ...translatedParts({ joins, leaves, updates }, name, names) }];
  });
  return { ...change, topic: name, events };
}

/** The same change by other names. One that nobody may see is still told: changes are numbered without holes. */
function translated(change: TopicChange, name: string, names: RosterNames): TopicChange {
  if (change.type === "state")
    return { ...change, topic: name, presences: shown(change.presences, name, names) };
  return { ...change, topic: name, ...translatedParts(change, name, names) };
}

type Parts = Pick<TopicDiff, "joins" | "leaves" | "updates">;

function translatedParts({ joins, leaves, updates }: Parts, name: string, names: RosterNames): Parts {
  return {
    joins: shown(joins, name, names),
    leaves: leaves.flatMap(({ presence, reason }): Leave[] =>
      shown([presence], name, names).map((gone) => ({ presence: gone, reason })),
    ),
    updates: updates.flatMap(({ before, after }): Update[] => {
      const [was, is] = shown([before, after], name, names);
      return was === undefined || is === undefined ? [] : [{ before: was, after: is }];
    }),
  };
}

function shown(presences: readonly Presence[], name: string, names: RosterNames): Presence[] {
  return presences.flatMap((presence) => {
    const id = names.idOf(presence.key);
    return id === undefined ? [] : [renamed(presence, name, id)];
  });
}

function renamed(presence: Presence, topic: string, key: string): Presence {
  return { ...presence, topic, key };
}
