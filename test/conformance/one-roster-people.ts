/** One person for each protocol, by its own client from npm: whom they see, and what they were told, in one shape. */
import { type Channel as AnyCableChannel, type Cable as AnyCableClient, createCable } from "@anycable/core";
import { Client as GameClient, type Room } from "colyseus.js";
import { SignJWT } from "jose";
import { type Channel as PhoenixChannel, Presence, Socket } from "phoenix";
import socketcluster from "socketcluster-client";
import { WebSocket } from "ws";
import { FayeTab } from "./faye-client.ts";
import { AUTH_KEY, CABLE_ID, ROOM } from "./one-roster-sites.ts";

export interface Person {
  readonly id: string;
  /** What they were told of comings and goings since the last call: `+id`, `-id`. */
  told(): string[];
  /** Whom they see, sorted. */
  people(): string[] | Promise<string[]>;
  /** What they are shown of somebody. */
  shown(id: string): unknown;
  come(): Promise<void>;
  /** Leaves the room, by the means of the protocol. */
  leave(): unknown;
  /** Disconnects. */
  close(): unknown;
}

/** What was told, until it is taken. */
class Log {
  #lines: string[] = [];
  readonly came = (id: string) => void this.#lines.push(`+${id}`);
  readonly went = (id: string) => void this.#lines.push(`-${id}`);
  readonly take = () => this.#lines.splice(0);
}

export class PhoenixPerson implements Person {
  readonly id: string;
  readonly #log = new Log();
  readonly told = this.#log.take;
  readonly #socket: Socket;
  #channel: PhoenixChannel | undefined;
  #presence: Presence | undefined;

