import "./presence/augmentation.ts";

export type { SocketIoNotice } from "./notice.ts";
export type { AdapterOptions, Routing } from "./options.ts";
export type { NamespacePresence, PersonHere } from "./presence/namespace-presence.ts";
export type { LimitOptions, PresenceAction, PresenceOptions } from "./presence/options.ts";
export { type Presences, presence } from "./presence/presence.ts";
export type { SocketPresence } from "./presence/socket-presence.ts";
export { presently } from "./presently.ts";
