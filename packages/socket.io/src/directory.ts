/**
 * Which servers run the namespace, and which sockets they have in which rooms: presences of the cluster, so that this server
 * knows them from its own memory and those of a lost node are gone.
 */
import type { AnyNode, Presence, ReplicaId, Session } from "presently";
import type { Room, SocketId } from "socket.io-adapter";
import { type Names, roomText } from "./names.ts";

/** Which sockets are meant. Empty rooms: all. */
interface Wanted {
  readonly rooms: Iterable<Room>;
  readonly except?: Iterable<Room> | undefined;
}

export class Directory {
  readonly #node: AnyNode;
  readonly #names: Names;
  readonly #failed: (error: unknown) => void;
  readonly #server: Session;
  readonly #sessions = new Map<SocketId, Session>();
  /** Other nodes that count, whether they run the namespace or not. */
  readonly #replicas = new Set<ReplicaId>();
  readonly #servers = new Set<ReplicaId>();
  readonly #ends: (() => void)[];

  /**
   * @param onLeft told of a server that does not run the namespace any more
   * @param failed told of what could not be recorded
   */
  constructor(
    node: AnyNode,
    names: Names,
    onLeft: (server: ReplicaId) => void,
    failed: (error: unknown) => void,
  ) {
    this.#node = node;
    this.#names = names;
    this.#failed = failed;
    this.#server = node.session();
    this.#server.track(names.servers, node.name, {});
    for (const { replica, status } of node.cluster())
      if (status === "up" || status === "suspect") this.#replicas.add(replica);
    const look = (): void => {
      const now = new Set<ReplicaId>();
      for (const { replica } of node.list(names.servers)) if (this.#replicas.has(replica)) now.add(replica);
      for (const replica of now) this.#servers.add(replica);
      for (const replica of [...this.#servers]) {
        if (now.has(replica)) continue;
        this.#servers.delete(replica);
        onLeft(replica);
      }
    };
    this.#ends = [
      node.onReplica(({ replica, status }) => {
        if (status === "up" || status === "suspect") this.#replicas.add(replica);
        else this.#replicas.delete(replica);
        look();
      }),
      node.watch(names.servers, look),
    ];
  }

  /** Whether a socket of this server is recorded. */
  has(id: SocketId): boolean {
    return this.#sessions.has(id);
  }

  /** How many other nodes count. */
  get nodes(): number {
    return this.#replicas.size;
  }

  /** The other servers that run the namespace. */
  get servers(): ReadonlySet<ReplicaId> {
    return this.#servers;
  }

  /**
   * Records that a socket of this server is in rooms. Its own room is not recorded: it is where the socket is.
   *
   * @param copy its `data`, as one text frame, for when this server cannot be asked
   */
  join(id: SocketId, rooms: Iterable<Room>, copy: () => string | undefined): void {
    this.#attempt(() => {
      if (this.#node.stopping) return;
      this.#node.batch(() => {
        let session = this.#sessions.get(id);
        if (session === undefined) {
          session = this.#node.session();
          this.#sessions.set(id, session);
          const data = copy();
          session.track(this.#names.sockets, id, data === undefined ? {} : { data });
        }
        for (const room of rooms) {
          const text = room === id ? undefined : roomText(room);
          if (text === undefined) continue;
          const topic = this.#names.roomTopic(text);
          session.track(topic, id, this.#names.isShortened(topic) ? { room: text } : {});
        }
      });
    });
  }

  /** Records that a socket of this server is in a room no more. */
  leave(id: SocketId, room: Room): void {
    const text = roomText(room);
    if (text !== undefined)
      this.#attempt(() => this.#sessions.get(id)?.untrack(this.#names.roomTopic(text), id));
  }

  /** Records that a socket of this server is gone. */
  remove(id: SocketId): void {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    if (!this.#node.stopping) session?.close();
  }

  /** The server of a socket, if it is another one; undefined for a socket that is not known, or is here. */
  serverOf(id: unknown): ReplicaId | undefined {
    return this.#presenceOf(id)?.replica;
  }

  /** The sockets of other servers, by their servers. Cost: O(sockets in these rooms). */
  find({ rooms, except = [] }: Wanted): Map<ReplicaId, SocketId[]> {
    const found = new Map<SocketId, ReplicaId>();
    const wanted = [...rooms];
    if (wanted.length === 0) this.#collect(this.#elsewhere(this.#names.sockets), found);
    for (const room of wanted) this.#collect(this.#inRoom(room), found);
    for (const room of except) for (const { key } of this.#inRoom(room)) found.delete(key);
    const byServer = new Map<ReplicaId, SocketId[]>();
    for (const [id, server] of found) {
      const ids = byServer.get(server);
      if (ids === undefined) byServer.set(server, [id]);
      else ids.push(id);
    }
    return byServer;
  }

  /** The rooms of sockets of other servers. Cost: O(sockets and their rooms). */
  roomsOf(ids: readonly SocketId[]): Map<SocketId, Room[]> {
    const rooms = new Map<SocketId, Room[]>();
    for (const [id, topics] of this.#node.where(ids)) {
      const texts = topics.flatMap((topic) => this.#textOf(topic, id) ?? []);
      rooms.set(id, [id, ...texts.map((text) => JSON.parse(text) as Room)]);
    }
    return rooms;
  }

  /** The `data` of a socket of another server, as it was when it connected. */
  copyOf(id: SocketId): string | undefined {
    const data: unknown = this.#presenceOf(id)?.meta.data;
    return typeof data === "string" ? data : undefined;
  }

  /** Takes all records of this server back. */
  close(): void {
    for (const end of this.#ends) end();
    this.#servers.clear();
    if (this.#node.stopping) return;
    this.#node.batch(() => {
      for (const session of this.#sessions.values()) session.close();
      this.#server.close();
    });
    this.#sessions.clear();
  }

  #inRoom(room: Room): readonly Presence[] {
    const own = this.#presenceOf(room);
    const text = roomText(room);
    const joined = text === undefined ? [] : this.#elsewhere(this.#names.roomTopic(text));
    return own === undefined ? joined : [...joined, own];
  }

  #elsewhere(topic: string): readonly Presence[] {
    return this.#node.list(topic).filter(({ replica }) => this.#servers.has(replica));
  }

  #presenceOf(id: unknown): Presence | undefined {
    if (typeof id !== "string" || this.#sessions.has(id)) return undefined;
    return this.#node.get(this.#names.sockets, id).find(({ replica }) => this.#servers.has(replica));
  }

  #collect(presences: readonly Presence[], found: Map<SocketId, ReplicaId>): void {
    for (const { key, replica } of presences) found.set(key, replica);
  }

  #textOf(topic: string, id: SocketId): string | undefined {
    const text = this.#names.roomOf(topic);
    if (text === undefined || !this.#names.isShortened(topic)) return text;
    const room: unknown = this.#node.get(topic, id)[0]?.meta.room;
    return typeof room === "string" ? room : undefined;
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }
}
