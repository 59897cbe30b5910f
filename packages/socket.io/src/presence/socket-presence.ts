/** `socket.presence`: where one socket is present, and which rooms its client follows. */
import { InvalidArgumentError, type Meta } from "presently";
import type { Roster, RosterSession } from "presently/drop-in";
import type { Socket } from "socket.io";
import type { FollowedRooms } from "./followed-rooms.ts";
import type { PresenceSettings } from "./options.ts";
import { nameOf } from "./rooms.ts";

/** What all sockets of a server share. */
export interface PresenceParts {
  readonly roster: Roster;
  readonly followed: FollowedRooms;
  readonly settings: PresenceSettings;
}

/** After these the socket does not come back: it left. */
const LEFT = new Set(["client namespace disconnect", "server namespace disconnect"]);

/** Where one socket is present. After its end all calls do nothing and return false: nobody becomes a ghost by an `await`. */
export class SocketPresence {
  readonly #socket: Socket;
  readonly #parts: PresenceParts;
  /** By the room, its name among those of all namespaces. */
  readonly #tracked = new Map<string, string>();
  readonly #followed = new Map<string, string>();
  #session: RosterSession | undefined;
  #key: string | undefined;
  #ended = false;

  constructor(socket: Socket, parts: PresenceParts) {
    this.#socket = socket;
    this.#parts = parts;
  }

  /** Rooms that are tracked or followed. */
  get size(): number {
    return new Set([...this.#tracked.keys(), ...this.#followed.keys()]).size;
  }

  /** Whether the room is followed or tracked. */
  has(room: string): boolean {
    return this.#tracked.has(room) || this.#followed.has(room);
  }

  /**
   * Makes the person of this socket present in a room, with what it says of itself, and has its client told who else is.
   * Tracking again is an update. Returns false if the socket has ended.
   *
   * @throws {InvalidArgumentError} for a room, key or meta that cannot be used
   * @throws {LimitError} beyond a bound of the node
   */
  track(room: string, meta: Meta = {}): boolean {
    const name = this.#nameOf(room);
    if (this.#ended) return false;
    const { roster, settings } = this.#parts;
    this.#session ??= roster.session(settings.graceMs > 0 ? { lingerMs: settings.graceMs } : {});
    this.#session.track(name, this.key, meta);
    const isNew = !this.has(room);
    this.#tracked.set(room, name);
    if (isNew) this.#parts.followed.follow(this.#socket, room, name);
    return true;
  }

  /** Changes what the person says of itself here. Returns false if the socket is not present in the room. Errors as of `track`. */
  update(room: string, meta: Meta | ((previous: Meta) => Meta)): boolean {
    const name = this.#tracked.get(room);
    if (name === undefined) return false;
    this.#session!.update(name, this.key, meta);
    return true;
  }

  /** Takes the person out of the room; its client is told no more, unless it follows the room. Returns whether it was there. */
  untrack(room: string): boolean {
    const name = this.#tracked.get(room);
    if (name === undefined) return false;
    this.#session!.untrack(name, this.key);
    this.#tracked.delete(room);
    if (!this.has(room)) this.#parts.followed.unfollow(this.#socket, room, name);
    return true;
  }

  /** Has the client told who is in a room, without being there. Again: it is sent the state once more. Errors as of `track`. */
  follow(room: string): boolean {
    const name = this.#nameOf(room);
    if (this.#ended) return false;
    this.#parts.followed.follow(this.#socket, room, name);
    this.#followed.set(room, name);
    return true;
  }

  /** Ends `follow`. Returns whether the room was followed. */
  unfollow(room: string): boolean {
    const name = this.#followed.get(room);
    if (name === undefined) return false;
    this.#followed.delete(room);
    if (!this.has(room)) this.#parts.followed.unfollow(this.#socket, room, name);
    return true;
  }

  /** The key of its person. @throws {InvalidArgumentError} if `identify` returns none */
  get key(): string {
    if (this.#key !== undefined) return this.#key;
    const key: unknown = this.#parts.settings.identify(this.#socket);
    if (typeof key !== "string" || key === "")
      throw new InvalidArgumentError("options.identify", "must return a non-empty string for this socket");
    this.#key = key;
    return key;
  }

  /** @internal The socket has ended. One that broke off may come back. */
  end(reason: string): void {
    this.#ended = true;
    for (const [room, name] of [...this.#tracked, ...this.#followed])
      this.#parts.followed.unfollow(this.#socket, room, name);
    this.#tracked.clear();
    this.#followed.clear();
    if (LEFT.has(reason) || this.#parts.settings.graceMs === 0) this.#session?.close();
    else this.#session?.drop();
  }

  #nameOf(room: string): string {
    return nameOf(room, this.#socket.nsp.name, this.#parts.settings.names);
  }
}
