/** To which servers a broadcast goes. */
import type { ReplicaId } from "presently";
import type { Room, SocketId } from "socket.io-adapter";
import type { Directory } from "./directory.ts";
import { topicOfRoom, topicOfServer } from "./interests.ts";
import { roomText } from "./names.ts";
import type { Routing } from "./options.ts";

/** A cluster of at most so many nodes is small: what one too many gets costs less than what one too few misses. */
const SMALL = 8;

/** How long other servers may not know of a room that was joined from here. */
const YOUNG_MS = 2_000;

export class Route {
  readonly #directory: Directory;
  readonly #routing: Routing;
  readonly #isLocal: (id: SocketId) => boolean;
  /** Rooms that sockets of other servers were made to join lately: those servers may not want their broadcasts yet. */
  #young = new Set<string>();
  #lessYoung = new Set<string>();
  #turnAt = 0;

  constructor(directory: Directory, routing: Routing, isLocal: (id: SocketId) => boolean) {
    this.#directory = directory;
    this.#routing = routing;
    this.#isLocal = isLocal;
  }

  /** The topics of a broadcast for these rooms; undefined: to all. */
  topics(rooms: readonly Room[]): string[] | undefined {
    const servers = new Set<string>();
    const texts: string[] = [];
    let areSockets = rooms.length > 0;
    for (const room of rooms) {
      const server = this.#directory.serverOf(room);
      if (server !== undefined) servers.add(topicOfServer(server));
      else if (!this.#isLocal(room)) areSockets = false;
      const text = roomText(room);
      if (text !== undefined) texts.push(text);
    }
    // Sockets are where they are, however small the cluster.
    if (!areSockets && (this.#isSmall || rooms.length === 0 || texts.some((text) => this.#isYoung(text))))
      return undefined;
    return [...servers, ...texts.map(topicOfRoom)];
  }

  /** The servers that are asked to have their clients acknowledge a broadcast: others have none. */
  asked(rooms: readonly Room[], known: ReadonlyMap<ReplicaId, unknown>): Iterable<ReplicaId> {
    return this.topics(rooms) === undefined ? this.#directory.servers : known.keys();
  }

  /** Sockets of other servers are made to join rooms. */
  joined(rooms: readonly Room[]): void {
    this.#turn();
    for (const room of rooms) this.#young.add(roomText(room) ?? "");
  }

  get #isSmall(): boolean {
    return this.#routing === "all" || (this.#routing === "auto" && this.#directory.nodes < SMALL);
  }

  #isYoung(text: string): boolean {
    this.#turn();
    return this.#young.has(text) || this.#lessYoung.has(text);
  }

  #turn(): void {
    const now = performance.now();
    if (now - this.#turnAt < YOUNG_MS) return;
    this.#lessYoung = now - this.#turnAt < 2 * YOUNG_MS ? this.#young : new Set();
    this.#young = new Set();
    this.#turnAt = now;
  }
}
