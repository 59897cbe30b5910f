/** The options of sc-presence, with the meaning that they have here, and those that are new. */
import { ConfigurationError, InvalidArgumentError } from "presently";
import { RosterNames, type RosterOptions, SOCKETCLUSTER_PRESENCE_CHANNEL } from "presently/drop-in";
import { type LimitOptions, type Limits, resolveLimits } from "./limits.ts";
import type { MirrorOptions } from "./mirror.ts";
import type { SocketClusterServer, SocketClusterSocket } from "./server.ts";

/** What the published count counts: records, sockets, or distinct users. */
export type UserCountType = "SUBSCRIPTIONS" | "SOCKETS" | "USERS";

/** What a client asks for: the map of all users, or who is on a channel. */
export type Question = { readonly what: "userMap" } | { readonly what: "roster"; readonly channel: string };

/** Options of sc-presence, by their names there; all may be left out. */
export interface ScpOptions {
  /** Where counts are published. Default `USERCOUNT`. */
  readonly scpUsercountChannel?: string;
  /** What is counted: distinct users (all anonymous sockets are one), sockets, or records. Default `USERS`. */
  readonly scpUsercountType?: UserCountType;
  /** So long after a connect its count is published. Default 3,000 ms. */
  readonly scpConnectUpdateDelay?: number;
  /** So long after attaching no count is published. Default 60 s. */
  readonly scpBlockUsercountThreshold?: number;
  /** The channel of the one record that stands for a socket itself, and the beginning of the rosters' channels. Default `_SCPRESENCE`. */
  readonly scpPresenceChannel?: string;
  /** The property of the token that is the user's id. Default `user_id`. */
  readonly scpUserIdField?: string;
  /** A socket that is silent for longer than so many ping intervals, and one more, is not counted. Default 6. */
  readonly scpSCPingsPerUpdate?: number;
  /** How often a mirror is cleaned. Default 60 s. */
  readonly scpGcInterval?: number;
  /** The age at which records of a mirror are removed. Default 120 s; not less than the window of the pings. */
  readonly scpGcThreshold?: number;
  /** Ignored, with a warning: any node can clean up. */
  readonly scpGcWorkerId?: number;
  /** Ignored, with a warning, as all of the database: see `mirror`. */
  readonly scpDbhost?: string;
  readonly scpDbname?: string;
  readonly scpDbTablename?: string;
  readonly scpDbuser?: string;
  readonly scpDbpassword?: string;
}

export interface SocketClusterPresenceOptions extends ScpOptions {
  /**
   * What channels and user ids are called in the cluster, where clients of other protocols meet these. Default: the same.
   * Subscribers of a channel without a topic are not present there.
   */
  readonly roster?: RosterOptions;
  /** The key of all sockets without a user id on the topic of a channel; a user of that id has `user:` before it. Default `anonymous`. */
  readonly anonymousKey?: string;
  /**
   * Whether a socket may see what it asks for. Default: the user map without tokens, addresses and origins (answer
   * `true` for the whole), and the rosters of the channels that it is subscribed to.
   */
  readonly authorize?: (socket: SocketClusterSocket, question: Question) => boolean | Promise<boolean>;
  /** The procedure that answers with the user map; false: none. Default `userMap`. */
  readonly userMapProcedure?: string | false;
  /** The procedure that answers with the roster of a channel; false: none. Default `roster`. */
  readonly rosterProcedure?: string | false;
  /**
   * Which nodes publish counts and rosters on their exchange: `every` (the broker of each node is its own, the default) or
   * `one` (a broker engine joins them, and one message reaches all).
   */
  readonly publishers?: "every" | "one";
  /** Sockets' channels that are kept as records, for each socket. Default 1,000; more are left out with a warning. */
  readonly channelsPerSocketMax?: number;
  /** What becomes of clients' messages on the channels of counts and rosters, which are the server's. Default `refuse`. */
  readonly forgedEvents?: "refuse" | "allow";
  /** What one socket may cost. */
  readonly limits?: LimitOptions;
  /** A copy of the records in MySQL or MariaDB, for whoever queries them there. Default: none. */
  readonly mirror?: MirrorOptions;
}

export interface Settings
  extends Required<
    Omit<
      SocketClusterPresenceOptions,
      | "scpGcWorkerId"
      | "scpDbhost"
      | "scpDbname"
      | "scpDbTablename"
      | "scpDbuser"
      | "scpDbpassword"
      | "mirror"
      | "authorize"
      | "roster"
      | "limits"
    >
  > {
  readonly authorize: SocketClusterPresenceOptions["authorize"];
  readonly names: RosterNames;
  readonly limits: Limits;
  readonly mirror: MirrorOptions | undefined;
  /** How often the records of a mirror are refreshed. */
  readonly refreshMs: number;
  /** Silence for longer than this takes a socket out of the counts: a ping more, so that idle sockets do not flicker. */
  readonly windowMs: number;
}

