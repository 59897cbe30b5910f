/** Presence for a Faye server: the place of the original's `presence.setup`. */
import type { PresentlyNode } from "presently";
import { checkObject, checkString, isStarting, onTopicMessage, openGateIfAsked } from "presently/drop-in";
import { Announcer } from "./announcer.ts";
import { type Body, ClusterLine } from "./cluster-line.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { EngineStore, type PresenceEngine } from "./engine-store.ts";
import type { FayeClient, FayeServer } from "./faye.ts";
import { isPublishable } from "./grammar.ts";
import { Homes } from "./homes.ts";
import { addLast } from "./last-extension.ts";
import { NodeStore } from "./node-store.ts";
import { matches, resolveSettings, type Settings, type SetupOptions } from "./options.ts";
import { isOwnChannel, OwnChannels } from "./own-channels.ts";
import type { PresenceEvent } from "./presence-event.ts";
import type { PresenceStore } from "./presence-store.ts";
import { Publisher } from "./publisher.ts";
import { Relay } from "./relay.ts";
import { extensionsFor } from "./server-extensions.ts";
import { refuseWhileStarting } from "./starting-guard.ts";
import { Subscriptions } from "./subscriptions.ts";
import { noteOf, ToldBefore } from "./told-before.ts";

/** Presence at one server. Made by `setup`. */
export interface FayePresence {
  /** Everybody who is present on a channel, in the whole cluster: id → value, as clients get it. */
  list<Value = unknown>(channel: string): Promise<Readonly<Record<string, Value>>>;
  /** Takes presence off the server: its clients are not present any more. Idempotent. */
  close(): void;
}

/**
 * Gives the channels of a Faye server presence, over the cluster of a node.
 *
 * @param server a `faye.NodeAdapter`
 * @param client what publishes there: `server.getClient()`
 * @throws {InvalidArgumentError} for an option that is missing, unknown or malformed
 * @throws {ConfigurationError} for options that contradict each other
 */
export function setup(server: FayeServer, client: FayeClient, options: SetupOptions): FayePresence {
  checkObject("server", server, ["addExtension", "removeExtension", "on", "removeListener"]);
  checkObject("client", client, ["publish"]);
  const settings = resolveSettings(options);
  const { node, engine, notice, limits, values, idsPerEvent, clustered } = settings;
  const hasPresence = (channel: string) => matches(settings.channelRe, channel);
  const publisher = new Publisher({ client, pendingMax: limits.pendingMax, notice });
  const publish = (channel: string, data: unknown, ext?: unknown) => publisher.publish(channel, data, ext);
  const tell = (channel: string, data: unknown) => publish(channel, data, noteOf(store.changes));
  const announcer = new Announcer({ shape: values, idsPerEvent, publish: tell });
  const line = node && new ClusterLine(node, notice);
  const store: PresenceStore =
    engine === undefined
      ? nodeStore(node!, settings, announcer)
      : engineStore(engine, settings, announcer, line);
  const relay = node && line && relayFor(node, line, settings, publish);
  // Where servers share an engine, each would publish it to the clients of all.
  const unlisten = clustered ? undefined : node && listenForMessages(node, settings, publish);
  const toldBefore = new ToldBefore();
  const ownChannels = clustered ? new OwnChannels(hasPresence) : undefined;
  const homes = clustered && line ? new Homes(line) : undefined;
  const now = () => performance.now();
  const subscriptions = new Subscriptions({
    store,
    toldBefore,
    limits,
    notice,
    eventsComeLate: clustered,
    now,
  });

  const { incoming, outgoing } = extensionsFor({
    settings,
    publisher,
    subscriptions,
    relay,
    toldBefore,
    ownChannels,
    homes,
  });
  const shookHands = (clientId: string) => homes?.add(clientId);
  const subscribed = (clientId: string, channel: string) => {
    if (isOwnChannel(channel)) return;
    homes?.add(clientId);
    ownChannels?.subscribed(clientId, channel);
    relay?.subscribed(channel);
    subscriptions.subscribed(clientId, channel);
  };
  const remove = (channel: string, clientId: string) => {
    subscriptions.unsubscribed(clientId, channel);
    toldBefore.ends(clientId, channel);
    void store.remove(channel, clientId);
  };
  const unsubscribed = (clientId: string, channel: string) => {
    if (isOwnChannel(channel)) return;
    ownChannels?.unsubscribed(clientId, channel);
    relay?.unsubscribed(channel);
    if (!hasPresence(channel)) return;
    // With an engine of Faye's own, another server may have recorded the subscription.
    if (clustered && store.idOf(channel, clientId) === undefined)
      line?.send("unsubscribe", { channel, clientId });
    else remove(channel, clientId);
  };
  line?.listen("unsubscribe", ({ channel, clientId }) => {
    if (clustered && typeof clientId === "string") remove(channel, clientId);
  });
  const doorkeeper = node && doorkeeperFor(node, settings, publisher, store);
  const left = (clientId: string) => {
    homes?.delete(clientId);
    doorkeeper?.left(clientId);
  };
  if (doorkeeper !== undefined) server.addExtension(doorkeeper.outgoing);
  server.addExtension(outgoing);
  const removeIncoming = addLast(server, doorkeeper?.before(incoming) ?? incoming);
  const admitAll = node && refuseWhileStarting(server, () => isStarting(node));
  server.on("handshake", shookHands);
  server.on("close", left);
  server.on("subscribe", subscribed);
  server.on("unsubscribe", unsubscribed);

  let closed = false;
  return {
    async list<Value>(channel: string) {
      checkString("channel", channel);
      return Object.fromEntries(await store.values(channel)) as Record<string, Value>;
    },
    close() {
      if (closed) return;
      closed = true;
      unlisten?.();
      server.removeListener("subscribe", subscribed);
      server.removeListener("unsubscribe", unsubscribed);
      server.removeListener("handshake", shookHands);
      server.removeListener("close", left);
      admitAll?.();
      removeIncoming();
      server.removeExtension(outgoing);
      if (doorkeeper !== undefined) server.removeExtension(doorkeeper.outgoing);
      doorkeeper?.close();
      store.close();
      relay?.close();
      homes?.close();
      line?.close();
      publisher.close();
    },
  };
}

