/** Real SocketCluster servers, each on a Presently node of one cluster, and real clients of them. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type AttachOptions, attach, type SocketClusterPresence } from "@presently/socketcluster";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import client from "socketcluster-client";
import socketcluster from "socketcluster-server";

export type Client = ReturnType<typeof client.create>;

export interface Site {
  readonly node: PresentlyNode;
  readonly agServer: ReturnType<typeof socketcluster.attach>;
  readonly presence: SocketClusterPresence;
  readonly warnings: string[];
  readonly port: number;
}

export interface SiteOptions {
  readonly node?: Partial<NodeOptions>;
  readonly presence?: Omit<AttachOptions, "node">;
  /** Options of the SocketCluster server. */
  readonly server?: Record<string, unknown>;
}

/** Counts that need not be waited for: what the tests are about is not the delays. */
export const PROMPT = { scpConnectUpdateDelay: 0, scpBlockUsercountThreshold: 0 };
export const AUTH_KEY = "a key of the tests";

export class Sites {
  private readonly clients: Client[] = [];
  private readonly sites: (Site & { readonly http: Server })[] = [];

  /** One site for each name, meshed. */
  async start(names: readonly string[], options: SiteOptions = {}): Promise<Site[]> {
    const started: Site[] = [];
    for (const name of names) started.push(await this.startOne(name, options));
    await Promise.all(started.map(({ node }) => node.whenReady()));
    return started;
  }

  private async startOne(name: string, options: SiteOptions): Promise<Site> {
    const peers = this.sites.map(({ node }) => node.meshUrl!);
    const node = await createNode({
      name,
      secret: "s3cret",
      logLevel: "silent",
      mesh: { port: 0, peers },
      ...options.node,
    });
    const http = createServer();
    const agServer = socketcluster.attach(http, { authKey: AUTH_KEY, ...options.server });
    const warnings: string[] = [];
    void (async () => {
      for await (const { warning } of agServer.listener("warning")) warnings.push(String(warning.message));
    })();
    const presence = attach(agServer, { ...PROMPT, ...options.presence, node });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const site = { node, agServer, presence, warnings, http, port: (http.address() as AddressInfo).port };
    this.sites.push(site);
    return site;
  }

  /** A client, and its token if it is to have a user id. */
  async connect(site: Site, user?: string | number): Promise<Client> {
    const connection = client.create({
      hostname: "127.0.0.1",
      port: site.port,
      authTokenName: `token-${this.clients.length}`,
      autoReconnect: true,
      autoReconnectOptions: { initialDelay: 50, randomness: 0, maxDelay: 200 },
    });
    this.clients.push(connection);
    await connection.listener("connect").once();
    if (user !== undefined) await this.authenticate(connection, site, user);
    return connection;
  }

  /** Gives the client a token that names a user. */
  async authenticate(connection: Client, { agServer }: Site, user: string | number): Promise<void> {
    const token: unknown = await agServer.auth.signToken({ user_id: user }, AUTH_KEY, { expiresIn: 3_600 });
    await connection.authenticate(token as string);
  }

  async stop(): Promise<void> {
    for (const connection of this.clients.splice(0)) connection.disconnect();
    for (const { presence, agServer, http, node } of this.sites.splice(0).reverse()) {
      await presence.close();
      await agServer.close();
      http.close();
      await node.stop({ handoffMs: 0 });
    }
  }
}

/** Everything that comes on a channel from now on. The promise settles when the subscription is effective. */
export async function hear(connection: Client, channel: string): Promise<unknown[]> {
  const heard: unknown[] = [];
  const subscription = connection.subscribe(channel);
  void (async () => {
    for await (const data of subscription) heard.push(data);
  })();
  await subscription.listener("subscribe").once();
  return heard;
}
