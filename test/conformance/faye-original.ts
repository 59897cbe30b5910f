/** faye-presence 0.0.3 as it is in the registry, over an engine in memory in place of its Redis: what ours is compared with. */
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { FayeClient, FayeServer, PresenceEngine } from "@presently/faye";
import faye from "faye";

const original: {
  setup(
    server: FayeServer,
    client: FayeClient,
    options: { engine: PresenceEngine; channelRe?: RegExp },
  ): void;
} = createRequire(new URL("../../bench/package.json", import.meta.url))("faye-presence");

/** An engine by the contract of the original, with what its Redis engine does. */
export function memoryEngine(): PresenceEngine & { readonly channels: Map<string, unknown> } {
  interface Channel {
    readonly idByClient: Map<string, string>;
    readonly clientsById: Map<string, Set<string>>;
    readonly jsonById: Map<string, string>;
  }
  const channels = new Map<string, Channel>();
  const at = (name: string): Channel => {
    const channel = channels.get(name) ?? {
      idByClient: new Map(),
      clientsById: new Map(),
      jsonById: new Map(),
    };
    channels.set(name, channel);
    return channel;
  };
  return {
    channels,
    addClient(name, clientId, id, json, callback) {
      const channel = at(name);
      const isNew = !channel.jsonById.has(id);
      channel.jsonById.set(id, json);
      channel.idByClient.set(clientId, id);
      channel.clientsById.set(id, (channel.clientsById.get(id) ?? new Set()).add(clientId));
      setImmediate(callback, null, isNew);
    },
    getSubscribers(name, callback) {
      setImmediate(callback, null, Object.fromEntries(at(name).jsonById));
    },
    unsubscribe(name, clientId, callback) {
      const channel = at(name);
      const id = channel.idByClient.get(clientId);
      channel.idByClient.delete(clientId);
      const clients = id === undefined ? undefined : channel.clientsById.get(id);
      clients?.delete(clientId);
      const isLast = clients === undefined || clients.size === 0;
      if (isLast && id !== undefined) {
        channel.jsonById.delete(id);
        channel.clientsById.delete(id);
      }
      setImmediate(callback, null, id ?? (null as never), isLast);
    },
  };
}

export interface OriginalServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** A Faye server with the original plug-in. */
export async function startOriginal(): Promise<OriginalServer> {
  const bayeux = new faye.NodeAdapter({ mount: "/bayeux", timeout: 20 });
  original.setup(bayeux, bayeux.getClient(), { engine: memoryEngine() });
  const server: Server = createServer();
  bayeux.attach(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bayeux`,
    async stop() {
      bayeux.getClient().disconnect();
      bayeux.close();
      await new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      });
    },
  };
}
