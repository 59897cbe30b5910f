/** SocketCluster as a world of histories: its server, and socketcluster-client with the roster of the README. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { attach } from "@presently/socketcluster";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import socketclusterClient from "socketcluster-client";
import socketcluster from "socketcluster-server";
import { LinkedServers } from "../helpers/client-view/linked-servers.ts";
import type { View, ViewDriver, ViewWorld } from "../helpers/client-view/view-driver.ts";
import { AUTH_KEY, type Client, PROMPT } from "./socketcluster-cluster.ts";

interface Roster {
  readonly users: readonly { readonly id: string; readonly connections: number }[];
}

interface Server {
  readonly node: PresentlyNode;
  readonly port: number;
  /** A token that names a user. */
  tokenOf(user: string): Promise<string>;
  stop(): Promise<void>;
}

async function startServer(nodeOptions: NodeOptions): Promise<Server> {
  const node = await createNode(nodeOptions);
  const http = createServer();
  const agServer = socketcluster.attach(http, { authKey: AUTH_KEY });
  // Each server tells its own clients: there is no broker between them.
  const presence = attach(agServer, { ...PROMPT, publishers: "every", node });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    node,
    port: (http.address() as AddressInfo).port,
    tokenOf: async (user) =>
      (await agServer.auth.signToken({ user_id: user }, AUTH_KEY, { expiresIn: 3_600 })) as string,
    stop: async () => {
      await presence.close();
      await agServer.close();
      http.close();
      await node.stop({ handoffMs: 0 });
    },
  };
}

export class SocketClusterWorld implements ViewWorld {
  readonly #servers: LinkedServers<Server>;

  static async start(): Promise<SocketClusterWorld> {
    return new SocketClusterWorld(await LinkedServers.start(startServer));
  }

  private constructor(servers: LinkedServers<Server>) {
    this.#servers = servers;
  }

  get nodes(): number {
    return this.#servers.count;
  }

  get links(): number {
    return this.#servers.links;
  }

  client(node: number): ViewDriver {
    return new SocketClusterDriver(this.#servers.at(node));
  }

  stall(link: number): void {
    this.#servers.stall(link);
  }

  flow(link: number): void {
    this.#servers.flow(link);
  }

  list(node: number, topic: string): View {
    const connections: Record<string, number> = {};
    for (const { key } of this.#servers.at(node).node.list(topic))
      connections[key] = (connections[key] ?? 0) + 1;
    return connections;
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }
}

/** A socket has one user, so that a driver has a client for each of its keys. */
class SocketClusterDriver implements ViewDriver {
  readonly faults: string[] = [];
  readonly #server: Server;
  readonly #clients = new Map<string, Promise<Client>>();
  /** What leaves a topic. */
  readonly #leaves = new Map<string, () => void>();
  readonly #rosters = new Map<string, Map<string, number>>();
  readonly #told = new Map<string, string[]>();
  #door!: LinkProxy;

  constructor(server: Server) {
    this.#server = server;
  }

  async connect(): Promise<void> {
    this.#door = await LinkProxy.listen({ targetPort: this.#server.port });
  }

  async join(topic: string, key: string): Promise<void> {
    const changes = `_SCPRESENCE/${topic}`;
    let left = false;
    let end: () => void = () => undefined;
    this.#leaves.set(topic, () => {
      left = true;
      end();
    });
    const client = await this.#client(key);
    if (left) return;
    const roster = new Map<string, number>();
    this.#rosters.set(topic, roster);
    const presence = client.subscribe(topic);
    const channel = client.subscribe(changes);
    end = () => {
      client.unsubscribe(changes);
      client.unsubscribe(topic);
      client.closeChannel(changes);
      client.closeChannel(topic);
    };
    const apply = ({ users }: Roster) => {
      for (const { id, connections } of users)
        if (connections > 0) roster.set(id, connections);
        else roster.delete(id);
    };
    void (async () => {
      for await (const change of channel) {
        this.#note(topic, `change ${JSON.stringify((change as Roster).users)}`);
        apply(change as Roster);
      }
    })();
    const joined = new Promise<void>((resolve) => {
      // Also after each reconnect: what was published meanwhile is in the roster.
      void (async () => {
        for await (const _ of channel.listener("subscribe")) {
          if (!presence.isSubscribed()) await presence.listener("subscribe").once();
          try {
            const all = (await client.invoke("roster", topic)) as Roster;
            this.#note(topic, `roster ${JSON.stringify(all.users)}`);
            roster.clear();
            apply(all);
            resolve();
          } catch (error) {
            // It has left, or was cut off, while it asked.
            this.#note(topic, `no roster: ${String(error)}`);
          }
        }
        resolve();
      })();
    });
    await joined;
  }

  leave(topic: string): void {
    this.#note(topic, "leaves");
    this.#leaves.get(topic)!();
    this.#rosters.delete(topic);
  }

  /** Of its users a roster tells only how many connections they have. */
  update(): void {}

  cut(): void {
    this.#door.cut();
  }

  /** The client connects and subscribes again by itself. */
  async resume(): Promise<void> {
    this.#door.restore();
  }

  list(topic: string): View {
    return Object.fromEntries(this.#rosters.get(topic) ?? []);
  }

  told(topic: string): readonly string[] {
    return this.#told.get(topic) ?? [];
  }

  close(): void {
    for (const client of this.#clients.values()) void client.then((each) => each.disconnect());
    void this.#door.close();
  }

  #client(key: string): Promise<Client> {
    const client = this.#clients.get(key) ?? this.#connect(key);
    this.#clients.set(key, client);
    return client;
  }

  async #connect(key: string): Promise<Client> {
    const client = socketclusterClient.create({
      hostname: "127.0.0.1",
      port: this.#door.port,
      authTokenName: `token-${key}-${this.#door.port}`,
      autoReconnectOptions: { initialDelay: 20, randomness: 0, maxDelay: 100 },
    });
    const token = await this.#server.tokenOf(key);
    for (let known = false; !known; ) {
      await client.listener("connect").once();
      // Where the connection is cut meanwhile, it says so again on the next one.
      known = await client.authenticate(token).then(
        () => true,
        () => false,
      );
    }
    return client;
  }

  #note(topic: string, text: string): void {
    const told = this.#told.get(topic) ?? [];
    this.#told.set(topic, told);
    told.push(`[${text}]`);
  }
}
