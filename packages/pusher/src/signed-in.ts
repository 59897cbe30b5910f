/** The users of an app that are signed in on some connection, at whichever node, and who is told of them. */
import type { AnyNode, People } from "presently";
import type { ClientSocket } from "./client-socket.ts";
import { textFrame } from "./frames.ts";

export class SignedIn {
  readonly topic: string;
  readonly #node: AnyNode;
  /** Sockets here that watch a user. */
  readonly #watchers = new Map<string, Set<ClientSocket>>();
  #people: People | undefined;

  constructor(node: AnyNode, topic: string) {
    this.#node = node;
    this.topic = topic;
  }

  /** Tells who of these users is online, and every change from then on, until the returned function is called. */
  watch(socket: ClientSocket, users: readonly string[]): () => void {
    this.#people ??= this.#node.watchPeople(this.topic, {}, (change) => {
      if (change.type === "state") return;
      for (const { type, key } of change.events) {
        if (type === "update") continue;
        const frame = watchlistEvents(type === "join" ? [key] : [], type === "join" ? [] : [key]);
        for (const watcher of this.#watchers.get(key) ?? []) watcher.send(frame);
      }
    });
    const people = this.#people;
    const isOnline = (user: string) => people.get(user) !== undefined;
    socket.send(
      watchlistEvents(
        users.filter((user) => isOnline(user)),
        users.filter((user) => !isOnline(user)),
      ),
    );
    for (const user of users) {
      const watchers = this.#watchers.get(user) ?? new Set();
      this.#watchers.set(user, watchers.add(socket));
    }
    return () => {
      for (const user of users) {
        const watchers = this.#watchers.get(user);
        if (watchers?.delete(socket) && watchers.size === 0) this.#watchers.delete(user);
      }
    };
  }

  close(): void {
    this.#people?.end();
  }
}

function watchlistEvents(online: readonly string[], offline: readonly string[]): string {
  const events = [
    { name: "online", user_ids: online },
    { name: "offline", user_ids: offline },
  ].filter(({ user_ids }) => user_ids.length > 0);
  return textFrame("pusher_internal:watchlist_events", { events });
}
