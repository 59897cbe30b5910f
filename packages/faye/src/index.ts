/// <reference path="./faye-module.d.ts" preserve="true" />
export { type EndpointOptions, type FayeEndpoint, serveEndpoint } from "./endpoint.ts";
export type { PresenceEngine } from "./engine-store.ts";
export type {
  FayeCallback,
  FayeClient,
  FayeExtension,
  FayeMessage,
  FayeModule,
  FayePublication,
  FayeServer,
} from "./faye.ts";
export { LIMIT_DEFAULTS, type LimitOptions } from "./limits.ts";
export type { FayeNotice, NoticeListener } from "./notice.ts";
export type { SetupOptions } from "./options.ts";
export type { ValueShape } from "./presence-value.ts";
export { type ProtectOptions, protect } from "./protect.ts";
export { type FayePresence, setup } from "./setup.ts";
