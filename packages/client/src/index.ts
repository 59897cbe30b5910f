/** The client of people who start fresh: typed, over phoenix.js, in a browser and in Node.js. */
export { Client, type ClientEvents, type ClientStatus, createClient } from "./client.ts";
export { type Clock, systemClock } from "./clock.ts";
export type { Unsubscribe } from "./emitter.ts";
export { ClientError, type ClientErrorCode } from "./errors.ts";
export type { ClientOptions, Transport } from "./options.ts";
export type { Meta, Person } from "./person.ts";
export { Room, type RoomEvents, type RoomOptions, type RoomSnapshot, type RoomStatus } from "./room.ts";