/** Undefined where everybody may do everything, and each address have as many clients as it likes. */
function doorkeeperFor(
  node: PresentlyNode,
  settings: Settings,
  publisher: Publisher,
  store: PresenceStore,
): Doorkeeper | undefined {
  const { limits, notice: onNotice } = settings;
  const gate = openGateIfAsked(node, { protocol: "faye", limits, onNotice });
  if (gate === undefined) return undefined;
  return new Doorkeeper({
    gate,
    settings,
    addressOf: (request) => node.addressOf(request),
    dismiss: (clientId) => {
      store.sendAway(clientId);
      publisher.dismiss(clientId);
    },
  });
}

function nodeStore(
  node: PresentlyNode,
  { values, names, channelRe }: Settings,
  announcer: Announcer,
): PresenceStore {
  return new NodeStore({
    node,
    names,
    shape: values,
    hasPresence: (channel) => matches(channelRe, channel),
    onEvents: (channel, events) => announcer.changed(channel, events),
  });
}

/** An engine tells only the server that asked it; the others are told by us. */
function engineStore(
  engine: PresenceEngine,
  { values, notice }: Settings,
  announcer: Announcer,
  line: ClusterLine | undefined,
): PresenceStore {
  const onEvent = (channel: string, event: PresenceEvent) => {
    announcer.tell(channel, event);
    if (isPublishable(channel)) line?.send("event", { channel, ...event });
  };
  const store = new EngineStore({ engine, shape: values, onEvent, notice });
  line?.listen("event", (body) => {
    const event = readEvent(body);
    if (event === undefined) return;
    store.told(body.channel, event);
    announcer.tell(body.channel, event);
  });
  return store;
}

function readEvent({ type, entries }: Body): PresenceEvent | undefined {
  if ((type !== "subscribe" && type !== "unsubscribe") || !Array.isArray(entries)) return undefined;
  if (!entries.every((entry) => Array.isArray(entry) && typeof entry[0] === "string")) return undefined;
  return { type, entries };
}

/** What back ends say on a topic, each server publishes to its own clients. */
function listenForMessages(
  node: PresentlyNode,
  { names }: Settings,
  publish: (channel: string, data: unknown) => void,
): () => void {
  return onTopicMessage(node, names, (channel, { event, data }) => {
    if (isPublishable(channel)) publish(channel, { event, data });
  });
}

function relayFor(
  node: PresentlyNode,
  line: ClusterLine,
  { broadcast, notice }: Settings,
  publish: (channel: string, data: unknown, ext: unknown) => void,
): Relay | undefined {
  if (broadcast === false) return undefined;
  const includes = (channel: string) => broadcast === true || matches(broadcast, channel);
  const starting = () => isStarting(node);
  return new Relay({ line, starting, whenReady: () => node.whenReady(), includes, publish, notice });
}
