export { PresentlyDriver, type SavingRoom } from "./driver.ts";
export { RendezvousError } from "./local-rendezvous.ts";
export type { LocalOptions, PresenceNode, PresenceSettings } from "./options.ts";
export type { Player, PlayerRoster } from "./player-roster.ts";
export { PresentlyPresence } from "./presence.ts";
export type { ListedRoom, ListingOperations, ListingOrder } from "./room-listing.ts";
export type { Subscriptions, TopicCallback } from "./subscriptions.ts";
