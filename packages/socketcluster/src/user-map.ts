/** The records of all servers, in the shapes in which sc-presence had them or meant to have them. */
import type { PresentlyNode } from "presently";
import type { Settings } from "./options.ts";
import { idBeside, readSocket, readSubscription, type SocketRecord, socketsTopic } from "./records.ts";

/** One socket in the map; the first three only in the whole map. */
export interface MappedSocket {
  authToken?: unknown;
  ip?: string | null;
  origin?: string | null;
  lastUpdate: number;
  subscribedChannels: string[];
}

/** User id → socket id → socket. Sockets without a user id are under `null`, a user of that name under `user:null`. */
export type UserMap = Record<string, Record<string, MappedSocket>>;

/** One record by the column names of sc-presence. */
export interface PresenceRow {
  readonly SCP_socket_id: string;
  readonly SCP_user_id: string | number | null;
  readonly SCP_channel: string;
  readonly SCP_updated: Date;
  readonly SCP_authToken: string | null;
  readonly SCP_ip: string | null;
  readonly SCP_origin: string | null;
}

/** All sockets by id. Cost: O(sockets). */
function sockets(
  node: PresentlyNode,
  settings: Settings,
): Map<string, { record: SocketRecord; replica: string }> {
  const found = new Map<string, { record: SocketRecord; replica: string }>();
  for (const presence of node.list(socketsTopic(settings))) {
    const record = readSocket(presence);
    found.set(record.socketId, { record, replica: presence.replica });
  }
  return found;
}

/** Every pair of socket and channel. Cost: O(all presences). */
function* subscriptions(
  node: PresentlyNode,
  settings: Settings,
  known: ReturnType<typeof sockets>,
): Iterable<{ record: SocketRecord; channel: string }> {
  for (const { topic } of node.topics()) {
    const channel = settings.names.nameOf(topic);
    if (channel === undefined || topic === socketsTopic(settings)) continue;
    for (const presence of node.list(topic)) {
      const subscription = readSubscription(presence);
      const socket = subscription && known.get(subscription.socketId);
      // Whoever is present through another protocol could have any meta: only the socket's own node speaks for it.
      if (socket?.replica === presence.replica) yield { record: socket.record, channel };
    }
  }
}

/** Without `whole` it has neither tokens nor addresses nor origins: those are nobody else's business. */
export function userMap(node: PresentlyNode, settings: Settings, whole: boolean): UserMap {
  // Ids are chosen by users: a map without a prototype has no names of its own.
  const map: UserMap = Object.create(null);
  const bySocket = new Map<string, MappedSocket>();
  const known = sockets(node, settings);
  for (const { record } of known.values()) {
    const { authToken, ip, origin, lastUpdate, userId, socketId } = record;
    const socket = { ...(whole ? { authToken, ip, origin } : {}), lastUpdate, subscribedChannels: [] };
    bySocket.set(socketId, socket);
    const user = idBeside("null", userId);
    map[user] ??= Object.create(null) as Record<string, MappedSocket>;
    map[user][socketId] = socket;
  }
  for (const { record, channel } of subscriptions(node, settings, known))
    bySocket.get(record.socketId)?.subscribedChannels.push(channel);
  return map;
}

/** As rows of sc-presence's table, the records of the sockets themselves included. */
export function* rows(node: PresentlyNode, settings: Settings): Iterable<PresenceRow> {
  const known = sockets(node, settings);
  for (const { record } of known.values()) yield rowOf(record, settings.scpPresenceChannel);
  for (const { record, channel } of subscriptions(node, settings, known)) yield rowOf(record, channel);
}

export function rowOf(record: SocketRecord, channel: string): PresenceRow {
  return {
    SCP_socket_id: record.socketId,
    SCP_user_id: record.userId,
    SCP_channel: channel,
    SCP_updated: new Date(record.lastUpdate),
    SCP_authToken: record.authToken === null ? null : JSON.stringify(record.authToken),
    SCP_ip: record.ip,
    SCP_origin: record.origin,
  };
}
