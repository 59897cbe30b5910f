/** Publish and subscribe over the broadcasts of a node: every node hears every message, and looks who listens there. */
import type { Messenger } from "@presently/keyspace";
import { matchesGlob } from "./glob.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** How long a node may take to say which topics it listens to. */
const TOPICS_TIMEOUT_MS = 1_000;
const TOPICS_PER_ANSWER = 200;

export class PubSub {
  private readonly messenger: Messenger;
  private readonly subscriptions: Subscriptions;
  private readonly channel: string;
  private readonly endings: (() => void)[];

  constructor(messenger: Messenger, subscriptions: Subscriptions, name: string) {
    this.messenger = messenger;
    this.subscriptions = subscriptions;
    this.channel = `presently/colyseus/${name}`;
    this.endings = [
      messenger.onBroadcast(this.channel, (payload) => this.receive(payload)),
      messenger.onRequest(this.channel, (payload) => this.answer(payload)),
    ];
  }

  /** @throws {LimitError} beyond the node's `broadcastBytesMax` */
  publish(topic: string, json: string): void {
    this.messenger.broadcast(this.channel, [topic, json]);
  }

  /** The topics that somebody listens to on any node that answers in time; each once. */
  async topics(pattern: string): Promise<string[]> {
    const peers = this.messenger.cluster().filter(({ linked }) => linked);
    const answers = await Promise.all(peers.map(({ replica }) => this.topicsOf(replica, pattern)));
    return [...new Set([...this.ownTopics(pattern), ...answers.flat()])];
  }

  close(): void {
    for (const end of this.endings) end();
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

  private receive(payload: unknown): void {
    if (!Array.isArray(payload)) return;
    const [topic, json] = payload;
    // Most messages are for somebody else: they are not even parsed.
    if (
      typeof topic !== "string" ||
      typeof json !== "string" ||
      this.subscriptions.listenerCount(topic) === 0
    )
      return;
    this.subscriptions.deliver(topic, JSON.parse(json));
  }

  private answer(payload: unknown): unknown {
    const [pattern, from] = Array.isArray(payload) ? payload : [];
    const topics = this.ownTopics(String(pattern)).sort();
    const start = Number.isSafeInteger(from) ? Number(from) : 0;
    const end = start + TOPICS_PER_ANSWER;
    return [topics.slice(start, end), end < topics.length ? end : null];
  }
}
