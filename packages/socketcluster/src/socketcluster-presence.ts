/** Presence of a SocketCluster server, over a Presently node: what `attach` gives. */
import type { PresentlyNode } from "presently";
import { checkString, handOffOnDrain, type Roster as Presences, rosterOf } from "presently/drop-in";
import { judgeActions } from "./actions.ts";
import { ClientGuard } from "./client-guard.ts";
import { openDoor } from "./door.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { LocalSockets } from "./local-sockets.ts";
import { Mirror } from "./mirror.ts";
import type { Settings, UserCountType } from "./options.ts";
import { readSocket, socketsTopic } from "./records.ts";
import { RefusedError } from "./refusal.ts";
import { channelOfRoster, countConnections, type Roster, RosterFeeds } from "./roster.ts";
import {
  consume,
  type ProcedureRequest,
  type SocketClusterServer,
  type SocketClusterSocket,
  type SocketEvent,
  type SocketEventData,
} from "./server.ts";
import { mendTables } from "./tables.ts";
import { countOf, isInCharge, UserCount } from "./user-count.ts";
import { type PresenceRow, rows, type UserMap, userMap } from "./user-map.ts";

const EVENTS: readonly SocketEvent[] = [
  "connection",
  "disconnection",
  "subscription",
  "unsubscription",
  "authenticationStateChange",
  "authentication",
  "deauthentication",
];

/** The `readyState` of a WebSocket that is open; those that are closing or closed have higher ones. */
const WEBSOCKET_OPEN = 1;

/** How long a socket may follow a roster before it must be subscribed to its channel. */
const ADMISSION_MS = 500;

/** Records the sockets of one server as presences of the cluster, and answers who is there; what `attach` gives. */
export class SocketClusterPresence {
  private readonly node: PresentlyNode;
  private readonly server: SocketClusterServer;
  private readonly settings: Settings;
  /** Who is present, by the names of channels and users. */
  private readonly presences: Presences;
  private readonly guard: ClientGuard;
  private readonly doorkeeper: Doorkeeper | undefined;
  private readonly sockets: LocalSockets;
  private readonly userCount: UserCount;
  private readonly feeds: RosterFeeds;
  private readonly mirror: Mirror | undefined;
  private readonly sweeper: NodeJS.Timeout;
  private readonly ends: (() => void)[] = [];
  /** Of each socket: the rosters that it follows, and what ends its procedures. */
  private readonly followed = new Map<string, { rosters: Set<string>; ends: (() => void)[] }>();

  constructor(node: PresentlyNode, server: SocketClusterServer, settings: Settings) {
    this.node = node;
    this.server = server;
    this.settings = settings;
    this.presences = rosterOf(node, settings.names);
    this.guard = new ClientGuard(settings);
    this.ends.push(
      handOffOnDrain(node),
      mendTables(server),
      judgeActions(server, (action) => {
        this.guard.judge(action);
        return this.doorkeeper?.judge(action);
      }),
    );
    this.doorkeeper = openDoor(node, settings, {
      onSettled: (socket) => this.follow(socket),
      onFailed: (error) => this.warn(error),
      onNotice: ({ message, error: cause }) => this.warn(new Error(message, { cause })),
    });
    this.sockets = new LocalSockets(node, server, settings, this.doorkeeper);
    this.feeds = new RosterFeeds(node, this.presences, settings, (channel, data) =>
      this.publish(channel, data),
    );
    this.userCount = new UserCount(node, settings, (count) =>
      this.publish(settings.scpUsercountChannel, count),
    );
    this.mirror = settings.mirror && this.openMirror(settings.mirror);
    for (const event of EVENTS) this.consumeEvent(event, (socket) => this.follow(socket));
    this.consumeEvent("closure", (socket) => this.doorkeeper?.left(socket));
    this.sweeper = setInterval(() => this.attempt(() => this.sockets.sweep()), server.pingInterval).unref();
    for (const socket of Object.values(server.clients)) this.follow(socket);
  }

  /** How many users, sockets or records there are in the whole cluster. Cost: O(1); of `SUBSCRIPTIONS` O(nodes). */
  count(type: UserCountType = this.settings.scpUsercountType): number {
    return countOf(type, this.node, this.settings);
  }

  /** Who is on a channel, through whichever protocol, on all nodes. Cost: O(presences on it). */
  roster(channel: string): Roster {
    checkString("channel", channel);
    return countConnections(channel, this.presences.list(channel));
  }

  /** User id → socket id → what is known of the socket, of all nodes; tokens and addresses included. Cost: O(presences). */
  userMap(): UserMap {
    return userMap(this.node, this.settings, true);
  }

  /** Every record of all nodes by the column names of sc-presence. Cost: O(presences). */
  rows(): PresenceRow[] {
    return [...rows(this.node, this.settings)];
  }

  /** Takes away the records of this server's sockets and lets go of the server; settles when a mirror is written. */
  async close(): Promise<void> {
    clearInterval(this.sweeper);
    for (const end of this.ends.splice(0)) end();
    for (const { ends } of this.followed.values()) for (const end of ends) end();
    this.followed.clear();
    this.doorkeeper?.close();
    this.feeds.close();
    this.userCount.close();
    if (!this.node.stopping) this.sockets.close();
    await this.mirror?.close();
  }

