/**
 * A room as a client sees it. All rooms of a socket hear one event; what was told of a room before somebody asked for it is
 * kept, so it does not matter when a component first looks.
 */
import { PresenceError } from "./errors.ts";
import { Roster } from "./roster.ts";
import type { ClientSocket, PersonOf, PresenceClientOptions, PresenceEvents } from "./types.ts";

/** How long an answer may take. */
const ANSWER_MS = 10_000;

/** What the server answers. */
interface Answer {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
}

/** There is no connection: what is wanted is asked for when there is one. */
class UnansweredError extends Error {}

type Listener = (...words: readonly unknown[]) => void;

/** A room of people with metas of any type. */
// biome-ignore lint/suspicious/noExplicitAny: rooms of all types are below it.
export type AnyPresenceRoom = PresenceRoom<any>;

/** Who is in one room: what `presenceOf` gives. */
export class PresenceRoom<M extends object = Record<string, unknown>> {
  readonly room: string;
  readonly #roster = new Roster<M>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #ask: (action: string, room: string, meta?: object) => Promise<void>;
  /** What this client asked for by itself, and asks for again when it is back. */
  #meta: M | undefined;
  #isFollowed = false;
  /** Requests that the next connection decides. */
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  /** @internal */
  constructor(room: string, ask: (action: string, room: string, meta?: object) => Promise<void>) {
    this.room = room;
    this.#ask = ask;
  }

  /** Who is here, as the server told last; the same list until somebody changes. */
  get people(): readonly PersonOf<M>[] {
    return this.#roster.people;
  }

  /** Whether `people` is current: false before the first state, and while the connection is lost. */
  get isSynced(): boolean {
    return this.#roster.isSynced;
  }

  /** Calls `listener` from now on, until the returned function is called. */
  on<Name extends keyof PresenceEvents<M>>(
    event: Name,
    listener: (...words: PresenceEvents<M>[Name]) => void,
  ): () => void {
    if (typeof listener !== "function")
      throw new PresenceError("INVALID_ARGUMENT", "listener must be a function");
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    const own: Listener = (...words) => listener(...(words as unknown as PresenceEvents<M>[Name]));
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /**
   * Asks the server to be present here, and asks again after every reconnect. Settles with the answer, which may have to wait
   * for the connection; rejects if the server does not allow it.
   */
  async track(meta: M): Promise<void> {
    this.#meta = meta;
    await this.#request("track", meta);
  }

  /** Changes what this client says of itself. Rejects unless it has tracked. */
  async update(meta: M): Promise<void> {
    if (this.#meta !== undefined) this.#meta = meta;
    await this.#request("update", meta);
  }

  /** Is present here no more. */
  async untrack(): Promise<void> {
    this.#meta = undefined;
    await this.#request("untrack");
  }

  /** Asks the server to be told who is here, as `track`. */
  async follow(): Promise<void> {
    this.#isFollowed = true;
    await this.#request("follow");
  }

  /** Is told no more, unless it is present here. */
  async unfollow(): Promise<void> {
    this.#isFollowed = false;
    await this.#request("unfollow");
  }

  /** @internal */
  hear(number: unknown, kind: unknown, content: unknown): void {
    for (const [name, ...words] of this.#roster.apply(number, kind, content))
      for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...words);
  }

  /** @internal */
  lost(): void {
    this.#roster.stale();
  }

  /** @internal There is a new connection: the server is asked for all that is wanted. */
  connected(): void {
    const waiting = this.#waiting.splice(0);
    const asked = [
      ...(this.#meta === undefined ? [] : [this.#ask("track", this.room, this.#meta)]),
      ...(this.#isFollowed ? [this.#ask("follow", this.room)] : []),
    ];
    Promise.all(asked).then(
      () => {
        for (const { resolve } of waiting) resolve();
      },
      (error: Error) => {
        // The connection is lost again: the next one decides.
        if (error instanceof UnansweredError) this.#waiting.push(...waiting);
        else for (const { reject } of waiting) reject(error);
      },
    );
  }

  async #request(action: string, meta?: object): Promise<void> {
    try {
      await this.#ask(action, this.room, meta);
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
  }
}

/** The rooms of each socket, by the event that tells of them. */
const hubs = new WeakMap<ClientSocket, Map<string, Map<string, AnyPresenceRoom>>>();

/**
 * The people of a room, as the server tells of them: once `socket.presence.track` or `follow` was called there, or `track` or
 * `follow` here. Call it first when the socket is made, before it is connected; later calls find what was told in between.
 */
export function presenceOf<M extends object = Record<string, unknown>>(
  socket: ClientSocket,
  room: string,
  options: PresenceClientOptions = {},
): PresenceRoom<M> {
  if (typeof socket?.on !== "function" || typeof socket.timeout !== "function")
    throw new PresenceError("INVALID_ARGUMENT", "socket must be one of socket.io-client");
  if (typeof room !== "string") throw new PresenceError("INVALID_ARGUMENT", "room must be a string");
  if (typeof options !== "object" || options === null)
    throw new PresenceError("INVALID_ARGUMENT", "options must be an object");
  const { event = "presently" } = options;
  const events = hubs.get(socket) ?? new Map<string, Map<string, AnyPresenceRoom>>();
  hubs.set(socket, events);
  const rooms = events.get(event) ?? listen(socket, event);
  events.set(event, rooms);
  return roomIn(rooms, room, socket, event);
}

function listen(socket: ClientSocket, event: string): Map<string, AnyPresenceRoom> {
  const rooms = new Map<string, AnyPresenceRoom>();
  socket.on(event, (room: unknown, number: unknown, kind: unknown, content: unknown) => {
    if (typeof room === "string") roomIn(rooms, room, socket, event).hear(number, kind, content);
  });
  socket.on("disconnect", () => {
    for (const room of rooms.values()) room.lost();
  });
  socket.on("connect", () => {
    for (const room of rooms.values()) room.connected();
  });
  return rooms;
}

function roomIn(
  rooms: Map<string, AnyPresenceRoom>,
  name: string,
  socket: ClientSocket,
  event: string,
): AnyPresenceRoom {
  const room = rooms.get(name) ?? new PresenceRoom(name, (...request) => ask(socket, event, request));
  rooms.set(name, room);
  return room;
}

/** Rejects with an `UnansweredError` where there is no connection, or it is lost before the answer. */
function ask(socket: ClientSocket, event: string, request: readonly unknown[]): Promise<void> {
  if (!socket.connected) return Promise.reject(new UnansweredError());
  return new Promise((resolve, reject) => {
    const [action, room, meta = {}] = request;
    const answered = (_: Error | null, answer?: Answer) => {
      if (answer?.ok === true) resolve();
      else if (answer !== undefined) reject(new PresenceError(String(answer.code), String(answer.message)));
      else if (socket.connected) reject(new PresenceError("UNANSWERED", "the server did not answer in time"));
      else reject(new UnansweredError());
    };
    socket.timeout(ANSWER_MS).emit(event, action, room, meta, answered);
  });
}
