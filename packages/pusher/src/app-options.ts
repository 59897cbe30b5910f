/** An app: who may sign for it, and what it may do. Several share a cluster and never meet. */
import { InvalidArgumentError } from "presently";
import {
  type CheckOrigin,
  checkOptions,
  checkString,
  type OriginCheck,
  originCheck,
  RosterNames,
  type RosterOptions,
  requireSharedSecret,
  resolveBounds,
} from "presently/drop-in";
import { resolveTargets, type WebhookTarget, type WebhookTargetOptions } from "./webhook-options.ts";

/** The bounds of one app. */
export interface AppLimitOptions {
  /** Connections of the app over the whole cluster. Default 50,000. More are closed with 4004. */
  readonly connectionsMax?: number;
  /** Members of a presence channel. Default 100. Another user is refused; another connection of a member is not. */
  readonly membersMax?: number;
  /** Bytes of the `user_info` of a member, as JSON. Default 1,024. */
  readonly memberBytesMax?: number;
  /** Bytes of the `data` of an event. Default 10,240. */
  readonly eventBytesMax?: number;
  /** Client events that one connection may send in a second. Default 10. More are refused with 4301. */
  readonly clientEventsPerSecondMax?: number;
  /** Requests to the HTTP API that one node takes in a second. Default 1,000. More are answered with 429. */
  readonly requestsPerSecondMax?: number;
}

/** What is said of an app. */
export interface AppOptions {
  /** Names it in the HTTP API and in the cluster: letters, digits, `_` and `-`, 40 at most. */
  readonly id: string;
  /** Names it to clients. */
  readonly key: string;
  /** Signs for it. */
  readonly secret: string;
  /** Default true. A disabled app closes its clients with 4003. */
  readonly enabled?: boolean;
  /** Whether clients may send `client-` events on private and presence channels. Default true. */
  readonly clientEvents?: boolean;
  /** Whether subscribers are told `subscription_count`. Default false. */
  readonly subscriptionCounts?: boolean;
  /** A connection that neither signs in nor subscribes to a private channel for so long is closed with 4009. Default 0 ms: none is. */
  readonly authorizeWithinMs?: number;
  /** Which web pages may connect. Default: that of the server. */
  readonly checkOrigin?: CheckOrigin;
  /** What presence channels and user ids are called in the cluster. Default: names that only this app has. */
  readonly roster?: RosterOptions;
  readonly limits?: AppLimitOptions;
  /** Where events of the app are posted. */
  readonly webhooks?: readonly WebhookTargetOptions[];
}

const LIMITS: Required<AppLimitOptions> = {
  connectionsMax: 50_000,
  membersMax: 100,
  memberBytesMax: 1_024,
  eventBytesMax: 10_240,
  clientEventsPerSecondMax: 10,
  requestsPerSecondMax: 1_000,
};

/** Names of options, for `checkOptions`. */
const OPTIONS: readonly (keyof AppOptions)[] = [
  ...(["id", "key", "secret", "enabled", "clientEvents", "subscriptionCounts"] as const),
  ...(["authorizeWithinMs", "checkOrigin", "roster", "limits", "webhooks"] as const),
];

/** An app, with everything filled in. */
export interface AppConfig {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
  readonly enabled: boolean;
  readonly clientEvents: boolean;
  readonly subscriptionCounts: boolean;
  readonly authorizeWithinMs: number;
  readonly checkOrigin: OriginCheck;
  readonly names: RosterNames;
  readonly limits: Required<AppLimitOptions>;
  readonly webhooks: readonly WebhookTarget[];
  /** What the topics of this app begin with. */
  readonly topics: string;
}

/**
 * @param checkOrigin of the server
 * @throws {InvalidArgumentError} for an option that is missing, unknown or cannot be used
 */
export function resolveApp(options: AppOptions, checkOrigin: CheckOrigin | undefined): AppConfig {
  checkOptions(options, OPTIONS, "apps.");
  const { id, key, secret, enabled = true, clientEvents = true, subscriptionCounts = false } = options;
  const { authorizeWithinMs } = resolveBounds(
    { authorizeWithinMs: 0 },
    { authorizeWithinMs: options.authorizeWithinMs },
    { prefix: "apps.", least: 0 },
  );
  checkString("apps.id", id);
  checkString("apps.key", key);
  if (!/^[\w-]{1,40}$/.test(id))
    throw new InvalidArgumentError("apps.id", "must be 1 to 40 letters, digits, _ and -");
  if (!/^[\w.-]{1,100}$/.test(key))
    throw new InvalidArgumentError("apps.key", "must be 1 to 100 letters, digits, _, . and -");
  requireSharedSecret("apps.secret", secret);
  const topics = `pusher:${id}/`;
  return {
    ...{ id, key, secret, enabled, clientEvents, subscriptionCounts, authorizeWithinMs, topics },
    checkOrigin: originCheck(options.checkOrigin ?? checkOrigin),
    names: new RosterNames(options.roster ?? { topics: { prefix: "", inCluster: `${topics}members/` } }),
    limits: resolveBounds(LIMITS, options.limits),
    webhooks: resolveTargets(options.webhooks),
  };
}
