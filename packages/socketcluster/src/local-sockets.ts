/**
 * The records of the sockets of this server. What is kept is made to follow what the socket itself says, at every event that
 * could have changed it: events of different streams come in any order, and none of them is believed.
 */
import type { PresentlyNode, Session } from "presently";
import type { Settings } from "./options.ts";
import {
  channelKey,
  metaOfSubscription,
  nodesTopic,
  recordOf,
  type SocketRecord,
  socketsKey,
  socketsTopic,
  type UserId,
} from "./records.ts";
import type { SocketClusterServer, SocketClusterSocket } from "./server.ts";

/** Told of the records of this server's own sockets. */
export interface RecordListener {
  /** A record is there, new or changed; on the presence channel it is the one of the socket itself. */
  put(record: SocketRecord, channel: string): void;
  gone(socketId: string, channel: string): void;
}

/** What may be recorded of a socket, and under which name. */
export interface Permissions {
  mayTrack(socket: SocketClusterSocket, channel: string): boolean;
  /** Names a socket whose token does not. */
  idOf(socket: SocketClusterSocket): string | undefined;
}

interface Held {
  readonly socket: SocketClusterSocket;
  readonly session: Session;
  readonly channels: Set<string>;
  record: SocketRecord;
  token: unknown;
  /** How many messages had come when it was last looked at, and when one was found to be new, by the monotonic clock. */
  heard: number;
  heardAt: number;
}

export class LocalSockets {
  private readonly held = new Map<string, Held>();
  /** Taken out of the counts for their silence. */
  private readonly silent = new Map<string, number>();
  private readonly listeners: RecordListener[] = [];
  private own: Session | undefined;
  private subscriptionsTold = -1;
  private subscriptions = 0;
  private readonly node: PresentlyNode;
  private readonly server: SocketClusterServer;
  private readonly settings: Settings;
  private readonly permissions: Permissions | undefined;

  constructor(
    node: PresentlyNode,
    server: SocketClusterServer,
    settings: Settings,
    permissions: Permissions | undefined,
  ) {
    this.node = node;
    this.server = server;
    this.settings = settings;
    this.permissions = permissions;
  }

  /** Tells `listener` of every record from now on. */
  listen(listener: RecordListener): void {
    this.listeners.push(listener);
  }

  /** Every record of this server, as it is now. */
  *records(): Iterable<{ readonly record: SocketRecord; readonly channel: string }> {
    for (const { record, channels } of this.held.values()) {
      yield { record, channel: this.settings.scpPresenceChannel };
      for (const channel of channels) yield { record, channel };
    }
  }

  /** How many sockets of this server are recorded. */
  get size(): number {
    return this.held.size;
  }

  /** Makes the records of a socket follow what it is now. Cost: O(its channels). */
  follow(socket: SocketClusterSocket): void {
    if (this.node.stopping) return;
    const isOpen = socket.state === "open" && this.server.clients[socket.id] === socket;
    if (!isOpen) {
      this.silent.delete(socket.id);
      this.release(socket.id);
    } else if (!this.silent.has(socket.id)) {
      this.node.batch(() => this.record(socket));
    }
    this.tellSubscriptions();
  }

  /** Takes out who has been silent for too long, and takes in again who is not any more. Cost: O(sockets). */
  sweep(): void {
    if (this.node.stopping) return;
    const now = performance.now();
    for (const [id, heard] of this.silent) {
      const socket = this.server.clients[id];
      if (socket !== undefined && socket.inboundReceivedMessageCount === heard) continue;
      this.silent.delete(id);
      if (socket !== undefined) this.follow(socket);
    }
    for (const held of [...this.held.values()]) {
      const { socket } = held;
      if (socket.inboundReceivedMessageCount !== held.heard) {
        held.heard = socket.inboundReceivedMessageCount;
        held.heardAt = now;
      } else if (now - held.heardAt > this.settings.windowMs) {
        this.silent.set(socket.id, held.heard);
        this.release(socket.id);
      }
    }
    this.tellSubscriptions();
  }

  /** Takes away all records. */
  close(): void {
    this.node.batch(() => {
      for (const id of [...this.held.keys()]) this.release(id);
      this.own?.close();
    });
  }

  private record(socket: SocketClusterSocket): void {
    const held = this.held.get(socket.id) ?? this.open(socket);
    if (held === undefined) return;
    if (held.token !== socket.authToken) this.identify(held);
    const mayTrack = (channel: string) => this.permissions?.mayTrack(socket, channel) ?? true;
    const channels = new Set(socket.subscriptions().filter(mayTrack));
    for (const channel of [...held.channels]) if (!channels.has(channel)) this.unsubscribe(held, channel);
    for (const channel of channels) if (!held.channels.has(channel)) this.subscribe(held, channel);
  }

