/**
 * `faye-presence`: a Faye server with the plug-in, over Redis. There is no joining at the server: a person is a client that
 * subscribes, over a WebSocket of its own. Faye's own engine keeps its messages within one server, so both members' clients
 * are connected to the first one; the lists are in Redis, and every server reads them there.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { type Member, type Meta, type OpenMember, Seats, touch } from "./member.ts";

interface Message {
  readonly channel: string;
  readonly subscription?: string;
  ext?: object;
}
interface FayeClient {
  subscribe(channel: string, listener: (message: never) => void): PromiseLike<void> & { cancel(): void };
  addExtension(extension: { outgoing(message: Message, done: (message: Message) => void): void }): void;
}
interface FayeServer {
  attach(server: ReturnType<typeof createServer>): void;
  getClient(): FayeClient;
}
interface Faye {
  readonly Client: new (url: string) => FayeClient;
  readonly NodeAdapter: new (options: { mount: string; timeout: number }) => FayeServer;
}
interface FayePresence {
  setup(server: FayeServer, client: FayeClient, options: { servers: readonly string[] }): void;
  readonly engine: {
    addClient(
      channel: string,
      clientId: string,
      id: string,
      data: string,
      done: (error: Error | null) => void,
    ): void;
    getSubscribers(
      channel: string,
      done: (error: Error | null, people: Readonly<Record<string, string>>) => void,
    ): void;
  };
}
/** What the plug-in publishes. */
interface Announcement {
  readonly subscribe?: Readonly<Record<string, unknown>>;
  readonly unsubscribe?: Readonly<Record<string, null>>;
}

// Both are CommonJS without types.
const require = createRequire(import.meta.url);
const faye = require("faye") as Faye;
const presence = require("faye-presence") as FayePresence;

/** Somebody's client, with what it says of itself when it subscribes. */
class Person {
  readonly #client: FayeClient;
  readonly #saying = new Map<string, { readonly id: string; readonly data?: Meta }>();
  readonly #subscriptions = new Map<string, { cancel(): void }>();

  constructor(url: string) {
    this.#client = new faye.Client(url);
    this.#client.addExtension({
      outgoing: (message, done) => {
        const said = message.channel === "/meta/subscribe" && this.#saying.get(message.subscription!);
        if (said) message.ext = { presence: said };
        done(message);
      },
    });
  }

  /** Settles when the client has shaken hands and its WebSocket is in use. */
  async connected(): Promise<void> {
    await this.#client.subscribe("/connected", () => undefined);
  }

  async enter(room: string, id: string, data?: Meta, told: (change: Announcement) => void = () => undefined) {
    this.#saying.set(room, data === undefined ? { id } : { id, data });
    const subscription = this.#client.subscribe(room, told);
    this.#subscriptions.set(room, subscription);
    await subscription;
  }

  leave(room: string): void {
    this.#subscriptions.get(room)!.cancel();
  }
}

export const fayePresence: OpenMember = async ({ peers, redisPort, seats: seatCount }): Promise<Member> => {
  const http = createServer();
  const server = new faye.NodeAdapter({ mount: "/bayeux", timeout: 45 });
  server.attach(http);
  presence.setup(server, server.getClient(), { servers: [`127.0.0.1:${redisPort}`] });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const address = `http://127.0.0.1:${(http.address() as AddressInfo).port}/bayeux`;
  const seats = new Seats<Person>();
  const watcher = new Person(peers[0] ?? address);
  await watcher.connected();
  return {
    address,
    async seated() {
      for (let index = 0; index < seatCount; index++) seats.add(new Person(address));
      await Promise.all(seats.all.map((person) => person.connected()));
    },
    fill: (room, people) =>
      Promise.all(
        people.map(
          ([id, data]) =>
            new Promise<void>((resolve, reject) => {
              const value = JSON.stringify({ id, data });
              presence.engine.addClient(channelOf(room), `client of ${id}`, id, value, (error) =>
                error ? reject(error) : resolve(),
              );
            }),
        ),
      ),
    join: (room, key, meta) => seats.take(room, key).enter(channelOf(room), key, meta),
    leave: (room, key) => seats.giveBack(room, key).leave(channelOf(room)),
    async watch(room, listener) {
      await watcher.enter(
        channelOf(room),
        "the watcher",
        undefined,
        ({ subscribe = {}, unsubscribe = {} }) => {
          for (const key in subscribe) if (key !== "the watcher") listener("join", key);
          for (const key in unsubscribe) listener("leave", key);
        },
      );
    },
    list: (room) =>
      new Promise((resolve, reject) => {
        presence.engine.getSubscribers(channelOf(room), (error, people) => {
          if (error) return reject(error);
          let members = 0;
          for (const key in people) if (key !== "the watcher") members += touch(key, people[key]);
          resolve(members);
        });
      }),
  };
};

/** Faye allows no colon in a channel. */
function channelOf(room: string): string {
  return `/presence/${room.replaceAll(":", "-")}`;
}
