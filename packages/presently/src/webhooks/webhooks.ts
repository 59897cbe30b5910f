/** Tells an HTTP endpoint who comes and goes: the shell around the ledgers of topics and the queue of what is to be told. */
import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { PresentlyError, type TopicChange } from "@presently/replica";
import { isReservedTopic, WEBHOOKS_TOPIC } from "../drop-in/reserved-topics.ts";
import type { PresentlyNode } from "../node.ts";
import { type Batch, DeliveryQueue, type QueuedEvent } from "./delivery-queue.ts";
import { Electorate } from "./electorate.ts";
import {
  resolveWebhookOptions,
  type WebhookEventType,
  type WebhookOptions,
  type WebhookSettings,
} from "./options.ts";
import { SIGNATURE_HEADER, signWebhook } from "./signature.ts";
import { type LedgerStep, TopicLedger } from "./topic-ledger.ts";

const ATTEND_CHANNEL = "presently:webhooks";
/** Looks at an empty topic before it is no longer watched. */
const EMPTY_SCANS_MAX = 120;
/** Nodes that come back after so many others were lost are not told of. */
const REPORTED_LOST_MAX = 10_000;
/** How long what waits may take to go out when the node stops. */
const DRAIN_MS = 2_000;

/** What happened to events; they only grow. */
export interface WebhookCounters {
  readonly delivered: number;
  readonly failedAttempts: number;
  readonly dropped: number;
}

interface Watched {
  readonly ledger: TopicLedger;
  readonly unwatch: () => void;
  emptyScans: number;
}

const webhooksOf = new WeakMap<PresentlyNode, Set<Webhooks>>();

/**
 * Posts who comes and goes on some topics, whatever protocol they speak, to an HTTP endpoint. Start it on all nodes alike:
 * one of them reports each topic. Ends with the node, or by `close`.
 *
 * @throws {InvalidArgumentError} for an option that cannot be used
 * @throws {ConfigurationError} for options that contradict each other
 */
export function startWebhooks(node: PresentlyNode, options: WebhookOptions): Webhooks {
  return new Webhooks(node, resolveWebhookOptions(options));
}

/**
 * Has the webhooks of all nodes, if there are any, look at a topic before anybody comes. What is not announced so is found
 * within `scanIntervalMs`. For drop-ins; cheap where there are no webhooks.
 */
export function attendTopic(node: PresentlyNode, topic: string): void {
  for (const webhooks of webhooksOf.get(node) ?? []) webhooks.attend(topic);
}

/** The webhooks of one node, until it stops. The nodes that have them share the topics out, so that each event is told by one. */
export class Webhooks {
  readonly #node: PresentlyNode;
  readonly #settings: WebhookSettings;
  readonly #queue: DeliveryQueue;
  readonly #electorate: Electorate;
  readonly #topics = new Map<string, Watched>();
  /** Entries whose departure as lost was reported from here. */
  readonly #reportedLost = new Set<string>();
  readonly #counters = { delivered: 0, failedAttempts: 0, dropped: 0 };
  readonly #scanTimer: NodeJS.Timeout;
  readonly #unlisten: () => void;
  #sendTimer: NodeJS.Timeout | undefined;
  /** Whether what changes is news: before this node has caught up, it is not. */
  #reports = false;
  #closed = false;

  constructor(node: PresentlyNode, settings: WebhookSettings) {
    this.#node = node;
    this.#settings = settings;
    this.#queue = new DeliveryQueue(settings);
    this.#electorate = new Electorate(node);
    this.#unlisten = node.onBroadcast(ATTEND_CHANNEL, (topic) => {
      if (typeof topic === "string" && this.#isReported(topic)) this.#watch(topic);
    });
    for (const topic of settings.topics) if (!topic.endsWith("*")) this.#watch(topic);
    const all = webhooksOf.get(node) ?? new Set();
    webhooksOf.set(node, all.add(this));
    this.#scanTimer = setInterval(() => this.#scan(), settings.scanIntervalMs).unref();
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

