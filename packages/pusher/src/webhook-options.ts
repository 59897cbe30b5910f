/** Where the events of an app are posted. */
import { InvalidArgumentError } from "presently";
import { checkOptions, checkString, stringsIn } from "presently/drop-in";

const EVENTS = [
  ...(["channel_occupied", "channel_vacated", "member_added", "member_removed"] as const),
  ...(["client_event", "cache_miss", "subscription_count"] as const),
];

/** What a webhook may tell of. */
export type WebhookEventName = (typeof EVENTS)[number];

/** An endpoint that is posted to. */
export interface WebhookTargetOptions {
  /** `https://…`, or `http://…`. */
  readonly url: string;
  /** Which events. Default all. */
  readonly events?: readonly WebhookEventName[];
  /** Whether one request may carry several events. Default false. */
  readonly batch?: boolean;
}

/** An endpoint, checked. */
export interface WebhookTarget {
  readonly url: string;
  readonly events: ReadonlySet<WebhookEventName>;
  readonly batch: boolean;
}

/** @throws {InvalidArgumentError} for a target that cannot be used */
export function resolveTargets(targets: readonly WebhookTargetOptions[] = []): readonly WebhookTarget[] {
  if (!Array.isArray(targets)) throw new InvalidArgumentError("apps.webhooks", "must be a list");
  return (targets as readonly WebhookTargetOptions[]).map((target) => {
    checkOptions(target, ["url", "events", "batch"], "apps.webhooks.");
    const { url, events = EVENTS, batch = false } = target;
    checkString("apps.webhooks.url", url);
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new InvalidArgumentError("apps.webhooks.url", "must be an http or https URL");
    for (const event of stringsIn("apps.webhooks.events", events))
      if (!EVENTS.includes(event as WebhookEventName))
        throw new InvalidArgumentError("apps.webhooks.events", `must be among ${EVENTS.join(", ")}`);
    return { url, events: new Set(events), batch: batch === true };
  });
}