  private open(socket: SocketClusterSocket): Held | undefined {
    const record = this.recordOf(socket);
    const session = this.attempt(() => this.node.session());
    if (session === undefined) return undefined;
    const held: Held = {
      socket,
      session,
      channels: new Set(),
      record,
      token: socket.authToken,
      heard: socket.inboundReceivedMessageCount,
      heardAt: performance.now(),
    };
    this.held.set(socket.id, held);
    // An operator has removed somebody from a channel: then its socket is not to stay there unseen.
    session.onRemoved(({ topic }) => {
      const channel = this.settings.names.nameOf(topic);
      if (channel === undefined || !held.channels.has(channel)) return;
      void socket.kickOut(channel, "removed by an operator").catch((error) => this.warn(error));
    });
    this.present(held);
    return held;
  }

  /** The socket has another token: on every topic its entry moves to its new key, as one change. */
  private identify(held: Held): void {
    const before = held.record.userId;
    held.token = held.socket.authToken;
    held.record = this.recordOf(held.socket);
    const channels = [...held.channels];
    const moved = held.record.userId !== before;
    if (moved) {
      held.session.untrack(socketsTopic(this.settings), socketsKey(before));
      for (const channel of channels) this.unsubscribe(held, channel, before);
    }
    this.present(held);
    const mayTrack = (channel: string) => this.permissions?.mayTrack(held.socket, channel) ?? true;
    if (moved) for (const channel of channels.filter(mayTrack)) this.subscribe(held, channel);
    else for (const channel of channels) this.put(held, channel);
  }

  private recordOf(socket: SocketClusterSocket): SocketRecord {
    return recordOf(socket, this.settings, Date.now(), this.permissions?.idOf(socket));
  }

  private present(held: Held): void {
    const { record, session } = held;
    const meta = { ...record };
    this.attempt(() => session.track(socketsTopic(this.settings), socketsKey(record.userId), meta));
    this.put(held, this.settings.scpPresenceChannel);
  }

  private subscribe(held: Held, channel: string): void {
    if (held.channels.size >= this.settings.channelsPerSocketMax) {
      this.warn(new Error(`socket ${held.socket.id} has more than channelsPerSocketMax channels`));
      return;
    }
    held.channels.add(channel);
    this.subscriptions++;
    this.attempt(() => {
      const topic = this.topicOf(channel);
      if (topic === undefined) return;
      held.session.track(
        topic,
        channelKey(held.record.userId, this.settings),
        metaOfSubscription(held.record),
      );
    });
    this.put(held, channel);
  }

  private unsubscribe(held: Held, channel: string, userId: UserId = held.record.userId): void {
    held.channels.delete(channel);
    this.subscriptions--;
    this.attempt(() => {
      const topic = this.topicOf(channel);
      if (topic !== undefined) held.session.untrack(topic, channelKey(userId, this.settings));
    });
    for (const listener of this.listeners) listener.gone(held.socket.id, channel);
  }

  private release(socketId: string): void {
    const held = this.held.get(socketId);
    if (held === undefined) return;
    this.held.delete(socketId);
    this.subscriptions -= held.channels.size;
    held.session.close();
    for (const listener of this.listeners) {
      listener.gone(socketId, this.settings.scpPresenceChannel);
      for (const channel of held.channels) listener.gone(socketId, channel);
    }
  }

  /** The topics that say who counts are not for clients. */
  private topicOf(channel: string): string | undefined {
    const topic = this.settings.names.topicOf(channel);
    const isOurs = topic === socketsTopic(this.settings) || topic === nodesTopic(this.settings);
    return isOurs ? undefined : topic;
  }

  private tellSubscriptions(): void {
    if (this.subscriptions === this.subscriptionsTold) return;
    this.subscriptionsTold = this.subscriptions;
    this.own ??= this.attempt(() => this.node.session());
    const meta = { subscriptions: this.subscriptions };
    this.attempt(() => this.own?.track(nodesTopic(this.settings), this.node.name, meta));
  }

  private put(held: Held, channel: string): void {
    for (const listener of this.listeners) listener.put(held.record, channel);
  }

  /** A bound of the node, or a name that is no topic, must not keep the rest from being recorded. */
  private attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.warn(error);
      return undefined;
    }
  }

  private warn(error: unknown): void {
    this.server.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}
