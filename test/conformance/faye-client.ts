/** The npm server and client `faye`, unmodified, in Node.js: helpers that start them and listen to what goes over the wire. */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type FayePresence, type ProtectOptions, protect, type SetupOptions, setup } from "@presently/faye";
import faye from "faye";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";

const secret = "a secret that only these tests share";

export type Bayeux = InstanceType<typeof faye.NodeAdapter>;
export type BayeuxClient = InstanceType<typeof faye.Client>;
export type BayeuxOptions = ConstructorParameters<typeof faye.NodeAdapter>[0];

export interface FayeNodeOptions {
  readonly setup?: SetupOptions;
  readonly bayeux?: BayeuxOptions;
  readonly protect?: ProtectOptions;
  /** Called before presence is set up. */
  readonly before?: (bayeux: Bayeux) => void;
}

/** One node with a Faye server that has presence. */
export class FayeNode {
  readonly node: PresentlyNode;
  readonly bayeux: Bayeux;
  readonly presence: FayePresence;
  readonly server: Server;
  /** A server does not close those that have become WebSockets. */
  readonly #sockets = new Set<Socket>();

  static async start(nodeOptions: NodeOptions, options: FayeNodeOptions = {}): Promise<FayeNode> {
    const node = await createNode(nodeOptions);
    const bayeux = new faye.NodeAdapter({ mount: "/bayeux", timeout: 20, ...options.bayeux });
    protect(bayeux, options.protect);
    options.before?.(bayeux);
    const presence = setup(bayeux, bayeux.getClient(), { node, ...options.setup });
    const server = createServer();
    bayeux.attach(server);
    const started = new FayeNode(node, bayeux, presence, server);
    server.on("connection", (socket) => {
      started.#sockets.add(socket);
      socket.once("close", () => started.#sockets.delete(socket));
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return started;
  }

  private constructor(node: PresentlyNode, bayeux: Bayeux, presence: FayePresence, server: Server) {
    this.node = node;
    this.bayeux = bayeux;
    this.presence = presence;
    this.server = server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/bayeux`;
  }

  async stop(handoffMs = 0): Promise<void> {
    await this.node.stop({ handoffMs });
    this.bayeux.getClient().disconnect();
    this.bayeux.close();
    await new Promise<void>((closed) => {
      this.server.close(() => closed());
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}

/** Nodes in one process, linked with each other. */
export async function startFayeNodes(
  names: readonly string[],
  options: FayeNodeOptions | ((name: string) => FayeNodeOptions) = {},
): Promise<FayeNode[]> {
  const nodes: FayeNode[] = [];
  for (const name of names) {
    const peers = nodes.map(({ node }) => node.meshUrl!);
    const own = typeof options === "function" ? options(name) : options;
    nodes.push(await FayeNode.start({ name, cluster: "faye", secret, mesh: { port: 0, peers } }, own));
  }
  await Promise.all(nodes.map(({ node }) => node.whenReady()));
  return nodes;
}

/** What presence says, as the guide's client extension reads it: the list of a confirmation, then the events. */
export class FayeTab {
  readonly client: BayeuxClient;
  readonly id: unknown;
  readonly data: unknown;
  /** Channel → who is there, kept by the confirmations and the events. */
  readonly rosters = new Map<string, Map<string, unknown>>();
  /** `ext.presence` of the confirmations. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape.
  readonly confirmations: any[] = [];
  /** Every message with data: channel and data. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape.
  readonly events: [channel: string, data: any][] = [];

  constructor(url: string, id?: unknown, data?: unknown, transport: Transport = "websocket") {
    this.id = id;
    this.data = data;
    this.client = new faye.Client(url, { retry: 0.05 });
    if (transport === "long-polling") this.client.disable("websocket");
    this.client.addExtension({
      outgoing: (message, callback) => {
        if (message.channel === "/meta/subscribe" && this.id !== undefined)
          message.ext = {
            presence: { id: this.id, ...(this.data === undefined ? {} : { data: this.data }) },
          };
        callback(message);
      },
      incoming: (message, callback) => {
        const list = message.ext?.presence?.subscribe;
        if (message.channel === "/meta/subscribe" && list !== undefined) {
          this.confirmations.push(message.ext.presence);
          this.rosters.set(message.subscription, new Map(Object.entries(list)));
        }
        if (message.data !== undefined && !message.channel.startsWith("/meta/")) this.#heard(message);
        callback(message);
      },
    });
  }

  /** Subscribes, and settles when the server has confirmed it. @throws what it was refused with */
  async join(channel: string): Promise<this> {
    await this.client.subscribe(channel, () => undefined);
    return this;
  }

  /** Who is on the channel, as far as this client was told. */
  ids(channel: string): string[] {
    return [...(this.rosters.get(channel)?.keys() ?? [])].sort();
  }

  /** The events of a channel as they came. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape.
  heard(channel: string): any[] {
    return this.events.filter(([on]) => on === channel).map(([, data]) => data);
  }

  close(): void {
    this.client.disconnect();
  }

  // biome-ignore lint/suspicious/noExplicitAny: messages of every shape come here.
  #heard({ channel, data }: { channel: string; data: any }): void {
    this.events.push([channel, data]);
    const roster = this.rosters.get(channel) ?? new Map<string, unknown>();
    this.rosters.set(channel, roster);
    for (const [id, value] of Object.entries(data?.subscribe ?? {})) roster.set(id, value);
    for (const id of Object.keys(data?.unsubscribe ?? {})) roster.delete(id);
  }
}

/** What the npm client can use in Node.js. */
export type Transport = "websocket" | "long-polling";
