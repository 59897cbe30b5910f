/** How presence is set up, and with what. */
import { type AnyNode, ConfigurationError, InvalidArgumentError } from "presently";
import {
  checkInteger,
  checkNode,
  checkObject,
  checkOptions,
  guardNotices,
  RosterNames,
  type RosterOptions,
} from "presently/drop-in";
import type { PresenceEngine } from "./engine-store.ts";
import { type LimitOptions, type Limits, resolveLimits } from "./limits.ts";
import { type NoticeListener, warnOfNotice } from "./notice.ts";
import type { ValueShape } from "./presence-value.ts";

/** Where presence is kept, which channels have it, and what clients are told. */
export interface SetupOptions {
  /** The node of the cluster that keeps who is present. Needed unless there is an `engine`. */
  readonly node?: AnyNode;
  /** Keeps who is present in place of the cluster. */
  readonly engine?: PresenceEngine;
  /** The channels with presence. Default: those that begin with `/presence/`. The same on all nodes. */
  readonly channelRe?: RegExp;
  /**
   * What an id stands for in lists and events: `request`, all of `ext.presence` (`{ id, data }`), which is what the
   * original sends; `data`, its `data` alone, which is what the original's page says. Default `request`.
   */
  readonly values?: ValueShape;
  /** What channels and ids are called in the cluster, where clients of other protocols meet these. Default: the same. */
  readonly roster?: RosterOptions;
  /** Sends what is published on ordinary channels to the clients of all nodes: all of it, or what matches. Default false. */
  readonly broadcast?: boolean | RegExp;
  /** Faye carries messages between its servers by itself (an engine such as faye-redis). Default false. */
  readonly clustered?: boolean;
  /** Ids in one event, when many come or go at once. Default 1, as the original has it; more is less to send. */
  readonly idsPerEvent?: number;
  /** What becomes of messages of clients that look like events of presence. Default `refuse`. */
  readonly forgedEvents?: "refuse" | "allow";
  readonly limits?: LimitOptions;
  /** Told what an operator should know; without it, warnings of the process. */
  readonly onNotice?: NoticeListener;
  /** The original's Redis servers. Not needed, and ignored. */
  readonly servers?: unknown;
}

export interface Settings {
  readonly node: AnyNode | undefined;
  readonly engine: PresenceEngine | undefined;
  readonly channelRe: RegExp;
  readonly values: ValueShape;
  readonly names: RosterNames;
  readonly broadcast: boolean | RegExp;
  readonly clustered: boolean;
  readonly idsPerEvent: number;
  readonly forgedEvents: "refuse" | "allow";
  readonly limits: Limits;
  readonly notice: NoticeListener;
}

const NAMES: readonly (keyof SetupOptions)[] = [
  "node",
  "engine",
  "channelRe",
  "values",
  "roster",
  "broadcast",
  "clustered",
  "idsPerEvent",
  "forgedEvents",
  "limits",
  "onNotice",
  "servers",
];

const ENGINE_FUNCTIONS = ["addClient", "getSubscribers", "unsubscribe"] as const;

/**
 * @throws {InvalidArgumentError} for an option that is missing, unknown or malformed
 * @throws {ConfigurationError} for options that contradict each other; the message names both
 */
export function resolveSettings(options: SetupOptions): Settings {
  checkOptions(options, NAMES);
  const { node, engine, channelRe = /^\/presence\//, values = "request", broadcast = false } = options;
  const { clustered = false, idsPerEvent = 1, forgedEvents = "refuse" } = options;
  if (node === undefined && engine === undefined)
    throw new InvalidArgumentError("options.node", "must be a node: the answer of createNode");
  if (node !== undefined) checkNode(node);
  if (engine !== undefined) checkObject("options.engine", engine, ENGINE_FUNCTIONS);
  if (!(channelRe instanceof RegExp)) throw new InvalidArgumentError("options.channelRe", "must be a RegExp");
  if (values !== "request" && values !== "data")
    throw new InvalidArgumentError("options.values", 'must be "request" or "data"');
  if (typeof broadcast !== "boolean" && !(broadcast instanceof RegExp))
    throw new InvalidArgumentError("options.broadcast", "must be true, false or a RegExp");
  if (typeof clustered !== "boolean")
    throw new InvalidArgumentError("options.clustered", "must be true or false");
  checkInteger("options.idsPerEvent", idsPerEvent, 1);
  if (forgedEvents !== "refuse" && forgedEvents !== "allow")
    throw new InvalidArgumentError("options.forgedEvents", 'must be "refuse" or "allow"');
  if (clustered && broadcast !== false)
    throw new ConfigurationError(
      "broadcast and clustered exclude each other: every message would arrive once from Faye's engine, and once more from us",
    );
  if (broadcast !== false && node === undefined)
    throw new ConfigurationError(
      "broadcast needs node: messages reach the other servers through the cluster",
    );
  if (engine !== undefined && options.roster !== undefined)
    throw new ConfigurationError(
      "engine and roster exclude each other: an engine keeps channels by their own names",
    );
  const names = new RosterNames(options.roster);
  const notice = guardNotices(options.onNotice ?? warnOfNotice);
  if (options.servers !== undefined) {
    const message = "options.servers is ignored: presence needs no Redis any more";
    notice({ type: "option-ignored", level: "warn", message });
  }
  const limits = resolveLimits(options.limits);
  const settings = {
    node,
    engine,
    channelRe,
    values,
    names,
    broadcast,
    clustered,
    idsPerEvent,
    forgedEvents,
  };
  return { ...settings, limits, notice };
}

/** Whether a channel matches, whatever flags the expression has. */
export function matches(expression: RegExp, channel: string): boolean {
  return channel.search(expression) >= 0;
}
