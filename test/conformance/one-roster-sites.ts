/** Five nodes of one cluster in one process, over real links, with a server of each protocol, and doors that clients come by. */
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { type Client as ColyseusClient, Server as ColyseusServer, Room } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { Cable } from "@presently/anycable";
import { type PlayerRoster, PresentlyDriver, PresentlyPresence } from "@presently/colyseus";
import { protect, setup } from "@presently/faye";
import { PhoenixSocket } from "@presently/phoenix";
import { attach } from "@presently/socketcluster";
import faye from "faye";
import { createNode, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import socketcluster from "socketcluster-server";
import { eventually } from "../helpers/eventually.ts";
import { freePort } from "../helpers/processes.ts";

export const AUTH_KEY = "a key of this test";

/** What each protocol calls the room that is `room:lobby` in the cluster. */
export const ROOM = {
  phoenix: "room:lobby",
  anycable: "rooms/lobby",
  faye: "/presence/lobby",
  socketcluster: "lobby",
  colyseus: "lobby",
} as const;

export const TOPIC = "room:lobby";

/** What AnyCable clients have in front of their ids. */
export const CABLE_ID = "user:";

/** The protocols that have a server of their own on every site; Colyseus' match-maker is one for a process. */
export type Served = Exclude<keyof typeof ROOM, "colyseus">;

/** A node with a server of each protocol. */
export interface Site {
  readonly node: PresentlyNode;
  readonly ports: Readonly<Record<Served, number>>;
  stop(): Promise<void>;
}

/** The address that the clients of one protocol are given: it passes connections on to whichever site it is told to. */
export class Door {
  readonly #server = createTcpServer((socket) => this.#pass(socket));
  readonly #sockets = new Set<Socket>();
  #target: number | undefined;

  static async open(target: number): Promise<Door> {
    const door = new Door();
    door.leadTo(target);
    await new Promise<void>((listening) => door.#server.listen(0, "127.0.0.1", listening));
    return door;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  leadTo(target: number): void {
    this.#target = target;
  }

  /** Breaks every connection, and lets nobody in before `leadTo`. */
  shut(): void {
    this.#target = undefined;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.shut();
    this.#server.close();
  }

  #pass(client: Socket): void {
    const upstream = this.#target === undefined ? undefined : connect(this.#target, "127.0.0.1");
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      if (socket === undefined) continue;
      this.#sockets.add(socket);
      // An end that breaks is told of by its `close`.
      socket.on("error", () => undefined);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        other?.destroy();
      });
    }
    if (upstream === undefined) client.resetAndDestroy();
    else client.pipe(upstream).pipe(client);
  }
}

/** What the sites have in common: how they find each other, and how one is cut off from all others. */
export class Cluster {
  readonly sites: Site[] = [];
  readonly #meshPorts: number[] = [];
  #links: { readonly ends: readonly [number, number]; readonly proxy: LinkProxy }[] = [];

  static async start(names: readonly string[]): Promise<Cluster> {
    const cluster = new Cluster();
    for (const [index, name] of names.entries()) await cluster.#start(index, name);
    await cluster.#linked();
    return cluster;
  }

  /** The site dies, for all others: no link of it works any more, and whatever it does, nobody hears a goodbye of it. */
  async cut(index: number): Promise<void> {
    const links = this.#links.filter(({ ends }) => ends.includes(index));
    this.#links = this.#links.filter((link) => !links.includes(link));
    await Promise.all(links.map(({ proxy }) => proxy.close()));
  }

  /** A new life of a site that was cut off and stopped. */
  async restart(index: number): Promise<void> {
    await this.#start(index, this.sites[index]!.node.name);
    await this.#linked();
  }

  async stop(): Promise<void> {
    for (const site of [...this.sites].reverse()) await site.stop();
    await Promise.all(this.#links.map(({ proxy }) => proxy.close()));
  }

  /** A site dials all that run, each by a way of its own that can be cut. */
  async #start(index: number, name: string): Promise<void> {
    const peers: string[] = [];
    for (const [other, targetPort] of this.#meshPorts.entries()) {
      if (other === index) continue;
      const proxy = await LinkProxy.listen({ targetPort });
      this.#links.push({ ends: [index, other], proxy });
      peers.push(`ws://127.0.0.1:${proxy.port}`);
    }
    const port = await freePort();
    this.#meshPorts[index] = port;
    this.sites[index] = await startSite(name, { port, peers, peerGossip: false });
  }

