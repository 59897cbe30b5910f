/** Presence at a client of Socket.IO. */
export { PresenceError } from "./errors.ts";
export { type AnyPresenceRoom, type PresenceRoom, presenceOf } from "./presence-room.ts";
export type { ClientSocket, PersonOf, PresenceClientOptions, PresenceEvents } from "./types.ts";