const DEFAULTS = {
  scpUsercountChannel: "USERCOUNT",
  scpUsercountType: "USERS",
  scpConnectUpdateDelay: 3_000,
  scpBlockUsercountThreshold: 60,
  scpPresenceChannel: SOCKETCLUSTER_PRESENCE_CHANNEL,
  scpUserIdField: "user_id",
  scpSCPingsPerUpdate: 6,
  scpGcInterval: 60,
  scpGcThreshold: 120,
  anonymousKey: "anonymous",
  userMapProcedure: "userMap",
  rosterProcedure: "roster",
  publishers: "every",
  channelsPerSocketMax: 1_000,
  forgedEvents: "refuse",
} as const;

const IGNORED = new Set([
  "scpGcWorkerId",
  "scpDbhost",
  "scpDbname",
  "scpDbTablename",
  "scpDbuser",
  "scpDbpassword",
]);
const OTHERS = new Set([...IGNORED, "authorize", "mirror", "roster", "limits"]);

/**
 * Fills in the defaults; `warn` is told of what is ignored, by name.
 *
 * @throws {InvalidArgumentError} for an option that is unknown or cannot be used
 * @throws {ConfigurationError} for options that contradict each other; names them
 */
export function resolveOptions(
  options: SocketClusterPresenceOptions,
  server: Pick<SocketClusterServer, "pingInterval">,
  warn: (message: string) => void,
): Settings {
  for (const [name, value] of Object.entries(options)) {
    if (!(name in DEFAULTS) && !OTHERS.has(name)) throw new InvalidArgumentError(name, "is not an option");
    if (IGNORED.has(name) && value !== undefined)
      warn(`${name} is ignored: presence needs no database and any node can clean up; see the option mirror`);
  }
  const given = Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== undefined && name in DEFAULTS),
  );
  const names = new RosterNames(options.roster);
  const limits = resolveLimits(options.limits);
  const settings = { ...DEFAULTS, ...(given as Partial<Settings>), names, limits };
  check(settings);
  const refreshMs = server.pingInterval * settings.scpSCPingsPerUpdate;
  const windowMs = refreshMs + server.pingInterval;
  if (refreshMs > settings.scpGcThreshold * 1_000) {
    throw new ConfigurationError(
      `scpGcThreshold (${settings.scpGcThreshold} s) must not be less than pingInterval (${server.pingInterval} ms) × scpSCPingsPerUpdate (${settings.scpSCPingsPerUpdate}): records would be removed before they are refreshed`,
    );
  }
  return { ...settings, authorize: options.authorize, mirror: options.mirror, refreshMs, windowMs };
}

function check(settings: Omit<Settings, "authorize" | "mirror" | "refreshMs" | "windowMs">): void {
  const texts = ["scpUsercountChannel", "scpPresenceChannel", "scpUserIdField", "anonymousKey"] as const;
  for (const name of texts)
    if (typeof settings[name] !== "string" || settings[name] === "")
      throw new InvalidArgumentError(name, "must be a non-empty string");
  const counts = ["scpSCPingsPerUpdate", "scpGcInterval", "scpGcThreshold", "channelsPerSocketMax"] as const;
  for (const name of counts) number(name, settings[name], 1);
  number("scpConnectUpdateDelay", settings.scpConnectUpdateDelay, 0);
  number("scpBlockUsercountThreshold", settings.scpBlockUsercountThreshold, 0);
  if (!["SUBSCRIPTIONS", "SOCKETS", "USERS"].includes(settings.scpUsercountType))
    throw new InvalidArgumentError("scpUsercountType", "must be SUBSCRIPTIONS, SOCKETS or USERS");
  if (settings.publishers !== "every" && settings.publishers !== "one")
    throw new InvalidArgumentError("publishers", "must be every or one");
  if (settings.forgedEvents !== "refuse" && settings.forgedEvents !== "allow")
    throw new InvalidArgumentError("forgedEvents", "must be refuse or allow");
}

function number(name: string, value: unknown, least: number): void {
  if (typeof value !== "number" || !Number.isFinite(value) || value < least)
    throw new InvalidArgumentError(name, `must be a number of at least ${least}`);
}
