/** What is kept of a socket, where, and how it is read again. */
import type { Meta, Presence } from "presently";
import { envelope, SOCKETCLUSTER_TOPICS } from "presently/drop-in";
import type { Settings } from "./options.ts";
import type { SocketClusterSocket } from "./server.ts";

/** A user's id as its token has it; null for a socket without one. */
export type UserId = string | number | null;

/** What is known of one socket, as sc-presence had it in the row of its presence channel. */
export interface SocketRecord {
  readonly socketId: string;
  readonly userId: UserId;
  /** The claims of its token; null without one. */
  readonly authToken: unknown;
  readonly ip: string | null;
  readonly origin: string | null;
  /** When it connected, or last changed its token: milliseconds since 1970, by the clock of its node. */
  readonly lastUpdate: number;
}

/** One record of a socket on a channel. */
export interface SubscriptionRecord {
  readonly socketId: string;
  readonly userId: UserId;
}

/** Beyond so many bytes of JSON the claims are left out: one token must not keep its socket from being counted. */
const TOKEN_BYTES_MAX = 4_096;

/** @param id names the socket if its token does not */
export function recordOf(
  socket: SocketClusterSocket,
  settings: Settings,
  now: number,
  id?: string,
): SocketRecord {
  const { authToken } = socket;
  const claims = typeof authToken === "object" && authToken !== null ? authToken : null;
  const json = JSON.stringify(claims);
  return {
    socketId: socket.id,
    userId: userIdOf(claims, settings) ?? id ?? null,
    authToken: json.length <= TOKEN_BYTES_MAX ? (JSON.parse(json) as unknown) : null,
    ip: socket.remoteAddress ?? null,
    origin: socket.request?.headers.origin ?? null,
    lastUpdate: now,
  };
}

/** The user's id in the claims of a token. Only texts and numbers are ids; anything else is as good as none. */
export function userIdOf(claims: unknown, { scpUserIdField }: Pick<Settings, "scpUserIdField">): UserId {
  if (typeof claims !== "object" || claims === null || !Object.hasOwn(claims, scpUserIdField)) return null;
  const id = (claims as Record<string, unknown>)[scpUserIdField];
  return (typeof id === "string" && id !== "") || (typeof id === "number" && Number.isFinite(id)) ? id : null;
}

/** The topic whose keys are users and whose entries are sockets. No client can subscribe to it. */
export function socketsTopic(settings: Settings): string {
  return `${SOCKETCLUSTER_TOPICS}${settings.scpPresenceChannel}`;
}

/** The topic with one entry for each node that serves sockets. */
export function nodesTopic(settings: Settings): string {
  return `${SOCKETCLUSTER_TOPICS}${settings.scpPresenceChannel}:nodes`;
}

/** On the sockets' topic no user can have the key of those without an id. */
export function socketsKey(userId: UserId): string {
  return userId === null ? "anonymous" : `user:${userId}`;
}

/**
 * On the topic of a channel a key is what other protocols use as well: the bare id, or what `roster.ids` makes of it.
 *
 * @throws {RosterNameError} for an id that has no key
 */
export function channelKey(userId: UserId, { names, anonymousKey }: Settings): string {
  return names.keyFor(idBeside(anonymousKey, userId));
}

/**
 * A text for each id, `withoutId` for those that have none, and for nobody else: a user whose id is that text gets
 * `user:` before it, and so does one whose id is what comes of it.
 */
export function idBeside(withoutId: string, userId: UserId): string {
  if (userId === null) return withoutId;
  const id = String(userId);
  const isTaken = id.endsWith(withoutId) && /^(user:)*$/.test(id.slice(0, -withoutId.length));
  return isTaken ? `user:${id}` : id;
}

/** Notes for the map of users; to clients of other protocols it says nothing but that somebody is here. */
export function metaOfSubscription({ socketId, userId }: SubscriptionRecord): Meta {
  return envelope({ info: undefined, at: 0 }, { socketId, userId });
}

/** The record in an entry of the sockets' topic. */
export function readSocket({ meta }: Presence): SocketRecord {
  return meta as unknown as SocketRecord;
}

/** The record in an entry on the topic of a channel; undefined if another protocol put it there. */
export function readSubscription({ meta }: Presence): SubscriptionRecord | undefined {
  const { socketId, userId } = meta as { readonly socketId?: unknown; readonly userId?: UserId };
  return typeof socketId === "string" ? { socketId, userId: userId ?? null } : undefined;
}
