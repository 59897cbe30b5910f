/** The npm client `@anycable/core`, unmodified, in Node.js: helpers that connect it and wait for it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Channel, type Cable as Client, type CreateOptions, createCable } from "@anycable/core";
import { Cable, type CableOptions } from "@presently/anycable";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";

const secret = "a secret that only these tests share";

/** One node with its cable and HTTP server. */
export class CableNode<Identifiers = unknown> {
  readonly node: PresentlyNode;
  readonly cable: Cable<Identifiers>;
  readonly server: Server;
  /** Kept, as it is asked for after the server has closed, too. */
  readonly port: number;

  static async start<Identifiers>(
    nodeOptions: NodeOptions,
    options: CableOptions<Identifiers> = {},
  ): Promise<CableNode<Identifiers>> {
    const node = await createNode(nodeOptions);
    const cable = new Cable(node, options);
    const server = createServer();
    cable.attach(server);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return new CableNode(node, cable, server);
  }

  private constructor(node: PresentlyNode, cable: Cable<Identifiers>, server: Server) {
    this.node = node;
    this.cable = cable;
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** What a client is given. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}/cable`;
  }

  /** Where the REST API is. */
  get httpUrl(): string {
    return `http://127.0.0.1:${this.port}`;
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
export async function startCableNodes<Identifiers>(
  names: readonly string[],
  options: CableOptions<Identifiers> = {},
  nodeOptions: Partial<NodeOptions> = {},
): Promise<CableNode<Identifiers>[]> {
  const nodes: CableNode<Identifiers>[] = [];
  for (const name of names) {
    const peers = nodes.map(({ node }) => node.meshUrl!);
    const all = { name, cluster: "anycable", secret, mesh: { port: 0, peers }, ...nodeOptions };
    nodes.push(await CableNode.start<Identifiers>(all, options));
  }
  await Promise.all(nodes.map(({ node }) => node.whenReady()));
  await eventually(() => {
    for (const { node } of nodes)
      if (node.links().length !== names.length - 1) throw new Error("not linked yet");
  });
  return nodes;
}

/** A WebSocket whose wire can be cut, as a train does that enters a tunnel: neither side says goodbye. */
export function cuttableSockets() {
  const open = new Set<WebSocket>();
  class CuttableSocket extends WebSocket {
    constructor(...words: ConstructorParameters<typeof WebSocket>) {
      super(...words);
      open.add(this);
      this.on("close", () => open.delete(this));
      // A refused connection is told of by `close` as well.
      this.on("error", () => undefined);
    }
  }
  const cut = () => {
    for (const socket of open) socket.terminate();
  };
  return { implementation: CuttableSocket, cut };
}

/** What tests want to change of a client. */
export type ClientOptions = Partial<CreateOptions<"actioncable-v1-ext-json">>;

/** A client of the extended protocol; it reconnects at once, so that tests need not wait. */
export function connectClient(url: string, options: ClientOptions = {}): Client & { cut(): void } {
  const { implementation, cut } = cuttableSockets();
  const client = createCable(url, {
    protocol: "actioncable-v1-ext-json",
    websocketImplementation: implementation,
    reconnectStrategy: () => 20,
    logLevel: "error",
    ...options,
  } as ClientOptions);
  return Object.assign(client, { cut });
}

/** Everything that a channel was told of presence, as `+id`, `-id`. */
export function presenceEvents(channel: Channel): string[] {
  const events: string[] = [];
  channel.on("presence", (event) => {
    if (event.type === "join") events.push(`+${event.id}`);
    else if (event.type === "leave") events.push(`-${event.id}`);
  });
  return events;
}
