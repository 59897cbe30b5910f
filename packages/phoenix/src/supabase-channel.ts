/**
 * The channel that Supabase's clients join: broadcast, presence after `track`, and access tokens that are renewed.
 *
 * A private and a public channel of one name are different rooms. There is no database, so `postgres_changes` is refused in
 * words that arrive, and the rest of the channel works.
 */
import { randomUUID } from "node:crypto";
import { PresentlyError } from "presently";
import type { Channel } from "./channel.ts";
import type { ChannelDefinition } from "./channel-definition.ts";
import { EVENT, type Payload, UserBroadcast } from "./message.ts";
import type { Reply } from "./reply.ts";
import type { Known, SupabaseAccess } from "./supabase-access.ts";

/** What the topics of Supabase's clients begin with. */
export const TOPIC_PREFIX = "realtime:";

/** What one client has in one channel. */
export interface Seat {
  /** By its API key, until it shows a token of its own. */
  who: Known;
  token?: string;
  /** The key under which it is present once it tracks. */
  key?: string;
  /** What it is present with, as JSON; undefined if it is not. */
  tracked?: string | undefined;
  isShown?: boolean;
  unwatch?: () => void;
}

/** What the channel is called in the cluster: clients cannot join a private one as a public one, whatever they call it. */
export function roomOf(topic: string, isPrivate: boolean): string {
  return isPrivate ? `private:${topic}` : topic;
}

type Map = Readonly<Record<string, unknown>>;

interface Config {
  readonly isPrivate: boolean;
  readonly acknowledges: boolean;
  readonly hearsItself: boolean;
  readonly replays: boolean;
  readonly showsPresence: boolean;
  readonly key: string;
  readonly changes: readonly unknown[];
}

/** What `realtime.channel(name, { config })` asks for. Clients in other languages send booleans as texts. */
function configOf(params: Payload): Config {
  const config = mapOf(mapOf(params).config);
  const broadcast = mapOf(config.broadcast);
  const presence = mapOf(config.presence);
  const { postgres_changes: changes } = config;
  return {
    isPrivate: isTrue(config.private),
    acknowledges: isTrue(broadcast.ack),
    hearsItself: isTrue(broadcast.self),
    replays: broadcast.replay !== undefined && broadcast.replay !== null,
    // Clients before 2.54 do not say.
    showsPresence: presence.enabled === undefined || isTrue(presence.enabled),
    key: typeof presence.key === "string" ? presence.key : "",
    changes: Array.isArray(changes) ? changes : [],
  };
}

export function supabaseChannel(access: SupabaseAccess): ChannelDefinition<Seat> {
  return {
    asksItself: true,
    room: (topic, params) => roomOf(topic, configOf(params).isPrivate),
    presence: { shows: (_channel, params) => configOf(params).showsPresence },
    join: (params, channel) => join(access, params, channel),
    handleIn: (event, payload, channel) => {
      if (event === EVENT.broadcast) return broadcast(access, payload, channel);
      if (event === "presence") return changePresence(access, payload, channel);
      if (event === "access_token") return renew(access, payload, channel);
      return refusal(`unhandled event ${event}`);
    },
    terminate: (_reason, { assigns }) => assigns.unwatch?.(),
  };
}

async function join(access: SupabaseAccess, params: Payload, channel: Channel<Seat>): Promise<Reply> {
  const { topic, assigns: seat } = channel;
  const { replays, key, changes, showsPresence } = configOf(params);
  if (replays) return refusal("UnableToReplayMessages: broadcasts are not stored here");
  const token = tokenIn(params);
  if (token !== undefined) {
    const known = await access.identify(token, channel.info);
    if (known === undefined) return refusal("InvalidJWTToken: the token is not valid, or has expired");
    seat.who = known;
    seat.token = token;
  }
  if (!(await access.may("watch", seat.who, roomIn(channel)))) return refusal(mayNotRead(topic));
  seat.key = key === "" ? randomUUID() : key;
  seat.isShown = showsPresence;
  watchExpiry(access, channel);
  if (changes.length > 0)
    tell(channel, "postgres_changes", "Unable to subscribe to changes: there is no database here");
  // The client compares these with what it asked for, one by one.
  return { ok: { postgres_changes: changes.map((change, id) => ({ ...mapOf(change), id: id + 1 })) } };
}

