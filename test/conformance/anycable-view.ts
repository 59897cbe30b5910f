/** AnyCable as a world of histories: the npm client `@anycable/core` in the extended protocol, with its own presence. */
import { setTimeout as delay } from "node:timers/promises";
import { type Channel, createCable } from "@anycable/core";
import type { NodeOptions } from "presently";
import { LinkProxy } from "presently/demo";
import { WebSocket } from "ws";
import { LinkedServers } from "../helpers/client-view/linked-servers.ts";
import type { View, ViewDriver, ViewWorld } from "../helpers/client-view/view-driver.ts";
import { eventually } from "../helpers/eventually.ts";
import { CableNode } from "./anycable-client.ts";

export class AnyCableWorld implements ViewWorld {
  readonly #servers: LinkedServers<CableNode>;

  static async start(): Promise<AnyCableWorld> {
    return new AnyCableWorld(await LinkedServers.start(startServer));
  }

  private constructor(servers: LinkedServers<CableNode>) {
    this.#servers = servers;
  }

  get nodes(): number {
    return this.#servers.count;
  }

  get links(): number {
    return this.#servers.links;
  }

  client(node: number): ViewDriver {
    return new AnyCableDriver(this.#servers.at(node).port);
  }

  stall(link: number): void {
    this.#servers.stall(link);
  }

  flow(link: number): void {
    this.#servers.flow(link);
  }

  list(node: number, topic: string): View {
    return viewOf(
      this.#servers
        .at(node)
        .cable.presence(topic)
        .map(({ id }) => id),
    );
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }
}

/** A further join of an id is no event in this protocol, also with another info: what clients can know is who is there. */
function viewOf(ids: readonly string[]): View {
  return Object.fromEntries(ids.map((id) => [id, true]));
}

/** What a link swallowed ends while a test can wait. */
function startServer(nodeOptions: NodeOptions): Promise<CableNode> {
  return CableNode.start(nodeOptions, { publicStreams: true, presenceTtlMs: 1_000 });
}

/** As in a browser, where each message is a task of its own. */
class TaskWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { allowSynchronousEvents: false });
    // A refused connection is told of by `close` as well.
    this.on("error", () => undefined);
  }
}

interface Membership {
  readonly id: string;
  readonly channel: Channel;
  /** Of the client's own; it changes it in place. */
  state: object;
}

class AnyCableDriver implements ViewDriver {
  readonly faults: string[] = [];
  readonly #port: number;
  readonly #memberships = new Map<string, Membership>();
  readonly #told = new Map<string, string[]>();
  #cable!: ReturnType<typeof createCable>;
  #door!: LinkProxy;
  #unanswered = 0;

  constructor(port: number) {
    this.#port = port;
  }

  async connect(): Promise<void> {
    this.#door = await LinkProxy.listen({ targetPort: this.#port });
    this.#cable = createCable(`ws://127.0.0.1:${this.#door.port}/cable`, {
      protocol: "actioncable-v1-ext-json",
      websocketImplementation: TaskWebSocket,
      reconnectStrategy: () => 20,
      logLevel: "error",
    });
    await this.#cable.connect();
  }

  /** As the guide has it: subscribe, ask who is here, and join. */
  async join(topic: string, key: string, meta: number): Promise<void> {
    const channel = this.#cable.streamFrom(topic);
    const membership: Membership = { id: key, channel, state: {} };
    this.#memberships.set(topic, membership);
    this.#listen(topic, membership);
    const isOver = () => this.#memberships.get(topic) !== membership;
    this.#unanswered += 1;
    try {
      await channel.ensureSubscribed();
      if (!isOver()) await channel.presence.join(key, { n: meta });
    } catch (error) {
      if (!isOver()) throw error;
    } finally {
      this.#unanswered -= 1;
    }
  }

  leave(topic: string): void {
    this.#note(topic, "leaves");
    const { channel } = this.#memberships.get(topic)!;
    this.#memberships.delete(topic);
    channel.disconnect();
  }

  /** A presence is replaced by leaving and joining; before the first join there is none to replace. */
  update(topic: string, meta: number): void {
    const { id, channel } = this.#memberships.get(topic)!;
    if (channel.state !== "connected") return;
    const { presence } = channel;
    void presence.leave().then(async () => {
      if (channel.state === "connected") await presence.join(id, { n: meta });
    });
  }

  /** What it asks for before it is subscribed is lost with the connection, by the client itself. */
  async cut(): Promise<void> {
    await eventually(() => {
      if (this.#unanswered > 0) throw new Error(`${this.#unanswered} joins without an answer`);
    });
    this.#door.cut();
  }

  /** Says nothing before it is back: the client would throw it away. */
  async resume(): Promise<void> {
    this.#door.restore();
    await eventually(() => {
      if (this.#cable.state !== "connected") throw new Error(this.#cable.state);
      for (const { channel } of this.#memberships.values())
        if (channel.state !== "connected") throw new Error(`${channel.identifier}: ${channel.state}`);
    });
  }

  list(topic: string): View {
    return viewOf(Object.keys(this.#memberships.get(topic)?.state ?? {}));
  }

  told(topic: string): readonly string[] {
    return this.#told.get(topic) ?? [];
  }

  close(): void {
    this.#cable.disconnect();
    void this.#door.close();
  }

  /**
   * The client forgets its list when the connection is gone, and refuses to ask while it waits for an answer to an earlier
   * channel of the stream: the application asks again.
   */
  #listen(topic: string, membership: Membership): void {
    const { channel } = membership;
    /** The last event about each id, since the list. */
    const last = new Map<string, string>();
    const ask = async () => {
      last.clear();
      while (channel.state === "connected") {
        try {
          membership.state = (await channel.presence.info()) ?? {};
          last.clear();
          return this.#note(topic, `list ${JSON.stringify(membership.state)}`);
        } catch (error) {
          this.#note(topic, `no list: ${String(error)}`);
          await delay(5);
        }
      }
    };
    channel.on("connect", ask);
    channel.on("presence", (event) => {
      if (event.type !== "join" && event.type !== "leave") return;
      const { type, id } = event;
      this.#note(topic, `${type} ${id} ${JSON.stringify("info" in event ? event.info : null)}`);
      if (last.get(id) === type) this.faults.push(`${type} ${id}, twice: ${this.told(topic).join(" ")}`);
      last.set(id, type);
    });
  }

  #note(topic: string, text: string): void {
    const told = this.#told.get(topic) ?? [];
    this.#told.set(topic, told);
    told.push(`[${text}]`);
  }
}
