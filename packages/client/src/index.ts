/** The client of people who start fresh: typed, over phoenix.js, in a browser and in Node.js. */
export { type ActivitySource, pageActivity } from "./activity.ts";
export { type Client, type ClientEvents, type ClientStatus, createClient } from "./client.ts";
export { type Clock, systemClock } from "./clock.ts";
export type { Unsubscribe } from "./emitter.ts";
export { ClientError, type ClientErrorCode } from "./errors.ts";
export { type LiveValues, type LiveValuesOptions, liveValues } from "./live-values.ts";
export type { ClientOptions, Transport } from "./options.ts";
export type { Meta, MetaChange, Person } from "./person.ts";
export type { AnyRoom, Room } from "./room.ts";
export type { RoomEvents, RoomOptions, RoomSnapshot, RoomStatus } from "./room-snapshot.ts";
export {
  mergeStatus,
  type Status,
  type StatusMeta,
  type StatusTracker,
  type TrackStatusOptions,
  trackStatus,
} from "./status.ts";
export {
  type ThrottledUpdates,
  type ThrottledUpdatesOptions,
  throttledUpdates,
} from "./throttled-updates.ts";
export { type Typing, type TypingOptions, typing } from "./typing.ts";