async function broadcast(
  access: SupabaseAccess,
  payload: Payload,
  channel: Channel<Seat>,
): Promise<Reply | undefined> {
  const { acknowledges, hearsItself } = configOf(channel.params);
  const problem = await trying(async () => {
    if (!(await access.may("publish", channel.assigns.who, roomIn(channel))))
      return `Unauthorized: You do not have permissions to write to this Channel topic: ${channel.topic}`;
    const message = messageOf(payload);
    if (message === undefined) return "a broadcast must be { type, event, payload }";
    if (hearsItself) channel.broadcast(EVENT.broadcast, message);
    else channel.broadcastFrom(EVENT.broadcast, message);
    return undefined;
  });
  if (acknowledges) return problem === undefined ? { ok: {} } : refusal(problem);
  if (problem !== undefined) tell(channel, "broadcast", problem);
  return undefined;
}

/** What others are sent; undefined for what is no broadcast. */
function messageOf(payload: Payload): Payload {
  if (payload instanceof UserBroadcast) return payload;
  const { event, payload: content } = mapOf(payload);
  return typeof event === "string" ? { type: EVENT.broadcast, event, payload: content ?? {} } : undefined;
}

async function changePresence(
  access: SupabaseAccess,
  payload: Payload,
  channel: Channel<Seat>,
): Promise<Reply> {
  const { event, payload: meta } = mapOf(payload);
  const seat = channel.assigns;
  if (event === "untrack") {
    seat.tracked = undefined;
    channel.untrack(seat.key!);
    return { ok: {} };
  }
  if (event !== "track") return refusal(`unknown presence event ${JSON.stringify(event)}`);
  if (typeof meta !== "object" || meta === null || Array.isArray(meta))
    return refusal("Presence track payload must be a map");
  const problem = await trying(async () => {
    if (!(await access.may("track", seat.who, roomIn(channel), seat.key)))
      return `Unauthorized: You do not have permissions to track presence on this Channel topic: ${channel.topic}`;
    if (channel.closed) return undefined;
    trackOrUpdate(seat, meta as Record<string, unknown>, channel);
    return undefined;
  });
  return problem === undefined ? { ok: {} } : refusal(problem);
}

/** The same again changes nothing. A client that tracks without a listener is told of presence from then on. */
function trackOrUpdate(seat: Seat, meta: Record<string, unknown>, channel: Channel<Seat>): void {
  const tracked = JSON.stringify(meta);
  if (tracked === seat.tracked) return;
  if (seat.tracked === undefined) channel.track(seat.key!, meta);
  else channel.update(seat.key!, meta);
  seat.tracked = tracked;
  if (seat.isShown) return;
  seat.isShown = true;
  channel.pushPresenceState();
}

/** A token that follows the join, or renews it. There is no reply to it. */
async function renew(access: SupabaseAccess, payload: Payload, channel: Channel<Seat>): Promise<undefined> {
  const seat = channel.assigns;
  const token = tokenIn(payload);
  if (token === undefined || token === seat.token) return;
  const known = await access.identify(token, channel.info);
  if (known === undefined) {
    end(channel, "InvalidJWTToken: the token is not valid, or has expired");
    return;
  }
  seat.who = known;
  seat.token = token;
  watchExpiry(access, channel);
  if (!(await access.may("watch", known, roomIn(channel)))) {
    end(channel, mayNotRead(channel.topic));
    return;
  }
  if (seat.tracked === undefined || (await access.may("track", known, roomIn(channel), seat.key))) return;
  seat.tracked = undefined;
  channel.untrack(seat.key!);
}

function watchExpiry(access: SupabaseAccess, channel: Channel<Seat>): void {
  const seat = channel.assigns;
  seat.unwatch?.();
  if (channel.closed) return;
  seat.unwatch = access.onExpire(seat.who, () => end(channel, "InvalidJWTToken: the token has expired"));
}

/** Ends the channel in words; the client does not join again by itself. */
function end(channel: Channel<Seat>, message: string): void {
  tell(channel, "system", message);
  channel.stop();
}

function tell(channel: Channel<Seat>, extension: string, message: string): void {
  const name = channel.topic.slice(TOPIC_PREFIX.length);
  channel.push("system", { extension, status: "error", message, channel: name });
}

/** What went wrong, in words; what is no error of ours is the application's, and ends the channel. */
async function trying(work: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PresentlyError) return error.message;
    throw error;
  }
}

function roomIn({ topic, params }: Channel<Seat>): string {
  return roomOf(topic, configOf(params).isPrivate);
}

/** The token in a payload; API keys of the new kind are none. */
function tokenIn(payload: Payload): string | undefined {
  const { access_token: token } = mapOf(payload);
  return typeof token === "string" && token !== "" && !token.startsWith("sb_") ? token : undefined;
}

function mayNotRead(topic: string): string {
  const name = topic.slice(TOPIC_PREFIX.length);
  return `Unauthorized: You do not have permissions to read from this Channel topic: ${name}`;
}

function refusal(reason: string): Reply {
  return { error: { reason } };
}

function mapOf(value: unknown): Map {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Map) : {};
}

function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}
