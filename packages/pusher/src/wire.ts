/** What nodes tell each other: events for channels, and users whose connections end. Decoders trust nothing. */

/** Broadcasts of events; the topics of their interests are `app/channel`. */
export const EVENT_CHANNEL = "pusher:event";
/** Broadcasts of users to disconnect. */
export const TERMINATE_CHANNEL = "pusher:terminate";
/** Requests for the last event of a cache channel. */
export const CACHE_CHANNEL = "pusher:cache";

/** An event on its way to the subscribers of some channels of one app. */
export interface RelayedEvent {
  readonly app: string;
  readonly channels: readonly string[];
  readonly event: string;
  /** JSON. */
  readonly data: string;
  /** The connection that does not get it. */
  readonly except?: string;
  /** Of client events on presence channels: who sent it. */
  readonly user?: string;
  /** When a server published it; of events for cache channels only. */
  readonly at?: number;
}

export function interestOf(app: string, channel: string): string {
  return `${app}/${channel}`;
}

export function decodeEvent(payload: unknown): RelayedEvent | undefined {
  if (!isMap(payload)) return undefined;
  const { app, channels, event, data, except, user, at } = payload;
  const isSound =
    typeof app === "string" &&
    Array.isArray(channels) &&
    channels.every((channel) => typeof channel === "string") &&
    typeof event === "string" &&
    typeof data === "string" &&
    [except, user].every((text) => text === undefined || typeof text === "string") &&
    (at === undefined || typeof at === "number");
  return isSound ? (payload as unknown as RelayedEvent) : undefined;
}

/** The frame that subscribers of one of its channels get. */
export function eventFrame({ event, data, user }: RelayedEvent, channel: string): Buffer {
  const head = `{"event":${JSON.stringify(event)},"channel":${JSON.stringify(channel)},"data":${data}`;
  return Buffer.from(user === undefined ? `${head}}` : `${head},"user_id":${JSON.stringify(user)}}`);
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
