/**
 * What a history plays with: a few nodes with a server of one protocol each, and real clients of that protocol.
 *
 * The law that is held to (concepts.md): what a client holds is the state that it was sent, with the events after it; once
 * all is quiet, that is what its node lists. A protocol takes part with one `ViewWorld` and one `ViewDriver`.
 */

/** Who is on a topic, by key. The values are what both sides can say: all metas, or `true` where a protocol tells only of keys. */
export type View = Readonly<Record<string, unknown>>;

/** One real client, driven by a history. Every call may be made while an earlier one is not settled yet. */
export interface ViewDriver {
  /** Connects; settles when the client may join. */
  connect(): Promise<void>;
  /** Settles when the server has confirmed it, and rejects if it refuses. `topic` is never joined already. */
  join(topic: string, key: string, meta: number): Promise<void>;
  /** Leaves. A `join` of the same topic may follow in the same tick. */
  leave(topic: string): void;
  /** Says something else about its key, in whatever way the protocol has. */
  update(topic: string, meta: number): void;
  /** The connection breaks, without a goodbye. Nothing but `resume` is called afterwards. */
  cut(): void | Promise<void>;
  /** The way is free again: settles when the client is back on its topics, by its own means. */
  resume(): Promise<void>;
  /** The client's own list, as its library or the README's code keeps it. */
  list(topic: string): View;
  /** What the client was told, in words, newest last: for the timeline of a failure. */
  told(topic: string): readonly string[];
  /** What no client may be told on the way: a leave without a join, a join twice. */
  readonly faults: readonly string[];
  close(): void;
}

/** The nodes, and the servers at them. */
export interface ViewWorld {
  readonly nodes: number;
  /** Links between nodes that may be held up, as a slow peer would: acknowledgements and events come late. */
  readonly links: number;
  /** A new client at a node, which is not connected yet. */
  client(node: number): ViewDriver;
  stall(link: number): void;
  flow(link: number): void;
  /** What the node lists, in the words of `ViewDriver.list`. */
  list(node: number, topic: string): View;
  stop(): Promise<void>;
}
