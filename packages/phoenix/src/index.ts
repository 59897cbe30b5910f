export type { CheckOrigin, DrainOptions } from "presently/drop-in";
export type { Channel, MetaChange } from "./channel.ts";
export type {
  AnyHandler,
  ChannelDefinition,
  EndReason,
  Handler,
  PresenceDefinition,
} from "./channel-definition.ts";
export type { ConnectionInfo, Params } from "./connection-info.ts";
export { type EndpointOptions, serveEndpoint } from "./endpoint.ts";
export { AlreadyTrackedError, FrameError, NoPresenceError } from "./errors.ts";
export { LIMIT_DEFAULTS, type LimitOptions } from "./limits.ts";
export type { Payload, Ref } from "./message.ts";
export type { Callback, NoticeListener, PhoenixNotice } from "./notice.ts";
export { PhoenixSocket, type PhoenixSocketOptions } from "./phoenix-socket.ts";
export type { PresenceDiff, PresenceEntry, PresenceMap, PresenceMeta } from "./presence-map.ts";
export type { Reply, ReplyRef } from "./reply.ts";
export type { MaybePromise } from "./settle.ts";
export type { SocketPresence } from "./socket-presence.ts";
export { type SupabaseOptions, serveSupabase } from "./supabase-endpoint.ts";
export { type TokenVerifier, tokenVerifier } from "./token.ts";
