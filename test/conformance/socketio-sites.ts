/** Real Socket.IO servers, each on a Presently node of one cluster, and real clients of them. */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type AdapterOptions, presently, type SocketIoNotice } from "@presently/socket.io";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { Server, type ServerOptions, type Socket } from "socket.io";
import {
  type Socket as Client,
  io as connectTo,
  type ManagerOptions,
  type SocketOptions,
} from "socket.io-client";

export type { Client };

export interface Site {
  readonly node: PresentlyNode;
  readonly io: Server;
  readonly url: string;
  readonly notices: SocketIoNotice[];
}

export interface SiteOptions {
  readonly node?: Partial<NodeOptions>;
  readonly adapter?: AdapterOptions;
  readonly server?: Partial<ServerOptions>;
}

export class Sites {
  readonly #clients: Client[] = [];
  readonly #sites: (Site & { readonly http: HttpServer })[] = [];

  /** One server for each name, on linked nodes. */
  async start(names: readonly string[], options: SiteOptions = {}): Promise<Site[]> {
    const started: Site[] = [];
    for (const name of names) started.push(await this.#startOne(name, options));
    await Promise.all(started.map(({ node }) => node.whenReady()));
    return started;
  }

  async #startOne(name: string, options: SiteOptions): Promise<Site> {
    const peers = this.#sites.map(({ node }) => node.meshUrl!);
    const given = { name, secret: "s3cret", logLevel: "silent", mesh: { port: 0, peers } } as const;
    const node = await createNode({ ...given, ...options.node });
    const http = createServer();
    const notices: SocketIoNotice[] = [];
    const adapter = presently(node, { onNotice: (notice) => notices.push(notice), ...options.adapter });
    const io = new Server(http, { ...options.server, adapter });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const site = { node, io, url, notices, http };
    this.#sites.push(site);
    return site;
  }

  /** A connected client of a namespace, and its socket at the server; `prepare` is called before it connects. */
  async connect(
    { io, url }: Site,
    namespace = "/",
    options: Partial<ManagerOptions & SocketOptions> = {},
    prepare: (client: Client) => void = () => undefined,
  ): Promise<{ client: Client; socket: Socket }> {
    const client = connectTo(url + namespace, { transports: ["websocket"], forceNew: true, ...options });
    this.#clients.push(client);
    prepare(client);
    await new Promise<void>((resolve, reject) => {
      client.once("connect", resolve);
      client.once("connect_error", reject);
    });
    return { client, socket: io.of(namespace).sockets.get(client.id!)! };
  }

  disconnectAll(): void {
    for (const client of this.#clients.splice(0)) client.disconnect();
  }

  async stop(): Promise<void> {
    this.disconnectAll();
    for (const { io, node } of this.#sites.splice(0).reverse()) {
      await io.close();
      await node.stop({ handoffMs: 0 });
    }
  }
}

/** The arguments of each event of this name that comes from now on. */
export function hear(client: Client, event: string): unknown[][] {
  const heard: unknown[][] = [];
  client.on(event, (...args: unknown[]) => heard.push(args));
  return heard;
}
