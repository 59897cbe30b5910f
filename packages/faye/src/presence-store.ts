/** Who is present, for the rest of the plug-in: kept by a node of the cluster, or by an engine that the application gives. */
import type { IdAndValue } from "./presence-value.ts";
import type { PresenceRequest } from "./request.ts";

/** Nothing when it is done; a promise of nothing when it is being done. Failing is throwing, or rejecting. */
export type Done = undefined | Promise<void>;

export interface PresenceStore {
  /** The client is on the channel under this id, with this value, and under no other. */
  add(channel: string, clientId: string, request: PresenceRequest): Done;
  /** The client is not on the channel; nothing happens if it was not before. */
  remove(channel: string, clientId: string): Done;
  /** The client is sent away, to come back as another one: who it is may stay for a while, so that nobody sees it go. */
  sendAway(clientId: string): void;
  /** Everybody on the channel, with one value per id. */
  values(channel: string): readonly IdAndValue[] | Promise<readonly IdAndValue[]>;
  /** Grows with every event that is told: a list that was made before is old then. */
  readonly changes: number;
  /** How many channels a client is on, as far as this server knows. */
  channelsOf(clientId: string): number;
  /** Under which id this server recorded a client. */
  idOf(channel: string, clientId: string): string | undefined;
  /** Clients of this server that are on some channel. */
  readonly clients: number;
  /** Ends it: nobody of this server is present any more. */
  close(): void;
}
