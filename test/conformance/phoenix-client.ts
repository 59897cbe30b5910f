/** The npm client `phoenix`, unmodified, in Node.js: helpers that connect it and wait for it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PhoenixSocket, type PhoenixSocketOptions } from "@presently/phoenix";
import { type Channel, Presence, Socket, type SocketConnectOption } from "phoenix";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";

const secret = "a secret that only these tests share";

/** One node with its socket and HTTP server. */
export class PhoenixNode<Assigns> {
  readonly node: PresentlyNode;
  readonly socket: PhoenixSocket<Assigns>;
  readonly server: Server;

  static async start<Assigns>(
    nodeOptions: NodeOptions,
    options: PhoenixSocketOptions<Assigns> = {},
    port = 0,
  ): Promise<PhoenixNode<Assigns>> {
    const node = await createNode(nodeOptions);
    const socket = new PhoenixSocket(node, options);
    const server = createServer();
    socket.attach(server, "/socket");
    await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
    return new PhoenixNode(node, socket, server);
  }

  private constructor(node: PresentlyNode, socket: PhoenixSocket<Assigns>, server: Server) {
    this.node = node;
    this.socket = socket;
    this.server = server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** What a client is given. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}/socket`;
  }

  async stop(handoffMs = 0): Promise<void> {
    await this.node.stop({ handoffMs });
    await new Promise<void>((closed) => {
      this.server.close(() => closed());
      this.server.closeAllConnections();
    });
  }
}

/** Nodes in one process, linked with each other. */
export async function startPhoenixNodes<Assigns>(
  names: readonly string[],
  serve: (socket: PhoenixSocket<Assigns>) => void,
  options: PhoenixSocketOptions<Assigns> = {},
  nodeOptions: Partial<NodeOptions> = {},
): Promise<PhoenixNode<Assigns>[]> {
  const nodes: PhoenixNode<Assigns>[] = [];
  for (const name of names) {
    const peers = nodes.map(({ node }) => node.meshUrl!);
    const started = await PhoenixNode.start<Assigns>(
      { ...nodeOptions, name, cluster: "phoenix", secret, mesh: { port: 0, peers } },
      options,
    );
    serve(started.socket);
    nodes.push(started);
  }
  await Promise.all(nodes.map(({ node }) => node.whenReady()));
  return nodes;
}

type Options = Partial<Omit<SocketConnectOption, "authToken">> & {
  readonly authToken?: string | (() => string);
};

/** A connected npm client, over `ws` unless the options say otherwise. Reconnects at once, so that tests need not wait. */
export function connectClient(url: string, options: Options = {}): Socket {
  const socket = new Socket(url, {
    transport: WebSocket as never,
    reconnectAfterMs: () => 20,
    rejoinAfterMs: () => 20,
    ...(options as Partial<SocketConnectOption>),
  });
  socket.connect();
  return socket;
}

/** A joined channel, with the response to the join. @throws what the join was refused with */
export function join(
  socket: Socket,
  topic: string,
  params: object = {},
): Promise<{ channel: Channel; presence: Presence; response: unknown }> {
  const channel = socket.channel(topic, params);
  const presence = new Presence(channel);
  return new Promise((resolve, reject) => {
    channel
      .join()
      .receive("ok", (response) => resolve({ channel, presence, response }))
      .receive("error", (response) => {
        channel.leave();
        reject(new Error(`join refused: ${JSON.stringify(response)}`));
      });
  });
}

/** The answer to a push: its status and response. */
export function push(channel: Channel, event: string, payload: object = {}): Promise<[string, unknown]> {
  return new Promise((resolve) => {
    const sent = channel.push(event, payload);
    for (const status of ["ok", "error", "timeout"] as const)
      sent.receive(status, (response) => resolve([status, response]));
  });
}

/** The presences of a client: key → refs, sorted, so that they can be compared. */
export function listOf(presence: Presence): Record<string, string[]> {
  const entries = presence.list((key, { metas }) => [
    key,
    metas.map((meta: { phx_ref: string }) => meta.phx_ref).sort(),
  ]);
  return Object.fromEntries((entries as [string, string[]][]).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same of a node. */
export function listOfNode(node: PresentlyNode, topic: string): Record<string, string[]> {
  const refs = new Map<string, string[]>();
  for (const { key, ref } of node.list(topic)) refs.set(key, [...(refs.get(key) ?? []), ref].sort());
  return Object.fromEntries([...refs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** How many metas each key has: what the guide's page shows. */
export function countsOf(presence: Presence): Record<string, number> {
  return Object.fromEntries(presence.list((key, { metas }) => [key, metas.length]) as [string, number][]);
}

/** Disconnects, and settles when the connection is gone. */
export async function disconnect(socket: Socket): Promise<void> {
  socket.disconnect();
  await eventually(() => {
    if (socket.connectionState() !== "closed") throw new Error(socket.connectionState());
  });
}
