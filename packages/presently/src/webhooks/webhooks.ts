/** Tells an HTTP endpoint who comes and goes: the shell around `watchPeople` and the queue of what is to be told. */
import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import {
  type People,
  type PeopleChange,
  type PersonEvent,
  type Presence,
  PresentlyError,
  type Session,
} from "@presently/replica";
import { checkNode } from "../drop-in/check-node.ts";
import { inCharge } from "../drop-in/in-charge.ts";
import { isReservedTopic, WEBHOOKS_TOPIC } from "../drop-in/reserved-topics.ts";
import type { AnyNode } from "../node.ts";
import { type Batch, DeliveryQueue, type QueuedEvent } from "./delivery-queue.ts";
import {
  resolveWebhookOptions,
  type WebhookEventType,
  type WebhookOptions,
  type WebhookSettings,
} from "./options.ts";
import { SIGNATURE_HEADER, signWebhook } from "./signature.ts";

/** Entries that are lost are remembered up to this number, to tell whether one that returns was reported as lost. */
const LOST_MAX = 10_000;
/** How long what waits may take to go out when the node stops. */
const DRAIN_MS = 2_000;

/** What happened to events; they only grow. */
export interface WebhookCounters {
  readonly delivered: number;
  readonly failedAttempts: number;
  readonly dropped: number;
}

/**
 * Posts who comes and goes on some topics, whatever protocol they speak, to an HTTP endpoint. Start it on all nodes alike:
 * one of them reports each topic. Ends with the node, or by `close`.
 *
 * @throws {InvalidArgumentError} for an option that cannot be used
 * @throws {ConfigurationError} for options that contradict each other
 */
export function startWebhooks(node: AnyNode, options: WebhookOptions): Webhooks {
  checkNode(node);
  return new Webhooks(node, resolveWebhookOptions(options));
}

/** The webhooks of one node, until it stops. The nodes that have them share the topics out, so that each event is told by one. */
export class Webhooks {
  readonly #node: AnyNode;
  readonly #settings: WebhookSettings;
  readonly #queue: DeliveryQueue;
  readonly #topics = new Map<string, People>();
  /** Entries that were told as lost, by reference, and whether they were reported from here. */
  readonly #lost = new Map<string, boolean>();
  readonly #counters = { delivered: 0, failedAttempts: 0, dropped: 0 };
  readonly #endings: (() => void)[] = [];
  #sendTimer: NodeJS.Timeout | undefined;
  /** Whether what changes is news: before this node has caught up, it is not. */
  #reports = false;
  #closed = false;

  constructor(node: AnyNode, settings: WebhookSettings) {
    this.#node = node;
    this.#settings = settings;
    this.#queue = new DeliveryQueue(settings);
    void node.whenReady().then(() => this.#begin());
    void node.whenStopping.then(() => this.close());
  }

  get counters(): WebhookCounters {
    return { ...this.#counters };
  }

  /** Events that wait to be delivered. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Reports nothing new. What waits is tried for two seconds more; the process need not wait for it. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#endings) end();
    for (const people of this.#topics.values()) people.end();
    this.#topics.clear();
    setTimeout(() => clearTimeout(this.#sendTimer), DRAIN_MS).unref();
  }

  /** People who are there when this node has caught up are no news. From then on each topic is watched while somebody is on it. */
  #begin(): void {
    if (this.#closed || this.#node.stopping) return;
    for (const pattern of this.#settings.topics) {
      const prefix = pattern.replace(/\*$/, "");
      const end = this.#node.watchTopics(prefix, (change) => {
        const appeared = change.type === "state" ? change.topics : change.appeared;
        for (const topic of appeared) if (this.#isReported(topic)) this.#watch(topic);
        if (change.type === "state") return;
        // Watched because it appeared, and empty again before its state could be told.
        for (const topic of change.vanished) if (this.#topics.get(topic)?.size === 0) this.#unwatch(topic);
      });
      this.#endings.push(end);
    }
    const session: Session = this.#node.session();
    session.track(WEBHOOKS_TOPIC, this.#node.name);
    this.#endings.push(() => session.close());
    this.#reports = true;
  }

  /** What drop-ins keep for themselves, tokens and addresses of users among it, is nobody's news unless it is named. */
  #isReported(topic: string): boolean {
    if (topic === WEBHOOKS_TOPIC) return false;
    const { topics } = this.#settings;
    if (topics.includes(topic)) return true;
    return (
      topics.some((pattern) => pattern.endsWith("*") && topic.startsWith(pattern.slice(0, -1))) &&
      !isReservedTopic(topic, "http")
    );
  }

  #watch(topic: string): void {
    if (this.#closed || this.#topics.has(topic)) return;
    let count = 0;
    const listener = (change: PeopleChange) => {
      const events: readonly PersonEvent[] =
        change.type === "diff" ? change.events : change.people.map((person) => ({ type: "join", ...person }));
      for (const event of events) {
        if (event.type === "join") this.#joined(event.presences, ++count === 1);
        if (event.type === "leave") this.#left(event, --count === 0);
      }
      if (count === 0) this.#unwatch(topic);
    };
    try {
      this.#topics.set(
        topic,
        this.#node.watchPeople(topic, { graceMs: this.#settings.lostGraceMs }, listener),
      );
    } catch (error) {
      if (!(error instanceof PresentlyError)) throw error;
      this.#note("webhook-failed", "warn", `${topic} cannot be watched: ${error.message}`);
    }
  }

  #unwatch(topic: string): void {
    this.#topics.get(topic)?.end();
    this.#topics.delete(topic);
  }