  private consumeEvent(event: SocketEvent, handle: (socket: SocketClusterSocket) => void): void {
    const stream = this.server.listener(event);
    const failed = (error: unknown) => this.warn(error);
    this.ends.push(consume<SocketEventData>(stream, ({ socket }) => handle(socket), failed));
  }

  /** Something has happened to a socket. */
  private follow(socket: SocketClusterSocket): void {
    // One whose client has gone while middleware was asked about its handshake is opened all the same, and for ever.
    if (socket.state === "open" && socket.socket.readyState > WEBSOCKET_OPEN) socket.disconnect();
    const isOpen = socket.state === "open" && this.server.clients[socket.id] === socket;
    // It comes back here when it is known what it may do.
    if (isOpen && this.doorkeeper?.isSettled(socket) === false) return;
    this.sockets.follow(socket);
    const known = this.followed.get(socket.id);
    if (isOpen) this.followRosters(socket, known?.rosters ?? this.serve(socket));
    else if (known !== undefined) {
      this.followed.delete(socket.id);
      for (const end of known.ends) end();
      for (const channel of known.rosters) this.feeds.unfollow(channel);
    }
  }

  /** Answers the procedures of a new socket. */
  private serve(socket: SocketClusterSocket): Set<string> {
    const { userMapProcedure, rosterProcedure } = this.settings;
    const rosters = new Set<string>();
    const ends: (() => void)[] = [];
    const answer = (name: string | false, work: (data: unknown) => Promise<unknown>) => {
      if (name === false) return;
      const serve = (request: ProcedureRequest) => {
        if (!this.guard.mayAsk(socket)) return request.error(new RefusedError(`${name} is asked too often`));
        work(request.data)
          .then(
            (result) => request.end(result),
            (error: Error) => request.error(error),
          )
          .catch((error: unknown) => this.warn(error));
      };
      ends.push(consume(socket.procedure(name), serve, (error) => this.warn(error)));
    };
    answer(userMapProcedure, () => this.answerUserMap(socket));
    answer(rosterProcedure, (channel) => this.answerRoster(socket, channel));
    this.followed.set(socket.id, { rosters, ends });
    return rosters;
  }

  private async answerUserMap(socket: SocketClusterSocket): Promise<UserMap> {
    if ((await this.doorkeeper?.mayInspect(socket)) === false)
      throw new RefusedError("You may not see the map of users");
    const { authorize } = this.settings;
    const whole = authorize !== undefined && (await authorize(socket, { what: "userMap" }));
    return userMap(this.node, this.settings, whole);
  }

  private async answerRoster(socket: SocketClusterSocket, channel: unknown): Promise<Roster> {
    if (typeof channel !== "string" || channel === "")
      throw new RefusedError("The roster of a channel is asked for by the channel's name");
    if (!(await this.maySee(socket, channel)))
      throw new RefusedError(`This socket may not see who is on ${channel}: subscribe to it first`);
    return this.roster(channel);
  }

  private async maySee(socket: SocketClusterSocket, channel: string): Promise<boolean> {
    if ((await this.doorkeeper?.mayWatch(socket, channel)) === false) return false;
    const { authorize } = this.settings;
    if (authorize !== undefined) return authorize(socket, { what: "roster", channel });
    return socket.isSubscribed(channel);
  }

  /** Follows the rosters whose channels the socket is subscribed to, if it may see them; else it is put out of them. */
  private followRosters(socket: SocketClusterSocket, rosters: Set<string>): void {
    const wanted = new Set<string>();
    for (const name of socket.subscriptions()) {
      const channel = channelOfRoster(name, this.settings);
      if (channel === undefined) continue;
      wanted.add(channel);
      if (!rosters.has(channel)) {
        rosters.add(channel);
        this.attempt(() => this.feeds.follow(channel));
        this.putOut(socket, name, channel);
      } else if (this.settings.authorize === undefined && !socket.isSubscribed(channel)) {
        this.putOut(socket, name, channel);
      }
    }
    for (const channel of [...rosters]) {
      if (wanted.has(channel)) continue;
      rosters.delete(channel);
      this.feeds.unfollow(channel);
    }
  }

  /** Puts the socket out of the channel of a roster that it may not see. */
  private putOut(socket: SocketClusterSocket, name: string, channel: string): void {
    const judge = async () => {
      if (!socket.isSubscribed(name) || (await this.maySee(socket, channel))) return;
      await socket.kickOut(name, `you may not see who is on ${channel}: subscribe to it first`);
    };
    // A client that comes back subscribes to both channels at once, and middleware may let the other one pass later.
    setTimeout(() => void judge().catch((error: unknown) => this.warn(error)), ADMISSION_MS).unref();
  }

  private openMirror(options: NonNullable<Settings["mirror"]>): Mirror {
    const elected = () => isInCharge(this.node, this.settings);
    const mirror = new Mirror(options, this.settings, this.sockets, elected, (error) => this.warn(error));
    const end = this.node.watch(socketsTopic(this.settings), (change) => {
      if (change.type === "state") return;
      const lost = change.leaves.filter(({ reason }) => reason === "lost" || reason === "evicted");
      mirror.forget(lost.map(({ presence }) => readSocket(presence).socketId));
    });
    this.ends.push(end);
    return mirror;
  }

  private publish(channel: string, data: unknown): void {
    this.server.exchange.transmitPublish(channel, data).catch((error: unknown) => this.warn(error));
  }

  private attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.warn(error);
    }
  }

  private warn(error: unknown): void {
    this.server.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}
