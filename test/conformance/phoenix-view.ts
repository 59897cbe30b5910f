/** Phoenix as a world of histories: the npm client in both versions, over WebSocket and by long-polling, with `Presence`. */
import { setTimeout as delay } from "node:timers/promises";
import * as current from "phoenix";
import * as earlier from "phoenix-1.7";
import type { NodeOptions, PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import { WebSocket } from "ws";
import { drawFrom } from "../helpers/client-view/history.ts";
import { LinkedServers } from "../helpers/client-view/linked-servers.ts";
import type { View, ViewDriver, ViewWorld } from "../helpers/client-view/view-driver.ts";
import { PhoenixNode } from "./phoenix-client.ts";

const HOOK_MS_MAX = 15;

/** A version of the npm client, and how it connects. */
export interface PhoenixKind {
  readonly phoenix: Pick<typeof current, "Socket" | "Presence">;
  readonly transport: unknown;
}

export const phoenixKinds = {
  "phoenix 1.8": { phoenix: current, transport: WebSocket },
  "phoenix 1.7": { phoenix: earlier, transport: WebSocket },
  "phoenix 1.8 by long-polling": { phoenix: current, transport: current.LongPoll },
} satisfies Record<string, PhoenixKind>;

export class PhoenixWorld implements ViewWorld {
  readonly #servers: LinkedServers<PhoenixNode<void>>;
  readonly #kind: PhoenixKind;

  static async start(kind: PhoenixKind): Promise<PhoenixWorld> {
    return new PhoenixWorld(await LinkedServers.start(startServer), kind);
  }

  private constructor(servers: LinkedServers<PhoenixNode<void>>, kind: PhoenixKind) {
    this.#servers = servers;
    this.#kind = kind;
  }

  get nodes(): number {
    return this.#servers.count;
  }

  get links(): number {
    return this.#servers.links;
  }

  client(node: number): ViewDriver {
    return new PhoenixDriver(this.#servers.at(node).port, this.#kind);
  }

  stall(link: number): void {
    this.#servers.stall(link);
  }

  flow(link: number): void {
    this.#servers.flow(link);
  }

  list(node: number, topic: string): View {
    return viewOfNode(this.#servers.at(node).node, topic);
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }
}

interface PresenceParams {
  readonly key: string;
  readonly n: number;
}

/** Joins take their time. A poll is short, so that a session whose client was cut off ends while a test can wait. */
async function startServer(nodeOptions: NodeOptions): Promise<PhoenixNode<void>> {
  const server = await PhoenixNode.start<void>(nodeOptions, { limits: { longPollWindowMs: 500 } });
  const draw = drawFrom(1);
  const keyOf = (params: unknown) => (params as PresenceParams).key;
  server.socket.channel("room:*", {
    join: () => delay(draw(HOOK_MS_MAX), { ok: {} }),
    presence: { key: (_channel, params) => keyOf(params), meta: (_channel, params) => metaOf(params) },
    handleIn: {
      update: (params, channel) => {
        channel.update(keyOf(params), metaOf(params));
        return { ok: {} };
      },
    },
  });
  return server;
}

const metaOf = (params: unknown) => ({ n: (params as PresenceParams).n });

/** What an application has of a topic: a channel, and its presence. */
interface Membership {
  readonly key: string;
  readonly channel: current.Channel;
  readonly presence: current.Presence;
}

class PhoenixDriver implements ViewDriver {
  readonly faults: string[] = [];
  readonly #port: number;
  readonly #kind: PhoenixKind;
  readonly #memberships = new Map<string, Membership>();
  readonly #told = new Map<string, string[]>();
  #socket!: current.Socket;
  #door!: LinkProxy;

  constructor(port: number, kind: PhoenixKind) {
    this.#port = port;
    this.#kind = kind;
  }

  async connect(): Promise<void> {
    this.#door = await LinkProxy.listen({ targetPort: this.#port });
    this.#socket = new this.#kind.phoenix.Socket(`ws://127.0.0.1:${this.#door.port}/socket`, {
      transport: this.#kind.transport as never,
      reconnectAfterMs: () => 20,
      rejoinAfterMs: () => 20,
    });
    await new Promise<void>((open) => {
      this.#socket.onOpen(open);
      this.#socket.connect();
    });
  }

  /** A channel that is left before it is joined hears no answer. */
  join(topic: string, key: string, meta: number): Promise<void> {
    const channel = this.#socket.channel(topic, { key, n: meta });
    const presence = new this.#kind.phoenix.Presence(channel);
    this.#listen(topic, presence);
    this.#memberships.set(topic, { key, channel, presence });
    return new Promise((resolve, reject) => {
      channel.onClose(() => resolve());
      channel
        .join()
        .receive("ok", () => resolve())
        .receive("error", (reason) => reject(new Error(JSON.stringify(reason))));
    });
  }

  leave(topic: string): void {
    this.#note(topic, "leaves");
    this.#memberships.get(topic)!.channel.leave();
    this.#memberships.delete(topic);
  }

  update(topic: string, meta: number): void {
    const { key, channel } = this.#memberships.get(topic)!;
    channel.push("update", { key, n: meta });
  }

  cut(): void {
    this.#door.cut();
  }

  /** phoenix.js keeps what is said until it is back. */
  async resume(): Promise<void> {
    this.#door.restore();
  }

  list(topic: string): View {
    const people: Record<string, unknown> = {};
    this.#memberships.get(topic)?.presence.list((key, { metas }) => {
      people[key] = inOrder(metas.map(({ phx_ref: ref, n }: Meta) => ({ ref, n })));
    });
    return people;
  }

  told(topic: string): readonly string[] {
    return this.#told.get(topic) ?? [];
  }

  close(): void {
    this.#socket.disconnect();
    void this.#door.close();
  }

  /** Of each channel: who came is gone before they come again, and only who is there goes. */
  #listen(topic: string, presence: current.Presence): void {
    const here = new Set<string>();
    presence.onJoin((key, _before, { metas }) => {
      for (const { phx_ref, n } of metas as Meta[]) {
        this.#note(topic, `join ${key} ${phx_ref} ${n}`);
        if (here.has(phx_ref)) this.faults.push(`${phx_ref} of ${key} joined twice on ${topic}`);
        here.add(phx_ref);
      }
    });
    presence.onLeave((key, _left, { metas }) => {
      for (const { phx_ref, n } of metas as Meta[]) {
        this.#note(topic, `leave ${key} ${phx_ref} ${n}`);
        if (!here.delete(phx_ref)) this.faults.push(`${phx_ref} of ${key} left ${topic} without a join`);
      }
    });
  }

  #note(topic: string, text: string): void {
    const told = this.#told.get(topic) ?? [];
    this.#told.set(topic, told);
    told.push(`[${text}]`);
  }
}

/** As phoenix.js holds it. */
interface Meta {
  readonly phx_ref: string;
  readonly n: number;
}

interface MetaView {
  readonly ref: string;
  readonly n: unknown;
}

const inOrder = (metas: readonly MetaView[]) =>
  [...metas].sort((one, other) => (one.ref < other.ref ? -1 : 1));

function viewOfNode(node: PresentlyNode, topic: string): View {
  const people: Record<string, MetaView[]> = {};
  for (const { key, ref, meta } of node.list(topic)) {
    const { n } = meta as { n: number };
    people[key] = inOrder([...(people[key] ?? []), { ref, n }]);
  }
  return people;
}
