/** The HTTP API's event streams as a world of histories, with the EventSource that Node.js lacks. */
import { EventSource } from "eventsource";
import { createNode, type NodeOptions, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import { LinkedServers } from "../helpers/client-view/linked-servers.ts";
import type { View, ViewDriver, ViewWorld } from "../helpers/client-view/view-driver.ts";
import { topicPath } from "../helpers/http.ts";

interface Server {
  readonly node: PresentlyNode;
  stop(): Promise<void>;
}

/** What clients are told is put off as of a large room, so that states and diffs cross. */
async function startServer(nodeOptions: NodeOptions): Promise<Server> {
  const node = await createNode({
    ...nodeOptions,
    http: { port: 0 },
    diffIntervalMs: 30,
    diffIntervalEntries: 1,
  });
  return { node, stop: () => node.stop({ handoffMs: 0 }) };
}

interface EntryJson {
  readonly key: string;
  readonly ref: string;
  readonly meta: { readonly n: number };
}

export class EventStreamWorld implements ViewWorld {
  readonly #servers: LinkedServers<Server>;

  static async start(): Promise<EventStreamWorld> {
    return new EventStreamWorld(await LinkedServers.start(startServer));
  }

  private constructor(servers: LinkedServers<Server>) {
    this.#servers = servers;
  }

  get nodes(): number {
    return this.#servers.count;
  }

  get links(): number {
    return this.#servers.links;
  }

  client(node: number): ViewDriver {
    return new EventStreamDriver(Number(new URL(this.#servers.at(node).node.httpUrl!).port));
  }

  stall(link: number): void {
    this.#servers.stall(link);
  }

  flow(link: number): void {
    this.#servers.flow(link);
  }

  list(node: number, topic: string): View {
    return viewOf(this.#servers.at(node).node.list(topic) as unknown as readonly EntryJson[]);
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }
}

/** A stream with a key makes its caller present for as long as it is open. */
class EventStreamDriver implements ViewDriver {
  readonly faults: string[] = [];
  readonly #port: number;
  readonly #sources = new Map<string, EventSource>();
  /** What settles the join of a source that is closed before it was answered. */
  readonly #closed = new Map<EventSource, () => void>();
  readonly #keys = new Map<string, string>();
  /** What the state and the diffs after it have come to, by reference. */
  readonly #shown = new Map<string, Map<string, EntryJson>>();
  readonly #told = new Map<string, string[]>();
  #door!: LinkProxy;

  constructor(port: number) {
    this.#port = port;
  }

  async connect(): Promise<void> {
    this.#door = await LinkProxy.listen({ targetPort: this.#port });
  }

  async join(topic: string, key: string, meta: number): Promise<void> {
    this.#keys.set(topic, key);
    const query = new URLSearchParams({ key, meta: JSON.stringify({ n: meta }) });
    const source = new EventSource(`http://127.0.0.1:${this.#door.port}${topicPath(topic)}/events?${query}`);
    this.#sources.set(topic, source);
    await new Promise<void>((resolve, reject) => {
      this.#closed.set(source, resolve);
      source.addEventListener("state", ({ data }) => {
        if (this.#sources.get(topic) === source) this.#state(topic, JSON.parse(data));
        resolve();
      });
      source.addEventListener("diff", ({ data }) => {
        if (this.#sources.get(topic) === source) this.#diff(topic, JSON.parse(data));
      });
      source.addEventListener("error", (event) => {
        this.#note(topic, `error ${event.message}`);
        // Unless it is refused it comes back by itself.
        if (source.readyState === source.CLOSED) reject(new Error(event.message));
      });
    });
  }

  leave(topic: string): void {
    this.#note(topic, "leaves");
    this.#close(this.#sources.get(topic)!);
    this.#sources.delete(topic);
    this.#shown.delete(topic);
  }

  #close(source: EventSource): void {
    source.close();
    this.#closed.get(source)?.();
    this.#closed.delete(source);
  }

  /** A stream says once who it is: another one takes its place. */
  update(topic: string, meta: number): void {
    const before = this.#sources.get(topic)!;
    void this.join(topic, this.#keys.get(topic)!, meta).finally(() => this.#close(before));
  }

  cut(): void {
    this.#door.cut();
  }

  /** EventSource tries again by itself, after three seconds. */
  async resume(): Promise<void> {
    this.#door.restore();
  }

  list(topic: string): View {
    return viewOf([...(this.#shown.get(topic)?.values() ?? [])]);
  }

  told(topic: string): readonly string[] {
    return this.#told.get(topic) ?? [];
  }

  close(): void {
    for (const source of this.#closed.keys()) source.close();
    void this.#door.close();
  }

  #state(topic: string, { presences }: { presences: Record<string, { metas: EntryJson[] }> }): void {
    this.#note(topic, `state ${Object.keys(presences)}`);
    const entries = Object.entries(presences).flatMap(([key, { metas }]) =>
      metas.map((meta) => ({ ...meta, key })),
    );
    this.#shown.set(topic, new Map(entries.map((entry) => [entry.ref, entry])));
  }

  #diff(
    topic: string,
    diff: {
      readonly joins: readonly EntryJson[];
      readonly leaves: readonly EntryJson[];
      readonly updates: readonly { readonly before: EntryJson; readonly after: EntryJson }[];
    },
  ): void {
    const shown = this.#shown.get(topic)!;
    const leaves = [...diff.leaves, ...diff.updates.map(({ before }) => before)];
    const joins = [...diff.joins, ...diff.updates.map(({ after }) => after)];
    for (const { key, ref } of leaves)
      if (!shown.delete(ref)) this.faults.push(`${key} left and was not on ${topic}`);
    for (const entry of joins) {
      if (shown.has(entry.ref)) this.faults.push(`${entry.key} came twice to ${topic}`);
      shown.set(entry.ref, entry);
    }
    this.#note(topic, `-${leaves.map(({ key }) => key)} +${joins.map(({ key }) => key)}`);
  }

  #note(topic: string, text: string): void {
    const told = this.#told.get(topic) ?? [];
    this.#told.set(topic, told);
    told.push(`[${text}]`);
  }
}

function viewOf(entries: readonly EntryJson[]): View {
  const people: Record<string, number[]> = {};
  for (const { key, meta } of entries)
    people[key] = [...(people[key] ?? []), meta.n].sort((one, other) => one - other);
  return people;
}
