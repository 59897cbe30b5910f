/** Real Colyseus servers and clients: three processes that share nothing but their nodes, and crash, freeze and stop. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, type Room } from "colyseus.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { freePort } from "../helpers/processes.ts";
import type { ColyseusServerOptions, Question } from "./colyseus-server.ts";

const script = fileURLToPath(new URL("./colyseus-server.ts", import.meta.url));

interface ListedRoom {
  readonly roomId: string;
  readonly processId: string;
  readonly clients: number;
}

class Server {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (answer: never) => void>();
  readonly #started: Promise<string>;
  #questions = 0;
  processId = "";

  constructor(options: ColyseusServerOptions) {
    this.port = options.port;
    this.#child = fork(script, [JSON.stringify(options)], { execArgv: ["--import", "tsx"] });
    this.#started = new Promise((resolve) => this.#answers.set(0, resolve as never));
    this.#child.on("message", ({ id, answer }: { id: number; answer: never }) => {
      this.#answers.get(id)?.(answer);
      this.#answers.delete(id);
    });
  }

  async started(): Promise<void> {
    this.processId = await Promise.race([
      this.#started,
      once(this.#child, "exit").then(([code]) =>
        Promise.reject(new Error(`ended with ${code} at its start`)),
      ),
    ]);
  }

  get client(): Client {
    return new Client(`ws://127.0.0.1:${this.port}`);
  }

  get runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async ask<T>(ask: Question["ask"]): Promise<T> {
    const id = ++this.#questions;
    const answer = new Promise<T>((resolve) => this.#answers.set(id, resolve as never));
    this.#child.send({ id, ask } satisfies Question);
    return await answer;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(name);
  }

  /** Gives the exit code. */
  async end(name: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<number | null> {
    if (!this.runs) return this.#child.exitCode;
    const ended = once(this.#child, "exit");
    this.#child.kill(name);
    return (await ended)[0];
  }
}

const servers: Server[] = [];
let folder: string;
const open: Room[] = [];

async function start(): Promise<Server> {
  const server = new Server({ port: await freePort(), name: "colyseus test", folder, processes: 3 });
  servers.push(server);
  return server;
}

/** Keeps a room to be left at the end. */
async function joined(room: Promise<Room>): Promise<Room> {
  open.push(await room);
  return await room;
}

const running = () => servers.filter(({ runs }) => runs);
const processOf = (room: Room, rooms: readonly ListedRoom[]) =>
  servers.find(({ processId }) =>
    rooms.some((listed) => listed.roomId === room.roomId && listed.processId === processId),
  )!;
const roomsAt = (server: Server) => server.ask<ListedRoom[]>("rooms");

async function echo(room: Room, message: string): Promise<string> {
  const answer = new Promise<string>((resolve) =>
    room.onMessage("echo", (reply: { message: string }) => resolve(reply.message)),
  );
  room.send("echo", message);
  return await answer;
}

/** Waits until all that run list the same rooms and the same processes, which are just these. */
async function allList(processes: readonly Server[]): Promise<void> {
  const ids = processes.map(({ processId }) => processId).sort();
  await eventually(
    async () => {
      const views = await Promise.all(
        running().map(async (server) => ({
          rooms: await roomsAt(server),
          processes: await server.ask<string[]>("processes"),
        })),
      );
      for (const view of views) {
        expect(view.processes.sort()).toEqual(ids);
        expect(view.rooms.map(({ roomId }) => roomId).sort()).toEqual(
          views[0]!.rooms.map(({ roomId }) => roomId).sort(),
        );
        for (const { processId } of view.rooms) expect(ids).toContain(processId);
      }
    },
    { what: "one view of rooms and processes" },
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "presently-test-"));
  const started = [await start(), await start(), await start()];
  await Promise.all(started.map((server) => server.started()));
  await allList(started);
});
afterAll(async () => {
  await Promise.all(open.map((room) => room.connection.isOpen && room.leave().catch(() => undefined)));
  for (const server of servers) server.signal("SIGCONT");
  await Promise.all(servers.map((server) => server.end()));
  await rm(folder, { recursive: true });
});

test("three processes find each other without configuration, and listen to each other", async () => {
  for (const server of servers)
    expect((await server.ask<string[]>("channels")).sort()).toEqual(
      servers.map(({ processId }) => `p:${processId}`).sort(),
    );
});

