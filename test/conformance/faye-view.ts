/** Faye as a world of histories: three nodes of one process, and npm clients that come through a proxy which can cut them off. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import faye from "faye";
import type { Access } from "presently";
import { LinkProxy } from "presently/demo";
import { drawFrom } from "../helpers/client-view/history.ts";
import type { View, ViewDriver, ViewWorld } from "../helpers/client-view/view-driver.ts";
import { eventually } from "../helpers/eventually.ts";
import { type BayeuxClient, FayeNode, type FayeNodeOptions, type Transport } from "./faye-client.ts";
import { WireClient } from "./faye-wire.ts";

const secret = "a secret that only these tests share";
const HOOK_MS_MAX = 15;

export class FayeWorld implements ViewWorld {
  readonly nodes = 3;
  readonly links = 3;
  readonly #servers: FayeNode[] = [];
  readonly #links: LinkProxy[] = [];
  readonly #transport: Transport;
  readonly #ownEngine: boolean;

  /** @param options of each server; `setup` says in which of the modes it runs */
  static async start(transport: Transport, options: FayeNodeOptions): Promise<FayeWorld> {
    const world = new FayeWorld(transport, options.bayeux?.engine !== undefined);
    for (const name of ["a", "b", "c"]) await world.#add(name, options);
    await Promise.all(world.#servers.map(({ node }) => node.whenReady()));
    return world;
  }

  private constructor(transport: Transport, ownEngine: boolean) {
    this.#transport = transport;
    this.#ownEngine = ownEngine;
  }

  /** Each link goes through a proxy of its own. */
  async #add(name: string, options: FayeNodeOptions): Promise<void> {
    const links = await Promise.all(
      this.#servers.map(({ node }) => LinkProxy.listen({ targetPort: Number(new URL(node.meshUrl!).port) })),
    );
    this.#links.push(...links);
    const peers = links.map(({ port }) => `ws://127.0.0.1:${port}`);
    const mesh = { port: 0, peers, peerGossip: false };
    this.#servers.push(
      await FayeNode.start(
        { name, cluster: "faye", logLevel: "silent", secret, mesh, access: slowAccess() },
        options,
      ),
    );
  }

  client(node: number): ViewDriver {
    const isInOrder = this.#transport === "websocket" && !this.#ownEngine;
    return new FayeDriver(this.#servers[node]!, this.#transport, isInOrder);
  }

  stall(link: number): void {
    this.#links[link]!.stall();
  }

  flow(link: number): void {
    this.#links[link]!.restore();
  }

  list(node: number, topic: string): View {
    return viewOf(this.#servers[node]!.node.list(topic).map(({ key }) => key));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await Promise.all(this.#links.map((proxy) => proxy.close()));
  }
}

/** One npm client, with the roster of the README: a confirmation replaces it, and events change it. */
class FayeDriver implements ViewDriver {
  readonly faults: string[] = [];
  readonly #url: string;
  readonly #transport: Transport;
  /** Whether what comes after a list happened after it, with nothing left out. */
  readonly #isInOrder: boolean;
  readonly #keys = new Map<string, { readonly id: string; readonly data: number }>();
  readonly #rosters = new Map<string, Set<string>>();
  readonly #joined = new Set<string>();
  readonly #confirmed = new Map<string, number>();
  readonly #told = new Map<string, string[]>();
  /** The last event about each id of a topic, since the last list of the topic. */
  readonly #last = new Map<string, Map<string, string>>();
  #client!: BayeuxClient;
  #door!: LinkProxy;
  #clientId = "";
  #unanswered = 0;
  /** By topic: what was asked last, and what to call once it is answered. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #waiting = new Map<string, () => void>();
  /** A channel of its own, and who waits for what it says there. */
  readonly #echo = `/echo/${randomUUID()}`;
  readonly #echoes: (() => void)[] = [];

  constructor(server: FayeNode, transport: Transport, isInOrder: boolean) {
    this.#url = server.url;
    this.#transport = transport;
    this.#isInOrder = isInOrder;
  }

  async connect(): Promise<void> {
    const { port } = new URL(this.#url);
    this.#door = await LinkProxy.listen({ targetPort: Number(port) });
    this.#client = new faye.Client(`http://127.0.0.1:${this.#door.port}/bayeux`, { retry: 0.05 });
    if (this.#transport === "long-polling") this.#client.disable("websocket");
    this.#client.addExtension({
      outgoing: (message, callback) => {
        const presence = message.channel === "/meta/subscribe" && this.#keys.get(message.subscription);
        if (presence) message.ext = { presence };
        if (message.channel === "/meta/subscribe") this.#unanswered += 1;
        callback(message);
      },
      incoming: (message, callback) => {
        this.#heard(message);
        if (message.channel === "/meta/subscribe" || message.channel === "/meta/unsubscribe")
          this.#waiting.get(message.subscription)?.();
        callback(message);
      },
    });
    await new Promise<void>((connected) => this.#client.connect(connected));
    if (this.#transport !== "websocket") await this.#client.subscribe(this.#echo, () => this.#echoed());
  }

  async join(topic: string, key: string, meta: number): Promise<void> {
    this.#keys.set(topic, { id: key, data: meta });
    this.#joined.add(topic);
    await this.#ask(topic, () => this.#client.subscribe(topic, () => undefined));
  }

  leave(topic: string): void {
    this.#note(topic, "leaves");
    this.#joined.delete(topic);
    void this.#ask(topic, () => this.#client.unsubscribe(topic), true);
  }

  /** What the client itself does when it subscribes to its channels again. */
  update(topic: string, meta: number): void {
    this.#keys.set(topic, { id: this.#keys.get(topic)!.id, data: meta });
    void this.#ask(topic, () => this.#client.subscribe(topic, true as never));
  }

  /**
   * By polling, each request takes a connection of its own: the server hears a leave and a join in any order, and the client
   * an event from before the list after it. So what was asked before about the topic is answered first, and what was under
   * way at a leave has come, which a message of one's own tells: events come in order.
   */
  #ask(topic: string, say: () => unknown, isLeave = false): Promise<unknown> {
    if (this.#transport === "websocket") return Promise.resolve(say());
    const before = this.#turns.get(topic)?.catch(() => undefined);
    const turn = Promise.resolve(before).then(async () => {
      const answered = new Promise<void>((resolve) => this.#waiting.set(topic, resolve));
      const said = say();
      await answered;
      if (isLeave) {
        const echoed = new Promise<void>((resolve) => this.#echoes.push(resolve));
        this.#client.publish(this.#echo, {});
        await echoed;
      }
      return said;
    });
    this.#turns.set(topic, turn);
    return turn;
  }

  /**
   * The npm client gives up a channel if its subscription is not answered before the server forgets it (401): nothing that
   * a server could mend. So what it has asked is answered first.
   */
  async cut(): Promise<void> {
    await Promise.all(this.#turns.values());
    await eventually(() => {
      if (this.#unanswered > 0) throw new Error(`${this.#unanswered} subscriptions without an answer`);
    });
    this.#door.cut();
  }

  /** A client that comes back before the server gives it up goes on where it was; here it was given up. */
  async resume(): Promise<void> {
    const before = this.#clientId;
    const since = new Map(this.#confirmed);
    const gone = new WireClient(this.#url);
    gone.clientId = before;
    await gone.say("/meta/disconnect");
    this.#door.restore();
    await eventually(() => {
      if (this.#clientId === before) throw new Error("no handshake yet");
      for (const topic of this.#joined)
        if (this.#confirmed.get(topic) === since.get(topic)) throw new Error(`not on ${topic} yet`);
    });
  }

  list(topic: string): View {
    return viewOf(this.#rosters.get(topic) ?? []);
  }

  told(topic: string): readonly string[] {
    return this.#told.get(topic) ?? [];
  }

  close(): void {
    this.#client.disconnect();
    void this.#door.close();
  }

  #echoed(): void {
    this.#echoes.shift()?.();
  }

  // biome-ignore lint/suspicious/noExplicitAny: messages of every shape come here.
  #heard(message: any): void {
    const { channel, data, subscription: topic, ext } = message;
    if (channel === "/meta/handshake" && message.successful) this.#clientId = message.clientId;
    if (channel === "/meta/subscribe") {
      this.#unanswered -= 1;
      const list = ext?.presence?.subscribe;
      if (list === undefined) return;
      this.#confirmed.set(topic, (this.#confirmed.get(topic) ?? 0) + 1);
      this.#rosters.set(topic, new Set(Object.keys(list)));
      this.#last.delete(topic);
      this.#note(topic, `list ${Object.keys(list)}`);
    }
    if (data === undefined || channel.startsWith("/meta/")) return;
    const roster = this.#rosters.get(channel) ?? new Set<string>();
    this.#rosters.set(channel, roster);
    for (const [type, people] of Object.entries<object>(data))
      for (const id of Object.keys(people)) {
        if (type === "subscribe") roster.add(id);
        else roster.delete(id);
        this.#note(channel, `${type} ${id}`);
        this.#isTold(channel, id, type);
      }
  }

  /**
   * Between leaving and the next confirmation events are missed. By polling, one from before may still come afterwards, over
   * another connection; so may one that Redis held. A client that left and joined twice meanwhile then hears of two joins alone.
   */
  #isTold(topic: string, id: string, type: string): void {
    if (!this.#isInOrder) return;
    if (this.#unanswered > 0) this.#last.clear();
    const last = this.#last.get(topic) ?? new Map<string, string>();
    this.#last.set(topic, last);
    if (last.get(id) === type) this.faults.push(`${type} ${id}, twice: ${this.told(topic).join(" ")}`);
    last.set(id, type);
  }

  #note(topic: string, text: string): void {
    const told = this.#told.get(topic) ?? [];
    this.#told.set(topic, told);
    told.push(`[${text}]`);
  }
}

/** Lets everybody do everything, and takes its time. */
function slowAccess(): Access {
  const draw = drawFrom(1);
  return {
    authenticate: () => ({ id: "anybody", claims: {} }),
    authorize: () => delay(draw(HOOK_MS_MAX), true),
  };
}

/** A value that is replaced is no event of Faye: what clients can know is who is there. */
function viewOf(ids: Iterable<string>): View {
  return Object.fromEntries([...ids].map((id) => [id, true]));
}
