/** How presence of sockets is kept, and what clients may do about it themselves. */
import { InvalidArgumentError } from "presently";
import {
  checkFunction,
  checkInteger,
  checkOptions,
  type GateLimits,
  guardNotices,
  RosterNames,
  type RosterOptions,
  resolveBesideGate,
} from "presently/drop-in";
import type { Socket } from "socket.io";
import { type NoticeListener, warnOfNotice } from "../notice.ts";

/** What a client asks for. */
export type PresenceAction = "follow" | "track";

/** Those of `GateLimits` count sockets whose clients ask for something, where the node has `access`. */
export interface LimitOptions extends Partial<GateLimits> {
  /** Rooms that one client may follow by its own requests. Default 1,000. */
  readonly roomsPerSocketMax?: number;
  /** Requests of one client a second. Default 100. */
  readonly requestsPerSecondMax?: number;
}

/** Options of `presence(io, node, options)`; the same at all servers. */
export interface PresenceOptions {
  /** Who a socket is: the key under which it is present. Several sockets of one person are one. Default: the socket's id. */
  readonly identify?: (socket: Socket) => string;
  /** How long a person stays after a socket broke off, to come back at any server. Default 5,000 ms; 0 without `identify`. */
  readonly graceMs?: number;
  /** Whether a client may follow or track a room by itself. Default: clients may nothing, and the server calls `socket.presence`. */
  readonly allow?: (socket: Socket, action: PresenceAction, room: string) => boolean | Promise<boolean>;
  /** The event that carries presence, both ways. Default `presently`. */
  readonly event?: string;
  /** What rooms and people are called in the cluster, where clients of other protocols meet these. Default: the same. */
  readonly roster?: RosterOptions;
  readonly limits?: LimitOptions;
  /** Told what an operator should know; without it, warnings of the process. */
  readonly onNotice?: NoticeListener;
}

const LIMITS = { roomsPerSocketMax: 1_000, requestsPerSecondMax: 100 };

export interface PresenceSettings {
  readonly identify: (socket: Socket) => string;
  readonly graceMs: number;
  readonly allow: PresenceOptions["allow"];
  readonly event: string;
  readonly names: RosterNames;
  readonly limits: typeof LIMITS & Partial<GateLimits>;
  readonly notice: NoticeListener;
}

const RESERVED = new Set([
  ...["connect", "connection", "connect_error", "disconnect", "disconnecting"],
  ...["new_namespace", "newListener", "removeListener"],
]);

/** @throws {InvalidArgumentError} for an option that is unknown or cannot be used */
export function resolvePresenceOptions(options: PresenceOptions = {}): PresenceSettings {
  checkOptions(options, ["identify", "graceMs", "allow", "event", "roster", "limits", "onNotice"]);
  const { identify, allow, event = "presently", onNotice = warnOfNotice } = options;
  const { graceMs = identify === undefined ? 0 : 5_000 } = options;
  if (identify !== undefined) checkFunction("options.identify", identify);
  if (allow !== undefined) checkFunction("options.allow", allow);
  checkInteger("options.graceMs", graceMs, 0);
  if (typeof event !== "string" || event === "" || RESERVED.has(event))
    throw new InvalidArgumentError(
      "options.event",
      "must be the name of an event that Socket.IO does not use",
    );
  return {
    identify: identify ?? ((socket) => socket.id),
    graceMs,
    allow,
    event,
    names: new RosterNames(options.roster),
    limits: resolveBesideGate(LIMITS, options.limits),
    notice: guardNotices(onNotice),
  };
}