  async #linked(): Promise<void> {
    for (const { node } of this.sites)
      await eventually(() => {
        const { length } = node.links();
        if (length !== this.sites.length - 1) throw new Error(`${node.name} has ${length} links`);
      });
    await Promise.all(this.sites.map(({ node }) => node.whenReady()));
  }
}

async function startSite(
  name: string,
  mesh: { readonly port: number; readonly peers: readonly string[]; readonly peerGossip: boolean },
): Promise<Site> {
  const node = await createNode({
    name,
    cluster: "one-roster",
    secret: "a secret of this test",
    mesh,
    logLevel: "silent",
  });
  const servers = {
    phoenix: createServer(),
    anycable: createServer(),
    faye: createServer(),
    socketcluster: createServer(),
  };
  const sockets = new Set<Socket>();

  const phoenix = new PhoenixSocket<{ user: string }>(node, {
    connect: ({ user }) => (typeof user === "string" ? { user } : null),
  });
  phoenix.channel("room:*", {
    presence: { key: ({ assigns }) => assigns.user, meta: () => ({ by: "phoenix" }) },
  });
  phoenix.attach(servers.phoenix, "/socket");

  const cable = new Cable(node, {
    publicStreams: true,
    // How long AnyCable keeps the people of a node that is lost.
    presenceTtlMs: 300,
    roster: {
      topics: { prefix: "rooms/", inCluster: "room:" },
      ids: { prefix: CABLE_ID, inCluster: "" },
    },
  });
  cable.attach(servers.anycable);

  const bayeux = new faye.NodeAdapter({ mount: "/bayeux", timeout: 20 });
  protect(bayeux);
  setup(bayeux, bayeux.getClient(), {
    node,
    roster: { topics: { prefix: "/presence/", inCluster: "room:" } },
  });
  bayeux.attach(servers.faye);

  const agServer = socketcluster.attach(servers.socketcluster, { authKey: AUTH_KEY });
  const presence = attach(agServer, {
    node,
    scpBlockUsercountThreshold: 0,
    roster: { topics: { prefix: "", inCluster: "room:" } },
  });

  for (const server of Object.values(servers)) {
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  }
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const ports = {
    phoenix: portOf(servers.phoenix),
    anycable: portOf(servers.anycable),
    faye: portOf(servers.faye),
    socketcluster: portOf(servers.socketcluster),
  };
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    for (const socket of sockets) socket.destroy();
    await node.stop({ handoffMs: 0 });
    await presence.close();
    await agServer.close();
    bayeux.getClient().disconnect();
    bayeux.close();
    for (const server of Object.values(servers)) server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { node, ports, stop };
}

/** A game on the node of a site: the players of its room are on the topic, and are told who else is. */
export async function startGame(
  node: PresentlyNode,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const presence = new PresentlyPresence(node, { roster: { topics: { prefix: "", inCluster: "room:" } } });
  const http = createServer();
  const server = new ColyseusServer({
    presence,
    driver: new PresentlyDriver(presence),
    transport: new WebSocketTransport({ server: http }),
    greet: false,
  });
  server.define(
    "game",
    class extends Room {
      #roster: PlayerRoster | undefined;

      override async onCreate() {
        this.#roster = await presence.roster(ROOM.colyseus);
        this.#roster.watch((player) => this.broadcast("player", player));
        this.onMessage("who", (client) => client.send("players", this.#roster?.list()));
      }

      override onJoin(client: ColyseusClient, { id }: { id: string }) {
        this.#roster?.track(client.sessionId, id, { by: "colyseus" });
      }

      override onLeave(client: ColyseusClient) {
        this.#roster?.untrack(client.sessionId);
      }

      override onDispose() {
        this.#roster?.close();
      }
    },
  );
  server.onShutdown(() => presence.shutdown());
  await server.listen(0, "127.0.0.1");
  const { port } = http.address() as AddressInfo;
  return { port, stop: () => server.gracefullyShutdown(false) };
}
