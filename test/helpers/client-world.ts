/** `@presently/client` against real nodes with their ready-made socket, in one process. */
import { type Client, type ClientOptions, createClient } from "@presently/client";
import { type EndpointOptions, serveEndpoint } from "@presently/phoenix";
import { SignJWT } from "jose";
import { type Access, createNode, type PresentlyNode } from "presently";
import { WebSocket } from "ws";

const MESH_SECRET = "a secret that only these tests share";
const TOKEN_SECRET = "a secret of whoever signs tokens";

/** A WebSocket whose connection a test can cut, as a broken network does. */
export class BreakableWebSocket extends WebSocket {
  static readonly #all = new Set<BreakableWebSocket>();

  constructor(...words: ConstructorParameters<typeof WebSocket>) {
    super(...words);
    BreakableWebSocket.#all.add(this);
    this.on("close", () => BreakableWebSocket.#all.delete(this));
  }

  /** Cuts those to this address, without a farewell. */
  static breakAll(url: string): void {
    for (const socket of BreakableWebSocket.#all) if (socket.url.startsWith(url)) socket.terminate();
  }
}

export interface StartOptions extends EndpointOptions {
  readonly name?: string;
  /** Where it listens; by default anywhere. */
  readonly port?: number;
  /** Who may do what; by default everybody everything. */
  readonly access?: Access;
}

/** Nodes and clients, until `end`. */
export class ClientWorld {
  readonly #nodes: PresentlyNode[] = [];
  readonly #clients: Client[] = [];

  /** A node with its socket, linked with those that run already. */
  async start({ name = "a", port = 0, access, ...endpoint }: StartOptions = {}): Promise<PresentlyNode> {
    const peers = this.#nodes.map(({ meshUrl }) => meshUrl!);
    const node = await createNode({
      name,
      cluster: "client",
      secret: MESH_SECRET,
      mesh: { port: 0, peers },
      http: { port },
      ...(access && { access }),
    });
    this.#nodes.push(node);
    serveEndpoint(node, endpoint);
    await node.whenReady();
    return node;
  }

  async stop(node: PresentlyNode): Promise<void> {
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    await node.stop();
  }

  /** A client that tries again at once, so that tests need not wait. */
  client(node: PresentlyNode, options: ClientOptions = {}): Client {
    return this.clientOf(socketUrl(node), options);
  }

  /** The same, of another way to a node. */
  clientOf(url: string, options: ClientOptions = {}): Client {
    const client = createClient(url, {
      transport: BreakableWebSocket,
      reconnectAfterMs: () => 20,
      rejoinAfterMs: () => 20,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
    await Promise.all(this.#nodes.splice(0).map((node) => node.stop()));
  }
}

/** What a client is given. */
export function socketUrl(node: PresentlyNode): string {
  return `${node.httpUrl!.replace("http", "ws")}/socket`;
}

export function portOf(node: PresentlyNode): number {
  return Number(new URL(node.httpUrl!).port);
}

/** For a server that takes tokens. */
export const tokenOptions: EndpointOptions = { tokenSecret: TOKEN_SECRET };

/** A token as a server signs it; one that is over, if it is asked for. */
export function tokenFor(key: string, { expired = false } = {}): Promise<string> {
  const seconds = Math.floor(Date.now() / 1_000);
  return new SignJWT({ user_id: key })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime(seconds + (expired ? -60 : 3_600))
    .sign(new TextEncoder().encode(TOKEN_SECRET));
}
