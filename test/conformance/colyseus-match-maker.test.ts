/** Colyseus' own match-maker over our presence and driver, in one process, without sockets. */
import { matchMaker, Room } from "@colyseus/core";
import { PresentlyDriver, PresentlyPresence } from "@presently/colyseus";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";

class Pair extends Room {
  override maxClients = 2;
}
class Three extends Room {
  override maxClients = 3;
}
class Four extends Room {
  override maxClients = 4;
  override async onCreate() {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
class Broken extends Room {
  override maxClients = 4;
  static created = 0;
  override onCreate() {
    if (++Broken.created % 2 === 0) throw new Error("every other one");
  }
}

let presence: PresentlyPresence;
let driver: PresentlyDriver;

beforeAll(() => {
  matchMaker.defineRoomType("pair", Pair);
  matchMaker.defineRoomType("mode", Pair).filterBy(["mode"]);
  matchMaker.defineRoomType("four", Four);
  matchMaker.defineRoomType("broken", Broken);
  matchMaker.defineRoomType("fullest", Three).sortBy({ clients: -1 });
  matchMaker.defineRoomType("emptiest", Three).sortBy({ clients: 1 });
});
beforeEach(async () => {
  presence = new PresentlyPresence();
  driver = new PresentlyDriver(presence);
  await matchMaker.setup(presence, driver);
  await matchMaker.accept();
});
afterEach(async () => {
  await matchMaker.gracefullyShutdown();
  await presence.shutdown();
  driver.shutdown();
});

const idOf = ({ room }: { readonly room: { readonly roomId: string } }) => room.roomId;

test("fills a room, locks it when it is full, and creates the next", async () => {
  const seats = [];
  for (let index = 0; index < 5; index++) seats.push(idOf(await matchMaker.joinOrCreate("pair")));
  expect(seats[1]).toBe(seats[0]);
  expect(seats[3]).toBe(seats[2]);
  expect(new Set(seats).size).toBe(3);
  const rooms = await matchMaker.query({ name: "pair" });
  expect(rooms.map(({ roomId, clients, locked }) => [roomId, clients, locked])).toEqual([
    [seats[0], 2, true],
    [seats[2], 2, true],
    [seats[4], 1, false],
  ]);
  await expect(matchMaker.joinById(seats[0]!)).rejects.toThrow("locked");
});

test("many who come at once share as few rooms as hold them", async () => {
  const seats = await Promise.all(Array.from({ length: 2 }, () => matchMaker.joinOrCreate("pair")));
  expect(new Set(seats.map(idOf)).size).toBe(1);
  const modes = await Promise.all(
    ["duel", "team", "duel", "team"].map((mode) => matchMaker.joinOrCreate("mode", { mode })),
  );
  expect(idOf(modes[0]!)).toBe(idOf(modes[2]!));
  expect(idOf(modes[1]!)).toBe(idOf(modes[3]!));
  expect(idOf(modes[0]!)).not.toBe(idOf(modes[1]!));
  // Nobody holds the gate any more.
  await eventually(async () =>
    expect([await presence.hgetall("ch:pair"), await presence.hlen("ch:mode")]).toEqual([{ "": "0" }, 2]),
  );
});

test("a storm fills its rooms: of those who wake to a full one, one at a time creates the next", async () => {
  const seats = await Promise.all(Array.from({ length: 100 }, () => matchMaker.joinOrCreate("four")));
  const players = new Map<string, number>();
  for (const seat of seats) players.set(idOf(seat), (players.get(idOf(seat)) ?? 0) + 1);
  expect([...players.values()]).toEqual(Array.from({ length: 25 }, () => 4));
});

test("a storm goes on when a room cannot be created", async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () => matchMaker.joinOrCreate("broken")),
  );
  const seats = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [idOf(outcome.value)] : []));
  const failed = outcomes.length - seats.length;
  // Each failure is that of a player who had to create a room; the others have seats.
  expect(failed).toBeLessThanOrEqual(Math.ceil(Broken.created / 2));
  expect(seats.length).toBeGreaterThanOrEqual(10);
});

test("does not find what is private or locked, and what is gone", async () => {
  const seat = await matchMaker.create("pair");
  const room = matchMaker.getLocalRoomById(idOf(seat));
  await room.setPrivate();
  await expect(matchMaker.join("pair")).rejects.toThrow("no rooms found");
  expect(idOf(await matchMaker.joinById(idOf(seat)))).toBe(idOf(seat));
  await room.setPrivate(false);
  await room.lock();
  expect(idOf(await matchMaker.joinOrCreate("pair"))).not.toBe(idOf(seat));
  await room.disconnect();
  await eventually(async () => expect(await driver.has(idOf(seat))).toBe(false));
  await expect(matchMaker.joinById(idOf(seat))).rejects.toThrow("not found");
});

test("takes the room that comes first by its own order", async () => {
  for (const name of ["fullest", "emptiest"])
    for (let index = 0; index < 2; index++) await matchMaker.createRoom(name, {});
  const full = [];
  const empty = [];
  for (let index = 0; index < 4; index++) {
    full.push(idOf(await matchMaker.join("fullest")));
    empty.push(idOf(await matchMaker.join("emptiest")));
  }
  expect(new Set(full.slice(0, 3)).size).toBe(1);
  expect(full[3]).not.toBe(full[0]);
  expect([empty[0] === empty[2], empty[1] === empty[3], empty[0] === empty[1]]).toEqual([true, true, false]);
});

test("keeps what a room says of itself, and calls it from afar", async () => {
  const seat = await matchMaker.create("pair");
  await matchMaker.remoteRoomCall(idOf(seat), "setMetadata", [{ level: 3, name: "\u{1f600}" }]);
  const [listed] = await matchMaker.query({ roomId: idOf(seat) });
  expect(listed!.metadata).toEqual({ level: 3, name: "\u{1f600}" });
  expect(await matchMaker.remoteRoomCall(idOf(seat), "maxClients")).toBe(2);
});

test("counts its processes and players, and takes itself out when it stops", async () => {
  await eventually(async () =>
    expect(await matchMaker.stats.fetchAll()).toMatchObject([{ processId: matchMaker.processId }]),
  );
  expect(await presence.channels("p:*")).toEqual([`p:${matchMaker.processId}`]);
  await matchMaker.create("pair");
  await eventually(async () => expect((await matchMaker.stats.fetchAll())[0]!.roomCount).toBe(1));
  await matchMaker.gracefullyShutdown();
  expect([
    await presence.hgetall("roomcount"),
    await driver.query({}),
    await presence.channels("p:*"),
  ]).toEqual([{}, [], []]);
  await matchMaker.setup(presence, driver);
  await matchMaker.accept();
});
