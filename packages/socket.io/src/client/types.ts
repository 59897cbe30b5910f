/** What the client of presence works with, and what it gives. */

/** What of a socket of socket.io-client is used. */
export interface ClientSocket {
  readonly connected: boolean;
  readonly recovered: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: sockets have events of every type.
  on(event: any, listener: any): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: sockets have events of every type.
  off(event: any, listener: any): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: sockets have events of every type.
  timeout(ms: number): { emit(event: any, ...args: any[]): unknown };
}

/** Somebody in a room. Never changed: a person who changes is another object. */
export interface PersonOf<M extends object> {
  readonly key: string;
  /** What each of their connections says; empty for a moment while their server is lost. */
  readonly metas: readonly M[];
  /** What the newest of them says. */
  readonly meta: M | undefined;
}

/** What a room tells. */
export interface PresenceEvents<M extends object> {
  /** The whole list, at the beginning and after every reconnect. */
  sync: [people: readonly PersonOf<M>[]];
  join: [person: PersonOf<M>];
  leave: [person: PersonOf<M>];
  update: [person: PersonOf<M>, before: PersonOf<M>];
}

/** Options of `presenceOf`. */
export interface PresenceClientOptions {
  /** As the server's. Default `presently`. */
  readonly event?: string;
}
