export { type AttachCallback, type AttachOptions, attach } from "./attach.ts";
export type { MirrorOptions } from "./mirror.ts";
export type {
  Question,
  ScpOptions,
  SocketClusterPresenceOptions,
  UserCountType,
} from "./options.ts";
export type { SocketRecord, UserId } from "./records.ts";
export type { Roster, RosterChange, RosterUser } from "./roster.ts";
export type { SocketClusterServer, SocketClusterSocket } from "./server.ts";
export type { SocketClusterPresence } from "./socketcluster-presence.ts";
export type { PresenceRow, UserMap } from "./user-map.ts";
