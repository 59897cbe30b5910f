/** Nodes of one cluster that serve Pusher's protocol, and real clients and server libraries of them. */

import { type EndpointOptions, type PusherServer, serveEndpoint } from "@presently/pusher";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import Pusher from "pusher";
import pusherJs, { type Channel, type Options, type PresenceChannel } from "pusher-js";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";

/** What is imported is the class; its types say that it is a module. */
const PusherClient = pusherJs as unknown as typeof pusherJs.default;
export type PusherClient = pusherJs.default;

export const APP = { id: "42", key: "presently-key", secret: "presently-secret" };
export const OTHER_APP = { id: "43", key: "other-key", secret: "other-secret" };

export interface Site {
  readonly node: PresentlyNode;
  readonly server: PusherServer;
  readonly port: number;
}

/** Someone, as an app's endpoints for authorization know them. */
export interface Person {
  readonly id: string | number;
  readonly info?: unknown;
  readonly watchlist?: readonly string[];
}

export class PusherCluster {
  readonly sites: Site[] = [];
  readonly #clients: PusherClient[] = [];

  static async start(
    size: number,
    options: Partial<EndpointOptions> = {},
    node: Partial<NodeOptions> = {},
  ): Promise<PusherCluster> {
    const cluster = new PusherCluster();
    for (let at = 0; at < size; at++) await cluster.add(options, node);
    await Promise.all(cluster.sites.map((site) => site.node.whenReady()));
    return cluster;
  }

  async add(options: Partial<EndpointOptions> = {}, more: Partial<NodeOptions> = {}): Promise<Site> {
    const peers = this.sites.map(({ node }) => node.meshUrl!);
    const node = await createNode({
      name: `n${this.sites.length}`,
      secret: "a secret that only these tests share",
      logLevel: "silent",
      mesh: { port: 0, peers },
      http: { port: 0 },
      ...more,
    });
    const server = serveEndpoint(node, { apps: [APP, OTHER_APP], ...options });
    const site = { node, server, port: Number(new URL(node.httpUrl!).port) };
    this.sites.push(site);
    return site;
  }

  /** A pusher-js client that is connected, with authorization by the app's own library. */
  async connect(
    at: number,
    person?: Person,
    app = APP,
    options: Partial<Options> = {},
  ): Promise<PusherClient> {
    const client = this.client(at, person, app, options);
    await eventually(() => {
      if (client.connection.state !== "connected") throw new Error(client.connection.state);
    });
    return client;
  }

  client(at: number, person?: Person, app = APP, options: Partial<Options> = {}): PusherClient {
    const library = this.library(at, app);
    const client = new PusherClient(app.key, {
      ...{ cluster: "", wsHost: "127.0.0.1", wsPort: this.sites[at]!.port, forceTLS: false },
      ...{ enabledTransports: ["ws"], enableStats: false },
      channelAuthorization: {
        ...{ transport: "ajax", endpoint: "" },
        customHandler: ({ channelName, socketId }, callback) => {
          const data = person && { user_id: String(person.id), user_info: person.info as never };
          callback(
            null,
            channelName.startsWith("presence-")
              ? library.authorizeChannel(socketId, channelName, data)
              : library.authorizeChannel(socketId, channelName),
          );
        },
      },
      userAuthentication: {
        ...{ transport: "ajax", endpoint: "" },
        customHandler: ({ socketId }, callback) =>
          callback(
            null,
            library.authenticateUser(socketId, {
              id: String(person?.id ?? ""),
              ...(person?.info === undefined ? {} : { user_info: person.info as never }),
              ...(person?.watchlist === undefined ? {} : { watchlist: [...person.watchlist] }),
            }),
          ),
      },
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  library(at: number, app = APP): Pusher {
    return new Pusher({
      ...{ appId: app.id, key: app.key, secret: app.secret },
      ...{ host: "127.0.0.1", port: String(this.sites[at]!.port), useTLS: false },
      encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString("base64"),
    });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.disconnect();
    await Promise.all(this.sites.splice(0).map(({ node }) => node.stop({ handoffMs: 0 })));
  }
}

/** Settles when the subscription is confirmed; rejects with what refuses it. */
export function subscribed<C extends Channel = PresenceChannel>(
  client: PusherClient,
  name: string,
): Promise<C> {
  const channel = client.subscribe(name) as C;
  return new Promise((resolve, reject) => {
    if (channel.subscribed) resolve(channel);
    channel.bind("pusher:subscription_succeeded", () => resolve(channel));
    channel.bind("pusher:subscription_error", (error: { error: string }) => reject(new Error(error.error)));
  });
}

/** Everything that a channel, or a client, is told from now on. */
export function record(source: Pick<Channel, "bind_global">): [string, unknown][] {
  const told: [string, unknown][] = [];
  source.bind_global((event: string, data: unknown) => void told.push([event, data]));
  return told;
}

/** What a list says, as a map. */
export function membersOf(channel: PresenceChannel): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  channel.members.each(({ id, info }: { id: string; info: unknown }) => {
    found[id] = info;
  });
  return found;
}

/** A WebSocket of the protocol, as written. */
export class RawClient {
  readonly frames: { event: string; channel?: string; data: unknown }[] = [];
  readonly socket: WebSocket;
  closed: { code: number; reason: string } | undefined;

  constructor(
    port: number,
    path = `/app/${APP.key}?protocol=7&client=js&version=8.6.0&flash=false`,
    headers = {},
  ) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    this.socket.on("message", (data) => this.frames.push(JSON.parse(String(data))));
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    this.socket.on("error", () => undefined);
  }

  async open(): Promise<this> {
    await this.told("pusher:connection_established");
    return this;
  }

  get socketId(): string {
    return JSON.parse(this.frames[0]!.data as string).socket_id;
  }

  say(event: string, data: unknown, channel?: string): void {
    this.socket.send(JSON.stringify({ event, data, ...(channel === undefined ? {} : { channel }) }));
  }

  told(event: string, channel?: string): Promise<{ event: string; channel?: string; data: unknown }> {
    return eventually(() => {
      const found = this.frames.find(
        (one) => one.event === event && (channel === undefined || one.channel === channel),
      );
      if (found === undefined) throw new Error(`${event} did not come: ${JSON.stringify(this.frames)}`);
      return found;
    });
  }

  async end(): Promise<number> {
    await eventually(() => {
      if (this.closed === undefined) throw new Error("is open");
    });
    return this.closed!.code;
  }
}