  constructor(id: string, port: number) {
    this.id = id;
    this.#socket = new Socket(`ws://127.0.0.1:${port}/socket`, {
      transport: WebSocket as never,
      params: { user: id },
      reconnectAfterMs: () => 20,
      rejoinAfterMs: () => 20,
    });
    this.#socket.connect();
  }

  async come(): Promise<void> {
    const channel = this.#socket.channel(ROOM.phoenix);
    this.#channel = channel;
    const presence = new Presence(channel);
    this.#presence = presence;
    presence.onJoin((key, current) => {
      if (current === undefined) this.#log.came(key!);
    });
    presence.onLeave((key, current) => {
      if (current.metas.length === 0) this.#log.went(key!);
    });
    await new Promise((resolve, reject) => {
      channel.join().receive("ok", resolve).receive("error", reject);
    });
  }

  people(): string[] {
    return ((this.#presence?.list((key) => key) ?? []) as string[]).sort();
  }

  shown(id: string): unknown {
    const metas = this.#presence?.list((key, { metas }) => (key === id ? metas : [])).flat() as object[];
    return metas.map((meta) => {
      const { phx_ref: _ref, ...said } = meta as { phx_ref: string };
      return said;
    });
  }

  leave(): void {
    this.#channel?.leave();
  }

  close(): void {
    this.#socket.disconnect();
  }
}

export class AnyCablePerson implements Person {
  readonly id: string;
  readonly #log = new Log();
  readonly told = this.#log.take;
  readonly #client: AnyCableClient;
  #channel: AnyCableChannel | undefined;

  constructor(id: string, port: number) {
    this.id = id;
    this.#client = createCable(`ws://127.0.0.1:${port}/cable`, {
      protocol: "actioncable-v1-ext-json",
      websocketImplementation: WebSocket,
      reconnectStrategy: () => 20,
      logLevel: "error",
    });
  }

  async come(): Promise<void> {
    const channel = this.#channel ?? this.#subscribe();
    this.#channel = channel;
    await channel.ensureSubscribed();
    await channel.presence.join(CABLE_ID + this.id, { by: "anycable" });
  }

  async people(): Promise<string[]> {
    return Object.keys((await this.#channel?.presence.info()) ?? {})
      .map(bare)
      .sort();
  }

  async shown(id: string): Promise<unknown> {
    return (await this.#channel?.presence.info())?.[CABLE_ID + id];
  }

  leave(): unknown {
    return this.#channel?.presence.leave();
  }

  close(): void {
    this.#client.disconnect();
  }

  #subscribe(): AnyCableChannel {
    const channel = this.#client.streamFrom(ROOM.anycable);
    channel.on("presence", (event) => {
      if (event.type === "join") this.#log.came(bare(event.id));
      else if (event.type === "leave") this.#log.went(bare(event.id));
    });
    return channel;
  }
}

/** Ids of AnyCable clients begin with something in this test, which is not there in the cluster. */
function bare(id: string): string {
  return id.startsWith(CABLE_ID) ? id.slice(CABLE_ID.length) : `not one of ours: ${id}`;
}

export class FayePerson implements Person {
  readonly id: string;
  readonly #tab: FayeTab;

  constructor(id: string, port: number) {
    this.id = id;
    this.#tab = new FayeTab(`http://127.0.0.1:${port}/bayeux`, id, { by: "faye" });
  }

  async come(): Promise<void> {
    await this.#tab.join(ROOM.faye);
  }

  told(): string[] {
    const log = new Log();
    for (const [, data] of this.#tab.events.splice(0)) {
      for (const id of Object.keys(data.subscribe ?? {})) log.came(id);
      for (const id of Object.keys(data.unsubscribe ?? {})) log.went(id);
    }
    return log.take();
  }

  people(): string[] {
    return this.#tab.ids(ROOM.faye);
  }

  shown(id: string): unknown {
    return this.#tab.rosters.get(ROOM.faye)?.get(id);
  }

  leave(): void {
    this.#tab.client.unsubscribe(ROOM.faye);
  }

  close(): void {
    this.#tab.close();
  }
}

/** What SocketCluster's roster says of a user. */
interface RosterUser {
  readonly id: string;
  readonly connections: number;
}

export class SocketClusterPerson implements Person {
  readonly id: string;
  readonly #log = new Log();
  readonly told = this.#log.take;
  readonly #client: ReturnType<typeof socketcluster.create>;
  readonly #users = new Map<string, RosterUser>();

  constructor(id: string, port: number) {
    this.id = id;
    this.#client = socketcluster.create({
      hostname: "127.0.0.1",
      port,
      authTokenName: `token of ${id}`,
      autoReconnectOptions: { initialDelay: 20, randomness: 0, maxDelay: 20 },
    });
    const changes = this.#client.channel(`_SCPRESENCE/${ROOM.socketcluster}`);
    void (async () => {
      for await (const { users } of changes as AsyncIterable<{ users: RosterUser[] }>)
        for (const user of users) this.#tell(user);
    })();
    // After every loss of the connection as well.
    void (async () => {
      for await (const _ of changes.listener("subscribe")) await this.#ask();
    })();
  }

  async come(): Promise<void> {
    const token = await new SignJWT({ user_id: this.id })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(AUTH_KEY));
    await this.#client.authenticate(token);
    await this.#client.subscribe(ROOM.socketcluster).listener("subscribe").once();
    await this.#client.subscribe(`_SCPRESENCE/${ROOM.socketcluster}`).listener("subscribe").once();
  }

  people(): string[] {
    return [...this.#users.keys()].sort();
  }

  shown(id: string): unknown {
    return this.#users.get(id);
  }

  async leave(): Promise<void> {
    await this.#client.unsubscribe(`_SCPRESENCE/${ROOM.socketcluster}`);
    await this.#client.unsubscribe(ROOM.socketcluster);
  }

  close(): void {
    this.#client.disconnect();
  }

  async #ask(): Promise<void> {
    const answer = await this.#client.invoke("roster", ROOM.socketcluster).catch((error: Error) => {
      // The connection broke meanwhile: it is asked again after the next one.
      if (error.name === "BadConnectionError") return undefined;
      throw error;
    });
    if (answer === undefined) return;
    this.#users.clear();
    for (const user of (answer as { users: RosterUser[] }).users) this.#users.set(user.id, user);
  }

  #tell(user: RosterUser): void {
    if (user.connections === 0) {
      this.#users.delete(user.id);
      this.#log.went(user.id);
    } else {
      this.#users.set(user.id, user);
      this.#log.came(user.id);
    }
  }
}

/** What the game of this test tells of somebody. */
interface GamePlayer {
  readonly id: string;
  readonly metas: readonly object[];
}

export class ColyseusPerson implements Person {
  readonly id: string;
  readonly #log = new Log();
  readonly told = this.#log.take;
  /** Where the game is. */
  port: number;
  readonly #players = new Map<string, GamePlayer>();
  #room: Room | undefined;

  constructor(id: string, port: number) {
    this.id = id;
    this.port = port;
  }

  async come(): Promise<void> {
    const room = await new GameClient(`ws://127.0.0.1:${this.port}`).joinOrCreate("game", { id: this.id });
    this.#room = room;
    room.onMessage("player", (player: GamePlayer) => this.#tell(player));
    await new Promise<void>((resolve) => {
      room.onMessage("players", (players: GamePlayer[]) => {
        this.#players.clear();
        for (const player of players) this.#players.set(player.id, player);
        resolve();
      });
      room.send("who");
    });
  }

  people(): string[] {
    return [...this.#players.keys()].sort();
  }

  shown(id: string): unknown {
    return this.#players.get(id)?.metas;
  }

  async leave(): Promise<void> {
    await this.#room?.leave();
  }

  async close(): Promise<void> {
    await this.#room?.leave();
  }

  #tell(player: GamePlayer): void {
    if (player.metas.length === 0) {
      this.#players.delete(player.id);
      this.#log.went(player.id);
    } else {
      this.#players.set(player.id, player);
      this.#log.came(player.id);
    }
  }
}
