export type { AppLimitOptions, AppOptions } from "./app-options.ts";
export { type EndpointOptions, serveEndpoint } from "./endpoint.ts";
export type { LimitOptions } from "./limits.ts";
export type { NoticeListener, PusherNotice } from "./notice.ts";
export { type AttachOptions, type PusherOptions, PusherServer } from "./pusher-server.ts";
