/** Presence over Socket.IO as a world of histories: its npm client, with the client helper. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { presence, presently } from "@presently/socket.io";
import { type PresenceRoom, presenceOf } from "@presently/socket.io/client";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import { Server } from "socket.io";
import { type Socket as Client, io as connectTo } from "socket.io-client";
import { drawFrom } from "../helpers/client-view/history.ts";
import { LinkedServers } from "../helpers/client-view/linked-servers.ts";
import type { View, ViewDriver, ViewWorld } from "../helpers/client-view/view-driver.ts";

interface SocketIoServer {
  readonly node: PresentlyNode;
  readonly port: number;
  stop(): Promise<void>;
}

/** How long the server's hook may take, at random. */
const HOOK_MS_MAX = 30;

async function startServer(nodeOptions: NodeOptions): Promise<SocketIoServer> {
  const node = await createNode(nodeOptions);
  const http = createServer();
  const io = new Server(http, { adapter: presently(node) });
  const draw = drawFrom(1);
  presence(io, node, {
    identify: (socket) => socket.handshake.auth.key as string,
    graceMs: 100,
    allow: () => delay(draw(HOOK_MS_MAX), true),
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const stop = async () => {
    await io.close();
    await node.stop();
  };
  return { node, port: (http.address() as AddressInfo).port, stop };
}

export class SocketIoWorld implements ViewWorld {
  readonly #servers: LinkedServers<SocketIoServer>;

  static async start(): Promise<SocketIoWorld> {
    return new SocketIoWorld(await LinkedServers.start(startServer));
  }

  private constructor(servers: LinkedServers<SocketIoServer>) {
    this.#servers = servers;
  }

  get nodes(): number {
    return this.#servers.count;
  }

  get links(): number {
    return this.#servers.links;
  }

  client(node: number): ViewDriver {
    return new SocketIoDriver(this.#servers.at(node).port);
  }

  stall(link: number): void {
    this.#servers.stall(link);
  }

  flow(link: number): void {
    this.#servers.flow(link);
  }

  list(node: number, topic: string): View {
    const people: Record<string, number[]> = {};
    for (const { key, meta } of this.#servers.at(node).node.list(topic))
      people[key] = inOrder([...(people[key] ?? []), (meta as unknown as Said).n]);
    return people;
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }
}

/** What each says of itself; no two say the same number. */
type Said = { readonly n: number };

const inOrder = (numbers: readonly number[]) => [...numbers].sort((one, other) => one - other);

/** A connection has one key, so that a driver has a client for each of its keys. */
class SocketIoDriver implements ViewDriver {
  readonly faults: string[] = [];
  readonly #port: number;
  readonly #clients = new Map<string, Client>();
  readonly #rooms = new Map<string, PresenceRoom<Said>>();
  readonly #heard = new Set<PresenceRoom<Said>>();
  readonly #told = new Map<string, string[]>();
  #door!: LinkProxy;

  constructor(port: number) {
    this.#port = port;
  }

  async connect(): Promise<void> {
    this.#door = await LinkProxy.listen({ targetPort: this.#port });
  }

  async join(topic: string, key: string, meta: number): Promise<void> {
    const client = this.#client(key);
    const room = presenceOf<Said>(client, topic);
    this.#rooms.set(topic, room);
    this.#listen(topic, room);
    await room.track({ n: meta });
  }

  leave(topic: string): void {
    this.#note(topic, "leaves");
    this.#ignoring(this.#rooms.get(topic)!.untrack());
    this.#rooms.delete(topic);
  }

  update(topic: string, meta: number): void {
    this.#ignoring(this.#rooms.get(topic)!.update({ n: meta }));
  }

  cut(): void {
    this.#door.cut();
  }

  async resume(): Promise<void> {
    this.#door.restore();
  }

  list(topic: string): View {
    const people = this.#rooms.get(topic)?.people ?? [];
    return Object.fromEntries(people.map(({ key, metas }) => [key, inOrder(metas.map(({ n }) => n))]));
  }

  told(topic: string): readonly string[] {
    return this.#told.get(topic) ?? [];
  }

  close(): void {
    for (const client of this.#clients.values()) client.disconnect();
    void this.#door.close();
  }

  #client(key: string): Client {
    const client =
      this.#clients.get(key) ??
      connectTo(`http://127.0.0.1:${this.#door.port}`, {
        transports: ["websocket"],
        forceNew: true,
        reconnectionDelay: 20,
        reconnectionDelayMax: 20,
        auth: { key },
      });
    this.#clients.set(key, client);
    return client;
  }

  #listen(topic: string, room: PresenceRoom<Said>): void {
    if (this.#heard.has(room)) return;
    this.#heard.add(room);
    const here = new Set<string>();
    room.on("join", ({ key }) => {
      this.#note(topic, `join ${key}`);
      if (here.has(key)) this.faults.push(`${key} joined twice on ${topic}`);
      here.add(key);
    });
    room.on("leave", ({ key }) => {
      this.#note(topic, `leave ${key}`);
      if (!here.delete(key)) this.faults.push(`${key} left ${topic} without having been there`);
    });
    room.on("sync", (people) => {
      this.#note(topic, `list ${people.map(({ key }) => key)}`);
      here.clear();
      for (const { key } of people) here.add(key);
    });
  }

  #ignoring(asked: Promise<void>): void {
    asked.catch((error: Error) => this.#note("errors", error.message));
  }

  #note(topic: string, text: string): void {
    const told = this.#told.get(topic) ?? [];
    this.#told.set(topic, told);
    told.push(`[${text}]`);
  }
}
