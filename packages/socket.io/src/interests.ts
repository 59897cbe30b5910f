/** Which broadcasts of other servers this one wants: those for rooms that it has a socket in. */
import type { AnyNode, ReplicaId, TopicSubscription } from "presently";
import type { Room } from "socket.io-adapter";
import { roomText } from "./names.ts";

/** A topic of the channel that every server of the namespace subscribes to, for what goes to all sockets. */
export const EVERYBODY = "all";

/** The topic of what goes to the sockets of one server. By the name of its node: the number of its life may grow. */
export const topicOfServer = (server: ReplicaId): string =>
  `server:${server.slice(0, server.lastIndexOf("@"))}`;

/** The topic of what goes to the sockets in a room. */
export const topicOfRoom = (text: string): string => `room:${text}`;

export class Interests {
  readonly #node: AnyNode;
  readonly #channel: string;
  readonly #own: TopicSubscription[];
  readonly #rooms = new Map<string, TopicSubscription>();

  constructor(node: AnyNode, channel: string) {
    this.#node = node;
    this.#channel = channel;
    this.#own = [EVERYBODY, topicOfServer(node.replica)].map((topic) => node.subscribe(channel, topic));
  }

  /** Has broadcasts for a room sent here. Returns what settles once they are, or undefined if they are already. */
  want(room: Room): Promise<void> | undefined {
    const text = roomText(room);
    if (text === undefined) return undefined;
    let subscription = this.#rooms.get(text);
    if (subscription === undefined) {
      subscription = this.#node.subscribe(this.#channel, topicOfRoom(text));
      this.#rooms.set(text, subscription);
    }
    return subscription.isEffective() ? undefined : subscription.whenEffective();
  }

  /** The room is empty here. */
  drop(room: Room): void {
    const text = roomText(room);
    if (text === undefined) return;
    this.#rooms.get(text)?.end();
    this.#rooms.delete(text);
  }

  close(): void {
    for (const subscription of [...this.#own, ...this.#rooms.values()]) subscription.end();
    this.#rooms.clear();
  }
}
