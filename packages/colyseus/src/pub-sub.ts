/** Publish and subscribe over the broadcasts of a node: a message goes to the nodes where somebody listens to its topic. */
import { Assemblies, cut, type Messenger } from "@presently/keyspace";
import { type BroadcastOptions, LimitError, type ReplicaId, type TopicSubscription } from "presently";
import { matchesGlob } from "./glob.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** How long a node may take to say which topics it listens to. */
const TOPICS_TIMEOUT_MS = 1_000;
const TOPICS_PER_ANSWER = 200;

/** A messenger that knows which nodes want what. A `PresentlyNode` is one. */
export interface TopicMessenger extends Messenger {
  broadcast(channel: string, payload: unknown, options?: BroadcastOptions): void;
  subscribe(channel: string, topic: string): TopicSubscription;
}

export interface PubSubOptions {
  /** Keeps several games of one cluster apart. */
  readonly name: string;
  /** Of a topic and its message as JSON. */
  readonly messageBytesMax: number;
}

export class PubSub {
  private readonly messenger: TopicMessenger;
  private readonly subscriptions: Subscriptions;
  /** What the other nodes know of the topics that somebody listens to here. */
  private readonly wanted = new Map<string, TopicSubscription>();
  private readonly channel: string;
  private readonly messageBytesMax: number;
  private readonly assemblies: Assemblies;
  private readonly endings: (() => void)[];
  private fragmented = 0;

  constructor(messenger: TopicMessenger, subscriptions: Subscriptions, options: PubSubOptions) {
    this.messenger = messenger;
    this.subscriptions = subscriptions;
    this.channel = `presently/colyseus/${options.name}`;
    this.messageBytesMax = options.messageBytesMax;
    this.assemblies = new Assemblies(options.messageBytesMax);
    this.endings = [
      messenger.onBroadcast(this.channel, (payload, from) => this.receive(payload, from)),
      messenger.onReplica(({ replica, linked }) => linked || this.assemblies.drop(replica)),
      messenger.onRequest(this.channel, (payload) => this.answer(payload)),
    ];
    subscriptions.follow({
      added: (topic) => this.wanted.set(topic, messenger.subscribe(this.channel, topic)),
      removed: (topic) => {
        this.wanted.get(topic)?.end();
        this.wanted.delete(topic);
      },
    });
  }

  /** Settles once all nodes that can be reached send what they publish on the topic here. Never rejects. */
  async effective(topic: string): Promise<void> {
    await this.wanted.get(topic)?.whenEffective();
  }

  /** @throws {LimitError} beyond `messageBytesMax` */
  publish(topic: string, json: string): void {
    const { messageBytesMax } = this;
    if (topic.length + json.length > messageBytesMax)
      throw new LimitError("messageBytesMax", messageBytesMax, "the message is too large");
    const message = JSON.stringify([topic, json]);
    const parts = cut(message);
    if (parts.length === 1) {
      this.messenger.broadcast(this.channel, [topic, json], { topics: [topic] });
      return;
    }
    const id = ++this.fragmented;
    for (const [index, part] of parts.entries())
      this.messenger.broadcast(this.channel, [id, index, parts.length, part], { topics: [topic] });
  }

  /** The topics that somebody listens to on any node that answers in time; each once. */
  async topics(pattern: string): Promise<string[]> {
    const peers = this.messenger.cluster().filter(({ linked }) => linked);
    const answers = await Promise.all(peers.map(({ replica }) => this.topicsOf(replica, pattern)));
    return [...new Set([...this.ownTopics(pattern), ...answers.flat()])];
  }

  close(): void {
    for (const end of this.endings) end();
    for (const { end } of this.wanted.values()) end();
    this.wanted.clear();
  }

  private async topicsOf(peer: Parameters<Messenger["request"]>[0], pattern: string): Promise<string[]> {
    const topics: string[] = [];
    for (let from: number | null = 0; from !== null; ) {
      // A node that runs no Colyseus, or does not answer, has no topics that could be told of.
      const answer: unknown = await this.messenger
        .request(peer, this.channel, [pattern, from], { timeoutMs: TOPICS_TIMEOUT_MS })
        .catch(() => undefined);
      const [found, next] = (Array.isArray(answer) ? answer : []) as [unknown?, unknown?];
      if (Array.isArray(found)) topics.push(...found.map(String));
      from = typeof next === "number" && next > from ? next : null;
    }
    return topics;
  }

  private ownTopics(pattern: string): string[] {
    return this.subscriptions.topics().filter((topic) => matchesGlob(pattern, topic));
  }

  private receive(payload: unknown, from: ReplicaId): void {
    if (!Array.isArray(payload)) return;
    if (payload.length === 2) {
      this.deliver(payload[0], payload[1]);
      return;
    }
    const [id, index, count, part] = payload;
    if (!Number.isSafeInteger(index) || !Number.isSafeInteger(count) || typeof part !== "string") return;
    const message = this.assemblies.add(from, id, index, count, part);
    if (message === undefined) return;
    const [topic, json] = JSON.parse(message);
    this.deliver(topic, json);
  }

  private deliver(topic: unknown, json: unknown): void {
    // What comes from a node that does not know yet who wants what is not even parsed.
    if (typeof topic !== "string" || typeof json !== "string") return;
    if (this.subscriptions.listenerCount(topic) > 0) this.subscriptions.deliver(topic, JSON.parse(json));
  }

  private answer(payload: unknown): unknown {
    const [pattern, from] = Array.isArray(payload) ? payload : [];
    const topics = this.ownTopics(String(pattern)).sort();
    const start = Number.isSafeInteger(from) ? Number(from) : 0;
    const end = start + TOPICS_PER_ANSWER;
    return [topics.slice(start, end), end < topics.length ? end : null];
  }
}
