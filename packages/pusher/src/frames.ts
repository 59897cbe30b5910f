/** What clients are sent. `data` is JSON text inside JSON where Pusher has it so: clients in other languages insist on it. */

/** Codes by which a WebSocket is closed. pusher-js stops for good below 4100, and comes back after a second below 4200, at once below 4300. */
export const CLOSE = {
  appUnknown: 4001,
  appDisabled: 4003,
  overQuota: 4004,
  unsupportedProtocol: 4007,
  noProtocol: 4008,
  unauthorized: 4009,
  overCapacity: 4100,
  reconnect: 4200,
  noPong: 4201,
} as const;

/** Codes of errors that leave the connection as it is. */
export const ERROR = { clientEvent: 4301, watchlist: 4302 } as const;

/** Any event; `data` is what goes into the field. */
export function frame(event: string, data: unknown, channel?: string): string {
  return JSON.stringify(channel === undefined ? { event, data } : { event, channel, data });
}

/** An event whose data is JSON text in the frame. */
export function textFrame(event: string, data: unknown, channel?: string): string {
  return frame(event, JSON.stringify(data), channel);
}

export function connectionEstablished(socketId: string, activityTimeoutMs: number): string {
  const seconds = Math.max(1, Math.round(activityTimeoutMs / 1_000));
  return textFrame("pusher:connection_established", { socket_id: socketId, activity_timeout: seconds });
}

export function errorFrame(code: number | null, message: string): string {
  return frame("pusher:error", { code, message });
}

/** Whom a client sees in a presence channel, with what is known of them. */
export interface Member {
  readonly id: string;
  readonly info: unknown;
}

/** The list that a subscription begins with. A text, since an id may be `__proto__`. */
export function memberList(members: readonly Member[]): string {
  const ids = members.map(({ id }) => JSON.stringify(id));
  const hash = members.map(({ info }, at) => `${ids[at]}:${JSON.stringify(info ?? null)}`);
  return `{"presence":{"ids":[${ids}],"hash":{${hash}},"count":${members.length}}}`;
}

export function memberAdded(channel: string, { id, info }: Member): string {
  return textFrame("pusher_internal:member_added", { user_id: id, user_info: info ?? null }, channel);
}

export function memberRemoved(channel: string, id: string): string {
  return textFrame("pusher_internal:member_removed", { user_id: id }, channel);
}