  /** See `attendTopic`. */
  attend(topic: string): void {
    if (this.#closed || this.#topics.has(topic) || !this.#isReported(topic)) return;
    this.#node.broadcast(ATTEND_CHANNEL, topic);
  }

  /** Reports nothing new. What waits is tried for two seconds more; the process need not wait for it. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#scanTimer);
    this.#unlisten();
    this.#electorate.close();
    for (const { unwatch } of this.#topics.values()) unwatch();
    this.#topics.clear();
    webhooksOf.get(this.#node)?.delete(this);
    setTimeout(() => clearTimeout(this.#sendTimer), DRAIN_MS).unref();
  }

  #begin(): void {
    if (this.#closed || this.#node.stopping) return;
    this.#scan();
    this.#electorate.join();
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
    const ledger = new TopicLedger(this.#settings.lostGraceMs);
    // The state comes during the call: who is there already was found late, and is news all the same.
    const unwatch = this.#node.watch(topic, (change: TopicChange) => {
      this.#tell(topic, ledger.apply(change, performance.now()));
    });
    this.#topics.set(topic, { ledger, unwatch, emptyScans: 0 });
  }

  /** Finds topics that nobody announced, forgets those that stay empty, and ends what was lost for too long. */
  #scan(): void {
    try {
      for (const pattern of this.#settings.topics)
        if (pattern.endsWith("*"))
          for (const { topic } of this.#node.topics(pattern.slice(0, -1)))
            if (this.#isReported(topic)) this.#watch(topic);
    } catch (error) {
      if (!(error instanceof PresentlyError)) throw error;
      this.#note("webhook-failed", "warn", `topics cannot be watched: ${error.message}`);
    }
    for (const [topic, watched] of this.#topics) {
      this.#tell(topic, watched.ledger.tick(performance.now()));
      watched.emptyScans = watched.ledger.size === 0 ? watched.emptyScans + 1 : 0;
      if (watched.emptyScans <= EMPTY_SCANS_MAX || this.#settings.topics.includes(topic)) continue;
      watched.unwatch();
      this.#topics.delete(topic);
    }
  }

  #tell(topic: string, steps: readonly LedgerStep[]): void {
    if (steps.length === 0 || !this.#reports || this.#closed) return;
    const isInCharge = this.#electorate.isInCharge(topic);
    const events: QueuedEvent[] = [];
    for (const step of steps) {
      const { presence } = step;
      if (step.type === "departed" && isInCharge && isLost(step)) this.#rememberLost(presence.ref);
      // Of those who saw a node come back, the one that had reported its people as lost says that they are there again;
      // the one in charge now may be on the side that never missed them.
      const isOurs =
        step.type === "arrived" && step.returned ? this.#reportedLost.delete(presence.ref) : isInCharge;
      if (isOurs) events.push(...this.#eventsOf(step));
    }
    if (events.length > 0) this.#push(events);
  }

  #rememberLost(ref: string): void {
    this.#reportedLost.add(ref);
    const [oldest] = this.#reportedLost;
    if (this.#reportedLost.size > REPORTED_LOST_MAX) this.#reportedLost.delete(oldest!);
  }

  #eventsOf(step: LedgerStep): QueuedEvent[] {
    const { topic, key, meta, node } = step.presence;
    const at = new Date().toISOString();
    const event = (type: WebhookEventType, rest: object): QueuedEvent[] => {
      if (!this.#settings.events.has(type)) return [];
      const id = randomUUID();
      return [{ id, body: { id, type, topic, ...rest, at } }];
    };
    if (step.type === "arrived")
      return [...(step.isFirst ? event("occupied", {}) : []), ...event("join", { key, meta, node })];
    const { reason } = step;
    return [...event("leave", { key, reason, node }), ...(step.isLast ? event("vacated", {}) : [])];
  }

  #push(events: readonly QueuedEvent[]): void {
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

function isLost({ reason }: { readonly reason: string }): boolean {
  return reason === "lost" || reason === "evicted";
}

/** The endpoint does not want this, and will not later; all else is tried again. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 404, 408, 409, 425, 429].includes(status);
}
