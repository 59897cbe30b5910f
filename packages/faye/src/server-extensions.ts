/** The two extensions of the server: one for what comes in, which must be the last, and one for what goes out. */
import type { IncomingMessage } from "node:http";
import { isReservedRoom } from "presently/drop-in";
import { advise } from "./advice.ts";
import type { FayeCallback, FayeExtension, FayeMessage, FayeRequest } from "./faye.ts";
import { channelsOf, isMeta } from "./grammar.ts";
import type { Homes } from "./homes.ts";
import { matches, type Settings } from "./options.ts";
import type { OwnChannels } from "./own-channels.ts";
import { looksLikeEvent, restore } from "./presence-event.ts";
import type { Publisher } from "./publisher.ts";
import type { Relay } from "./relay.ts";
import { isMap } from "./request.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { type ToldBefore, takeNote } from "./told-before.ts";

const SUBSCRIBE = "/meta/subscribe";
const UNSUBSCRIBE = "/meta/unsubscribe";
const CONNECT = "/meta/connect";

export interface ServerExtensionsOptions {
  readonly settings: Pick<Settings, "channelRe" | "forgedEvents" | "names" | "notice">;
  readonly publisher: Pick<Publisher, "claim">;
  readonly subscriptions: Subscriptions;
  readonly relay: Pick<Relay, "forward" | "whenEffective" | "whenServing"> | undefined;
  readonly toldBefore: ToldBefore;
  /** Where Faye carries messages to all servers by itself. */
  readonly ownChannels: OwnChannels | undefined;
  readonly homes: Pick<Homes, "has"> | undefined;
}

export function extensionsFor(
  options: ServerExtensionsOptions,
): Record<"incoming" | "outgoing", FayeExtension> {
  const { settings, publisher, subscriptions, relay, toldBefore, ownChannels, homes } = options;
  /** Whose requests they are. A WebSocket has one for its whole life, and each poll one of its own. */
  const clientIds = new WeakMap<IncomingMessage, string>();
  const hasPresence = (channel: string) => matches(settings.channelRe, channel);

  /** The error of a published message; undefined if it may pass. */
  const checkPublished = (message: FayeMessage, request: unknown): string | undefined => {
    const { channel, data } = message;
    if (typeof channel !== "string" || isMeta(channel)) return undefined;
    // Code of the application, in this process, may say what it likes.
    const isForeign = request !== null && settings.forgedEvents === "refuse";
    if (isForeign && hasPresence(channel) && looksLikeEvent(data)) return `403:${channel}:Forbidden channel`;
    return relay?.forward(message);
  };

  /** Extensions of the application are called by `work`, long after Faye has called us: nobody else catches what they throw. */
  const later = (ready: Promise<unknown>, work: (result: unknown) => void, failed: string) =>
    void ready.then(work).catch((error: unknown) => {
      const text = `${failed}: ${String(error)}`;
      settings.notice({ type: "message-failed", level: "error", message: text, error });
    });

  /** A client that is at home nowhere is told to shake hands. */
  const connect = (message: FayeMessage, callback: FayeCallback) => {
    const { clientId } = message;
    const isHome = typeof clientId === "string" ? homes?.has(clientId) : true;
    const proceed = (isKnown: unknown) => {
      if (isKnown === false) message.error = `401:${clientId}:Unknown client`;
      callback(message);
    };
    if (isHome instanceof Promise) later(isHome, proceed, "a client was not connected");
    else proceed(isHome);
  };

  return {
    incoming: {
      incoming(message, request, callback) {
        // Whatever can be written as JSON may come as a message; Faye answers those that are none.
        if (!isMap(message)) return callback(message);
        const isOurs = publisher.claim(message);
        if (isOurs) ownChannels?.keep(message);
        else if (typeof message.channel === "string" && hasPresence(message.channel)) takeNote(message);
        if (request && typeof message.clientId === "string") clientIds.set(request, message.clientId);
        if (message.error) return callback(message);
        if (message.channel === UNSUBSCRIBE) ownChannels?.widen(message);
        if (message.channel === CONNECT && request && homes !== undefined) return connect(message, callback);
        if (message.channel !== SUBSCRIBE) {
          const publish = () => {
            const error = isOurs ? undefined : checkPublished(message, request);
            if (error !== undefined) message.error = error;
            callback(message);
          };
          // Clients are not let in before the node is ready; code of the application is here from the start.
          const serving = isOurs || isMeta(String(message.channel)) ? undefined : relay?.whenServing();
          if (serving === undefined) publish();
          else later(serving, publish, "a message was not published");
          return;
        }
        const channels = channelsOf(message.subscription);
        if (channels === undefined) message.error = "405:subscription:Invalid channel";
        const withPresence = channels?.filter(hasPresence) ?? [];
        const reserved = withPresence.find((channel) => isReservedRoom(channel, settings.names, "faye"));
        if (request !== null && reserved !== undefined) {
          message.error = `403:${reserved}:Forbidden channel`;
          return callback(message);
        }
        if (channels !== undefined) ownChannels?.widen(message);
        if (withPresence.length === 0) return callback(message);
        const error = subscriptions.request(message, withPresence);
        if (error !== undefined) message.error = error;
        try {
          callback(message);
        } catch (failure) {
          subscriptions.forget(message, withPresence);
          throw failure;
        }
      },
    },
    outgoing: {
      outgoing(message, request, callback) {
        advise(message);
        if (message.channel === SUBSCRIBE || message.channel === UNSUBSCRIBE) ownChannels?.narrow(message);
        if (message.channel !== SUBSCRIBE) {
          // A copy for each of its receivers; only what no client could have published is put right.
          const clientId = request ? clientIds.get(request) : undefined;
          const isForIt = ownChannels?.open(message, clientId) ?? true;
          if (typeof message.channel !== "string" || !hasPresence(message.channel)) return callback(message);
          if (!isForIt || toldBefore.includes(message, clientId)) return callback(nothingFor(request));
          message.data = restore(message.data) ?? message.data;
          return callback(message);
        }
        const channels = channelsOf(message.subscription) ?? [];
        const withPresence = channels.filter(hasPresence);
        // Whoever is told that it has subscribed gets what is published from then on, at whichever server.
        const effective = message.error ? undefined : relay?.whenEffective(channels);
        const ready =
          withPresence.length === 0 ? effective : subscriptions.confirm(message, withPresence, effective);
        if (ready === undefined) callback(message);
        else later(ready, () => callback(message), "a confirmation was not sent");
      },
    },
  };
}

/** What is sent instead of a message: nothing in the reply to a poll, and what clients ignore where Faye cannot leave it out. */
function nothingFor(request: FayeRequest): FayeMessage | null {
  const isStream =
    request && (request.headers.upgrade !== undefined || request.headers.accept === "text/event-stream");
  return isStream ? { channel: "/meta/nothing" } : null;
}