  #joined([presence]: readonly Presence[], isFirst: boolean): void {
    const { topic, key, meta, node, ref } = presence!;
    // An entry that returns was hidden with its node. The node that reported it as lost says that it is there again; the one
    // in charge now may be on the side that never missed it.
    const reportedLost = this.#lost.get(ref);
    this.#lost.delete(ref);
    if (!(reportedLost ?? this.#isInCharge(topic))) return;
    const occupied = isFirst ? this.#event("occupied", topic, {}) : [];
    this.#push([...occupied, ...this.#event("join", topic, { key, meta, node })]);
  }

  #left({ presence, reason }: Extract<PersonEvent, { type: "leave" }>, isLast: boolean): void {
    const { topic, key, node, ref } = presence;
    const isOurs = this.#isInCharge(topic);
    if (reason === "lost" || reason === "evicted") this.#rememberLost(ref, isOurs);
    if (!isOurs) return;
    const vacated = isLast ? this.#event("vacated", topic, {}) : [];
    this.#push([...this.#event("leave", topic, { key, reason, node }), ...vacated]);
  }

  #isInCharge(topic: string): boolean {
    if (!this.#reports || this.#closed) return false;
    return inCharge(this.#node, { subject: topic, among: WEBHOOKS_TOPIC }) === this.#node.replica;
  }

  #rememberLost(ref: string, isOurs: boolean): void {
    this.#lost.set(ref, isOurs);
    const [oldest] = this.#lost.keys();
    if (this.#lost.size > LOST_MAX) this.#lost.delete(oldest!);
  }

  #event(type: WebhookEventType, topic: string, facts: object): QueuedEvent[] {
    if (!this.#settings.events.has(type)) return [];
    const id = randomUUID();
    return [{ id, body: { id, type, topic, ...facts, at: new Date().toISOString() } }];
  }

  #push(events: readonly QueuedEvent[]): void {
    if (events.length === 0) return;
    const dropped = this.#queue.push(events, performance.now());
    if (dropped > 0) this.#drop(dropped, "too many wait (option webhooks.queueEventsMax)");
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#sendTimer);
    const { dueAt } = this.#queue;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    this.#sendTimer = setTimeout(() => void this.#send(), Math.max(0, dueAt - performance.now())).unref();
  }

  async #send(): Promise<void> {
    const batch = this.#queue.take(performance.now());
    if (batch === undefined) {
      this.#arm();
      return;
    }
    const outcome = await this.#post(batch);
    const now = performance.now();
    if (outcome === undefined) {
      this.#counters.delivered += batch.events.length;
      this.#queue.delivered(now);
    } else {
      this.#counters.failedAttempts++;
      const { problem, isFinal } = outcome;
      this.#note("webhook-failed", "warn", `attempt ${batch.attempts} failed: ${problem}`);
      const dropped = this.#queue.failed(now, isFinal, Math.random());
      if (dropped > 0)
        this.#drop(dropped, isFinal ? problem : "tried for too long (option webhooks.retryForMs)");
    }
    this.#arm();
  }

  /** Undefined if it was taken. Never rejects. */
  async #post(batch: Batch): Promise<{ readonly problem: string; readonly isFinal: boolean } | undefined> {
    const { url, secret, timeoutMs } = this.#settings;
    const { clusterName: cluster, name: node, replica } = this.#node;
    const id = `${replica}/${batch.id}`;
    const body = JSON.stringify({ id, cluster, node, events: batch.events.map((event) => event.body) });
    const seconds = Math.floor(Date.now() / 1_000);
    try {
      const response = await fetch(url, {
        method: "POST",
        body,
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          "content-type": "application/json",
          "user-agent": "presently",
          "presently-delivery": id,
          [SIGNATURE_HEADER]: signWebhook(secret, body, seconds),
        },
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      return { problem: `the endpoint answered ${response.status}`, isFinal: isFinal(response.status) };
    } catch (error) {
      // Whatever fetch rejects with is a connection or an endpoint that cannot be used now.
      const { message, cause } = error as Error;
      return { problem: cause instanceof Error ? `${message}: ${cause.message}` : message, isFinal: false };
    }
  }

  #drop(count: number, reason: string): void {
    this.#counters.dropped += count;
    this.#note("webhook-dropped", "error", `${count} events are not delivered: ${reason}`);
  }

  #note(type: "webhook-failed" | "webhook-dropped", level: "warn" | "error", message: string): void {
    this.#settings.onNotice({ type, level, message: `webhooks: ${message}` });
  }
}

/** The endpoint does not want this, and will not later; all else is tried again. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 404, 408, 409, 425, 429].includes(status);
}
