/** The presences of a node, seen by the names that one protocol has for topics and keys. */
import type {
  Leave,
  Meta,
  Presence,
  Session,
  SessionOptions,
  TopicChange,
  Update,
  Watcher,
} from "@presently/replica";
import type { PresentlyNode } from "../node.ts";
import type { RosterNames } from "./roster-names.ts";

/** What a drop-in does with a session of its own. */
export type RosterSession = Pick<
  Session,
  "track" | "update" | "untrack" | "get" | "close" | "drop" | "onRemoved" | "closed" | "size"
>;

/** What a drop-in does with the presences of a node; a node is one. */
export interface Roster extends Pick<PresentlyNode, "list" | "get" | "watch" | "batch"> {
  session(options?: SessionOptions): RosterSession;
}

/**
 * The presences of `node` by these names; the node itself, at no cost, if every name stands for itself.
 *
 * A room without a topic is empty, and stays so; who tracks there gets `NAME_NOT_MAPPED`. A key without an id is not
 * shown. Cost: O(1) for each presence that is shown.
 */
export function rosterOf(node: PresentlyNode, names: RosterNames): Roster {
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
    const topic = this.#names.topicOf(name);
    if (topic !== undefined)
      return this.#node.watch(topic, (change) => watcher(translated(change, name, this.#names)));
    watcher({ type: "state", topic: name, number: 0, presences: [] });
    return () => undefined;
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
    return this.#session.onRemoved((presence) => {
      const name = this.#names.nameOf(presence.topic);
      const id = this.#names.idOf(presence.key);
      if (name !== undefined && id !== undefined) listener(renamed(presence, name, id));
    });
  }
}

/** The same change by other names. One that nobody may see is still told: changes are numbered without holes. */
function translated(change: TopicChange, name: string, names: RosterNames): TopicChange {
  if (change.type === "state")
    return { ...change, topic: name, presences: shown(change.presences, name, names) };
  return {
    ...change,
    topic: name,
    joins: shown(change.joins, name, names),
    leaves: change.leaves.flatMap(({ presence, reason }): Leave[] =>
      shown([presence], name, names).map((gone) => ({ presence: gone, reason })),
    ),
    updates: change.updates.flatMap(({ before, after }): Update[] => {
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
  const { ref, previousRef, node, replica } = presence;
  return {
    topic,
    key,
    ref,
    previousRef,
    node,
    replica,
    // Read when it is wanted: it may not have been decoded yet.
    get meta() {
      return presence.meta;
    },
  };
}
