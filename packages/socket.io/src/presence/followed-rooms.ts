/**
 * Who follows which rooms at this server, and what they are told: the people as they were told to all up to now, then each
 * change. It goes to each follower's connection directly, so that it is never repeated to a client that recovers its connection.
 */
import type { AnyNode, People, PeopleDiff, Person, PersonEvent } from "presently";
import { isStarting, type Roster } from "presently/drop-in";
import type { Socket } from "socket.io";

/** A person as it travels: the key, and what each of their sockets says. Without metas: they are gone. */
type Told = readonly [key: string, metas?: readonly unknown[]];

interface Followed {
  readonly people: People;
  readonly sockets: Set<Socket>;
  /** Those that get their state once the node is ready. */
  readonly waiting: Set<Socket>;
  number: number;
  /** The state after the last change, encoded for whoever comes next. */
  state: Encoded | undefined;
}

/** What Socket.IO's encoder made. */
type Encoded = readonly unknown[];

/** What of a socket is not in its types, and of its server. */
interface Writable {
  readonly client: { writeToEngine(packets: Encoded, options: object): void };
  readonly nsp: {
    readonly name: string;
    readonly server: { readonly encoder: { encode(packet: object): Encoded } };
  };
}

const EVENT = 2;

export class FollowedRooms {
  readonly #node: AnyNode;
  readonly #roster: Roster;
  readonly #event: string;
  readonly #graceMs: number;
  /** By their names among all rooms of the server. */
  readonly #rooms = new Map<string, Followed>();

  constructor(node: AnyNode, roster: Roster, { event, graceMs }: { event: string; graceMs: number }) {
    this.#node = node;
    this.#roster = roster;
    this.#event = event;
    this.#graceMs = graceMs;
  }

  /** Emits an event to those who are told who is in the room; to nobody where it is our own. */
  tell(name: string, event: string, data: unknown): void {
    if (event === this.#event) return;
    for (const socket of [...(this.#rooms.get(name)?.sockets ?? [])]) socket.emit(event, data);
  }

  /**
   * Sends the socket the state now, or once the node is ready, and each change from then on. Again: the state once more.
   *
   * @param room as its clients call it
   * @param name as it is called among the rooms of all namespaces
   * @throws {InvalidArgumentError} for a room that is no topic
   */
  follow(socket: Socket, room: string, name: string): void {
    const followed = this.#rooms.get(name) ?? this.#open(room, name);
    if (!isStarting(this.#node)) {
      this.#begin(socket, room, followed);
      return;
    }
    followed.waiting.add(socket);
    void this.#node.whenReady().then(() => {
      if (followed.waiting.delete(socket)) this.#begin(socket, room, followed);
    });
  }

  /** Tells the client that it is told no more. */
  unfollow(socket: Socket, room: string, name: string): void {
    const followed = this.#rooms.get(name);
    if (followed === undefined) return;
    const wasTold = followed.sockets.delete(socket);
    followed.waiting.delete(socket);
    if (wasTold && socket.connected) write(socket, this.#encode(socket, [room, followed.number, "end"]));
    if (followed.sockets.size + followed.waiting.size > 0) return;
    followed.people.end();
    this.#rooms.delete(name);
  }

  close(): void {
    for (const { people, waiting } of this.#rooms.values()) {
      people.end();
      waiting.clear();
    }
    this.#rooms.clear();
  }

  #begin(socket: Socket, room: string, followed: Followed): void {
    const { number, people } = followed;
    followed.state ??= this.#encode(socket, [room, number, "state", people.list().map(told)]);
    followed.sockets.add(socket);
    write(socket, followed.state);
  }

  #open(room: string, name: string): Followed {
    let followed: Followed | undefined;
    const people = this.#roster.watchPeople(name, { graceMs: this.#graceMs }, (change) => {
      if (change.type === "diff" && followed !== undefined) this.#tell(change, room, followed);
    });
    followed = { people, sockets: new Set(), waiting: new Set(), number: 0, state: undefined };
    this.#rooms.set(name, followed);
    return followed;
  }

  #tell({ number, events }: PeopleDiff, room: string, followed: Followed): void {
    followed.number = number;
    followed.state = undefined;
    const [first] = followed.sockets;
    if (first === undefined) return;
    const changes = events.map((event) => changed(event, followed.people));
    const encoded = this.#encode(first, [room, number, "diff", changes]);
    for (const socket of followed.sockets) write(socket, encoded);
  }

  /** All sockets of a room have the same namespace, and so the same packets. */
  #encode(socket: Socket, args: readonly unknown[]): Encoded {
    const { nsp } = socket as unknown as Writable;
    return nsp.server.encoder.encode({ type: EVENT, nsp: nsp.name, data: [this.#event, ...args] });
  }
}

function write(socket: Socket, encoded: Encoded): void {
  (socket as unknown as Writable).client.writeToEngine(encoded, { preEncoded: true });
}

function told({ key, presences }: Person): Told {
  return [key, presences.map(({ meta }) => meta)];
}

function changed(event: PersonEvent, people: People): Told {
  if (event.type === "leave") return [event.key];
  const presences = people.get(event.key)?.presences;
  return told({ key: event.key, presences: presences ?? (event.type === "join" ? event.presences : []) });
}
