/** `@presently/client` as a world of histories. */
import { type Client, createClient, type Room } from "@presently/client";
import { serveEndpoint } from "@presently/phoenix";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import { WebSocket } from "ws";
import { LinkedServers } from "../helpers/client-view/linked-servers.ts";
import type { View, ViewDriver, ViewWorld } from "../helpers/client-view/view-driver.ts";

interface EndpointServer {
  readonly node: PresentlyNode;
  stop(): Promise<void>;
}

async function startServer(nodeOptions: NodeOptions): Promise<EndpointServer> {
  const node = await createNode({ ...nodeOptions, http: { port: 0 } });
  serveEndpoint(node);
  return { node, stop: () => node.stop() };
}

export class PresentlyClientWorld implements ViewWorld {
  readonly #servers: LinkedServers<EndpointServer>;

  static async start(): Promise<PresentlyClientWorld> {
    return new PresentlyClientWorld(await LinkedServers.start(startServer));
  }

  private constructor(servers: LinkedServers<EndpointServer>) {
    this.#servers = servers;
  }

  get nodes(): number {
    return this.#servers.count;
  }

  get links(): number {
    return this.#servers.links;
  }

  client(node: number): ViewDriver {
    return new PresentlyClientDriver(Number(new URL(this.#servers.at(node).node.httpUrl!).port));
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
class PresentlyClientDriver implements ViewDriver {
  readonly faults: string[] = [];
  readonly #port: number;
  readonly #clients = new Map<string, Client>();
  readonly #rooms = new Map<string, Room<Said>>();
  readonly #told = new Map<string, string[]>();
  #door!: LinkProxy;

  constructor(port: number) {
    this.#port = port;
  }

  async connect(): Promise<void> {
    this.#door = await LinkProxy.listen({ targetPort: this.#port });
  }

  async join(topic: string, key: string, meta: number): Promise<void> {
    const room = this.#client(key).join<Said>(topic, { meta: { n: meta }, leaveDelayMs: 0 });
    this.#rooms.set(topic, room);
    this.#listen(topic, room);
    await room.whenJoined().catch((error: unknown) => {
      if (room.status !== "left") throw error;
    });
  }

  leave(topic: string): void {
    this.#note(topic, "leaves");
    void this.#rooms.get(topic)!.leave();
    this.#rooms.delete(topic);
  }

  update(topic: string, meta: number): void {
    void this.#rooms.get(topic)!.update({ n: meta });
  }

  cut(): void {
    this.#door.cut();
  }

  /** The client keeps what is said until it is back. */
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
    for (const client of this.#clients.values()) void client.close();
    void this.#door.close();
  }

  #client(key: string): Client {
    const client =
      this.#clients.get(key) ??
      createClient(`ws://127.0.0.1:${this.#door.port}/socket`, {
        key,
        transport: WebSocket,
        reconnectAfterMs: () => 20,
        rejoinAfterMs: () => 20,
      });
    this.#clients.set(key, client);
    return client;
  }

  #listen(topic: string, room: Room<Said>): void {
    const here = new Set<string>();
    room.on("join", ({ key }) => {
      this.#note(topic, `join ${key}`);
      if (here.has(key)) this.faults.push(`${key} joined twice on ${topic}`);
      here.add(key);
    });
    room.on("leave", ({ key }) => {
      this.#note(topic, `leave ${key}`);
      here.delete(key);
    });
    room.on("sync", (people) => {
      this.#note(topic, `list ${people.map(({ key }) => key)}`);
      for (const { key } of people) here.add(key);
    });
  }

  #note(topic: string, text: string): void {
    const told = this.#told.get(topic) ?? [];
    this.#told.set(topic, told);
    told.push(`[${text}]`);
  }
}