test("a storm of joinOrCreate at all processes creates one room for each filter", async () => {
  const modes = ["duel", "team", "royal"];
  const rooms = await Promise.all(
    Array.from({ length: 36 }, (_, index) =>
      joined(servers[index % 3]!.client.joinOrCreate("game", { mode: modes[Math.floor(index / 3) % 3] })),
    ),
  );
  expect(new Set(rooms.map(({ roomId }) => roomId)).size).toBe(3);
  await eventually(async () => {
    for (const server of servers) {
      const listed = await roomsAt(server);
      expect(listed.map(({ clients }) => clients)).toEqual([12, 12, 12]);
      expect(await server.ask("ccu")).toBe(36);
    }
  });
});

test("a storm on small rooms fills them, at all processes together", async () => {
  const rooms = await Promise.all(
    Array.from({ length: 60 }, (_, index) => joined(servers[index % 3]!.client.joinOrCreate("four"))),
  );
  const players = new Map<string, number>();
  for (const { roomId } of rooms) players.set(roomId, (players.get(roomId) ?? 0) + 1);
  for (const count of players.values()) expect(count).toBeLessThanOrEqual(4);
  // 15 hold them. A machine that is busy lets some run out of patience, who make rooms of their own: never each of them.
  expect(players.size).toBeLessThanOrEqual(30);
  await Promise.all(rooms.map((room) => room.leave()));
});

test("a seat is reserved, and a client comes back, through another process than the room's", async () => {
  const room = await joined(servers[0]!.client.create("game", { mode: "private" }));
  const home = processOf(room, await roomsAt(servers[0]!));
  const others = servers.filter((server) => server !== home);
  const joiner = await joined(others[0]!.client.joinById(room.roomId));
  expect(await echo(joiner, "from afar")).toBe("from afar");
  const { reconnectionToken, sessionId } = joiner;
  const left = new Promise((resolve) => joiner.onLeave(resolve));
  joiner.connection.close();
  await left;
  const back = await joined(others[1]!.client.reconnect(reconnectionToken));
  expect(back.sessionId).toBe(sessionId);
  expect(await echo(back, "again")).toBe("again");
});

test("a process that only stalled is back with its rooms, although others took it for dead", {
  timeout: 60_000,
}, async () => {
  const room = await joined(servers[0]!.client.create("game", { mode: "stalled" }));
  const home = processOf(room, await roomsAt(servers[0]!));
  const other = servers.find((server) => server !== home)!;
  home.signal("SIGSTOP");
  await eventually(async () => {
    expect((await roomsAt(other)).map(({ processId }) => processId)).not.toContain(home.processId);
  });
  // Match-making goes on without it.
  await joined(other.client.joinOrCreate("game", { mode: "meanwhile" }));
  home.signal("SIGCONT");
  await eventually(async () => {
    for (const server of servers)
      expect((await roomsAt(server)).map(({ roomId }) => roomId)).toContain(room.roomId);
  });
  expect(await echo(await joined(other.client.joinById(room.roomId)), "still here")).toBe("still here");
});

test("the rooms of a process that is killed vanish, and match-making goes on", {
  timeout: 60_000,
}, async () => {
  const room = await joined(servers[0]!.client.joinOrCreate("game", { mode: "doomed" }));
  const home = processOf(room, await roomsAt(servers[0]!));
  const survivors = servers.filter((server) => server !== home);
  await home.end("SIGKILL");
  await allList(survivors);
  // Lobbies are told as of a room that was disposed of.
  await eventually(async () => {
    for (const survivor of survivors) expect(await survivor.ask("lobby")).toContain(`${room.roomId},1`);
  });
  const rooms = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      joined(survivors[index % 2]!.client.joinOrCreate("game", { mode: "doomed" })),
    ),
  );
  expect(new Set(rooms.map(({ roomId }) => roomId)).size).toBe(1);
  expect(rooms[0]!.roomId).not.toBe(room.roomId);
  const again = await start();
  await again.started();
  await allList([...survivors, again]);
});

test("a process that is told to stop takes its rooms along, and ends by itself", {
  timeout: 60_000,
}, async () => {
  const [leaver, ...others] = running() as [Server, Server, Server];
  expect(await leaver.end("SIGTERM")).toBe(0);
  await allList(others);
  await joined(others[0]!.client.joinOrCreate("game", { mode: "after" }));
});

test("the workers of a cluster find each other, and draw no ticket twice", { timeout: 60_000 }, async () => {
  const workers = fileURLToPath(new URL("./colyseus-workers.ts", import.meta.url));
  const primary = fork(workers, [folder, "3"], { execArgv: ["--import", "tsx"] });
  const ended = once(primary, "exit");
  const [tickets] = (await once(primary, "message")) as [number[]];
  expect(tickets.sort((one, other) => one - other)).toEqual(
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
  primary.disconnect();
  expect((await ended)[0]).toBe(0);
});
