/** What webhooks are configured with. */
import {
  ConfigurationError,
  checkFunction,
  checkInteger,
  checkObject,
  checkString,
  InvalidArgumentError,
  stringsIn,
} from "@presently/replica";
import { requireSharedSecret } from "../access/shared-secret.ts";
import { guardNotices } from "../drop-in/guarded-notices.ts";
import type { logLevels } from "../logger.ts";

/** `join` and `leave` are of a key, `occupied` and `vacated` of a topic: its first key, and its last. */
export const WEBHOOK_EVENTS = ["join", "leave", "occupied", "vacated"] as const;

/** One of `WEBHOOK_EVENTS`. */
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number];

/** What an operator should know of. */
export interface WebhookNotice {
  /** `webhook-failed`: an attempt did not succeed. `webhook-dropped`: events will not be delivered. */
  readonly type: "webhook-failed" | "webhook-dropped";
  readonly level: Exclude<(typeof logLevels)[number], "silent">;
  readonly message: string;
}

/** Where events are posted, of which topics, and how long and how often delivery is tried. */
export interface WebhookOptions {
  /** Where events are posted: `https://…`, or `http://…`. */
  readonly url: string;
  /** Signs what is posted. The same on all nodes. */
  readonly secret: string;
  /** Topics that are reported: names, or beginnings that end in `*`. */
  readonly topics: readonly string[];
  /** Which events; default all. */
  readonly events?: readonly WebhookEventType[];
  /** A key whose node is lost is given so long to come back elsewhere before it is a leave; default 15,000. */
  readonly lostGraceMs?: number;
  /** Events in one request; default 100. */
  readonly batchEventsMax?: number;
  /** How long an event waits for others to go with it; default 100. */
  readonly batchDelayMs?: number;
  /** Time that one attempt has; default 10,000. */
  readonly timeoutMs?: number;
  /** Pauses after failed attempts: the first, doubled up to the last, each with jitter; defaults 500 and 60,000. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
  /** A batch that could not be delivered for so long is dropped; default 3,600,000. */
  readonly retryForMs?: number;
  /** Events that wait for delivery; beyond it the oldest are dropped. Default 10,000. */
  readonly queueEventsMax?: number;
  /** Told of attempts that failed, and of events that were dropped. Default: dropped events are warnings of the process. */
  readonly onNotice?: (notice: WebhookNotice) => void;
}

const DEFAULTS = {
  lostGraceMs: 15_000,
  batchEventsMax: 100,
  batchDelayMs: 100,
  timeoutMs: 10_000,
  retryMinMs: 500,
  retryMaxMs: 60_000,
  retryForMs: 3_600_000,
  queueEventsMax: 10_000,
} as const;

export type WebhookSettings = Readonly<Record<keyof typeof DEFAULTS, number>> & {
  readonly url: string;
  readonly secret: string;
  readonly topics: readonly string[];
  readonly events: ReadonlySet<WebhookEventType>;
  readonly onNotice: (notice: WebhookNotice) => void;
};

/**
 * Fills in the defaults.
 *
 * @throws {InvalidArgumentError} for an option that cannot be used
 * @throws {ConfigurationError} for two that contradict each other
 */
export function resolveWebhookOptions(options: WebhookOptions): WebhookSettings {
  checkObject("webhooks", options);
  const { url, secret, topics, events = WEBHOOK_EVENTS, onNotice = warnOfNotice } = options;
  checkString("webhooks.url", url);
  checkFunction("webhooks.onNotice", onNotice);
  if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ""))
    throw new InvalidArgumentError("webhooks.url", "must be an http or https URL");
  requireSharedSecret("webhooks.secret", secret);
  if (!Array.isArray(topics) || topics.length === 0 || topics.some((topic) => !isPattern(topic)))
    throw new InvalidArgumentError(
      "webhooks.topics",
      "must be names of topics, or beginnings with a * at the end",
    );
  for (const event of stringsIn("webhooks.events", events) as readonly WebhookEventType[])
    if (!WEBHOOK_EVENTS.includes(event))
      throw new InvalidArgumentError("webhooks.events", `must be among ${WEBHOOK_EVENTS.join(", ")}`);
  const durations: Record<keyof typeof DEFAULTS, number> = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = options[name];
    if (value === undefined) continue;
    const least = name === "lostGraceMs" || name === "batchDelayMs" ? 0 : 1;
    checkInteger(`webhooks.${name}`, value, least);
    durations[name] = value;
  }
  const { retryMinMs, retryMaxMs } = durations;
  if (retryMinMs > retryMaxMs)
    throw new ConfigurationError(
      `webhooks.retryMinMs (${retryMinMs}) must not exceed webhooks.retryMaxMs (${retryMaxMs})`,
    );
  return { ...durations, url, secret, topics, events: new Set(events), onNotice: guardNotices(onNotice) };
}

function isPattern(topic: unknown): boolean {
  return typeof topic === "string" && topic !== "" && !topic.slice(0, -1).includes("*");
}

function warnOfNotice({ type, message }: WebhookNotice): void {
  if (type === "webhook-dropped") process.emitWarning(message, { type: "WebhookWarning" });
}
