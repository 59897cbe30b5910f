/** Room listings at two nodes, as the match-maker of Colyseus uses them; and how processes of one machine meet. */
import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MatchMakerDriver } from "@colyseus/core";
import { PresentlyDriver, PresentlyPresence } from "@presently/colyseus";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "presently-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

const open: PresentlyPresence[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((presence) => presence.shutdown()));
});

/** Presences that find each other. */
async function local(name: string, count: number): Promise<PresentlyPresence[]> {
  const presences = Array.from({ length: count }, () =>
    PresentlyPresence.local({ folder, name, processes: count }),
  );
  open.push(...presences);
  await Promise.all(presences.map((presence) => presence.whenReady()));
  return presences;
}

async function drivers(): Promise<[PresentlyDriver & MatchMakerDriver, PresentlyDriver & MatchMakerDriver]> {
  const [one, other] = await local(expect.getState().currentTestName!, 2);
  return [new PresentlyDriver(one!), new PresentlyDriver(other!)];
}

const idsOf = (rooms: readonly { readonly roomId: string }[]) => rooms.map(({ roomId }) => roomId);

describe("a driver", () => {
  test("lists a room at every process before any message that is published afterwards, with all that it was given", async () => {
    const [one, other] = await local(expect.getState().currentTestName!, 2);
    const here = new PresentlyDriver(one!);
    const there = new PresentlyDriver(other!);
    const told = new Promise((resolve) => void other!.subscribe("listed", resolve));
    await other!.subscribe("listed", () => undefined);
    const room = here.createInstance({
      roomId: "r",
      name: "game",
      processId: "p",
      mode: "duel",
      metadata: { level: 3 },
    });
    expect(await there.has("r")).toBe(false);
    await room.save();
    await one!.publish("listed", "r");
    await told;
    expect(await there.has("r")).toBe(true);
    const found = await there.findOne({ roomId: "r" });
    expect({ ...found }).toEqual({ ...room });
    expect([found.maxClients, found.createdAt]).toEqual([Number.POSITIVE_INFINITY, room.createdAt]);
    expect(idsOf(await there.query({ name: "game", mode: "duel", level: 3 }))).toEqual(["r"]);
    expect(await there.query({ name: "other" })).toEqual([]);
    expect(await there.findOne({ name: "other" })).toBeUndefined();
    await room.updateOne({ $set: { locked: true }, $inc: { clients: 2 } });
    await eventually(async () =>
      expect(await there.findOne({ roomId: "r" })).toMatchObject({ locked: true, clients: 2 }),
    );
    await room.remove();
    await eventually(async () => expect(await there.findOne({ roomId: "r" })).toBeUndefined());
    await room.save();
    expect(await here.has("r")).toBe(false);
  });

  test("answers in one order everywhere: as asked, else by creation", async () => {
    const [here, there] = await drivers();
    for (const [index, clients] of [3, 1, 2, 1].entries())
      await here
        .createInstance({ roomId: `r${index}`, name: "game", clients, createdAt: new Date(index) })
        .save();
    await eventually(async () => expect(await there.query({})).toHaveLength(4));
    for (const driver of [here, there]) {
      expect(idsOf(await driver.query({}))).toEqual(["r0", "r1", "r2", "r3"]);
      expect(idsOf(await driver.query({}, { clients: 1 }))).toEqual(["r1", "r3", "r2", "r0"]);
      expect(idsOf(await driver.query({}, { clients: "desc" }))).toEqual(["r0", "r2", "r1", "r3"]);
      expect((await driver.findOne({ name: "game" }, { clients: -1 })).roomId).toBe("r0");
      expect((await driver.findOne({ clients: 1 })).roomId).toBe("r1");
    }
  });

  test("lists a room again that others have removed while its process lives, and not one that it removed itself", async () => {
    const [here, there] = await drivers();
    await here.createInstance({ roomId: "r1", processId: "p" }).save();
    await here.createInstance({ roomId: "r2", processId: "p" }).save();
    await eventually(async () => expect(await there.query({})).toHaveLength(2));
    await there.cleanup("p");
    expect([await there.query({}), idsOf(await here.query({}))]).toEqual([[], ["r1", "r2"]]);
    await eventually(async () => expect(idsOf(await there.query({}))).toEqual(["r1", "r2"]));
    await here.cleanup("p");
    await eventually(async () => expect([await here.query({}), await there.query({})]).toEqual([[], []]));
  });

  test("has the methods of later versions", async () => {
    const [here, there] = await drivers();
    const room = here.createInstance({ roomId: "r", processId: "p", clients: 0 });
    expect(await here.update(room, { $inc: { clients: 1 } })).toBe(false);
    expect(await here.persist(room, true)).toBe(true);
    expect(await here.update(room, { $inc: { clients: 1 } })).toBe(true);
    await eventually(async () => expect((await there.findOne({ roomId: "r" }))?.clients).toBe(2));
    expect(await here.remove("r")).toBe(true);
    await eventually(async () => expect(await there.has("r")).toBe(false));
    const inserts = await Promise.all(
      [here, there, here, there].map((driver) => driver.insert(driver.createInstance({ roomId: "new" }))),
    );
    expect(inserts.filter(Boolean)).toHaveLength(1);
    expect(await there.insert(there.createInstance({ roomId: "new" }))).toBe(false);
    await eventually(async () => expect(await there.has("new")).toBe(true));
    expect([...(await there.findByIds(["new", "none"])).keys()]).toEqual(["new"]);
    await (inserts[0] || inserts[2] ? here : there).remove("new");
    await eventually(async () =>
      expect(await there.insert(there.createInstance({ roomId: "new" }))).toBe(true),
    );
    expect(await there.remove("new")).toBe(true);
    await here.createInstance({ roomId: "r3" }).save();
    await here.clear();
    await eventually(async () => expect(await there.query({})).toEqual([]));
  });

  test("sorts and filters by metadata where the room itself has no such field, as the LocalDriver does", async () => {
    const [here] = await drivers();
    const made = [
      { roomId: "r0", metadata: { skill: 9, clients: 1 }, clients: 5 },
      { roomId: "r1", metadata: { skill: 5, mode: "duel" }, clients: 3 },
      { roomId: "r2", metadata: { skill: 7, mode: null }, clients: 4, mode: "duel" },
    ];
    for (const [index, room] of made.entries())
      await here.persist(here.createInstance({ name: "game", createdAt: new Date(index), ...room }), true);
    expect(idsOf(await here.query({}, { skill: 1 }))).toEqual(["r1", "r2", "r0"]);
    expect(idsOf(await here.query({}, { skill: "desc" }))).toEqual(["r0", "r2", "r1"]);
    expect((await here.findOne({ name: "game" }, { skill: -1, clients: 1 })).roomId).toBe("r0");
    expect(idsOf(await here.query({ mode: "duel" }))).toEqual(["r1", "r2"]);
    expect(idsOf(await here.query({ clients: 1 }))).toEqual([]);
    expect(idsOf(await here.query({ skill: "9" }))).toEqual([]);
    expect(idsOf(await here.query({ missing: undefined }))).toEqual([]);
  });

  test("gives copies: whoever changes a result changes nothing else", async () => {
    const [here] = await drivers();
    await here.createInstance({ roomId: "r", name: "game", metadata: { deep: { list: [1] } } }).save();
    const results = [
      (await here.query({ name: "game" }))[0]!,
      await here.findOne({ roomId: "r" }),
      (await here.findByIds(["r"])).get("r")!,
    ];
    const { createdAt } = results[0]!;
    for (const result of results) {
      result.metadata.deep.list.push(2);
      result.createdAt.setTime(0);
    }
    const again = await here.findOne({ name: "game" });
    expect(again.metadata).toEqual({ deep: { list: [1] } });
    expect(again.createdAt.getTime()).toBeGreaterThan(0);
    expect(createdAt.getTime()).toBe(0);
  });

  test("answers the same question again from what it found, until a listing changes", async () => {
    const [here] = await drivers();
    const room = here.createInstance({ roomId: "r", name: "game", clients: 0 });
    await room.save();
    const question = { name: "game", clients: 0 };
    expect(idsOf(await here.query(question))).toEqual(["r"]);
    await room.updateOne({ $inc: { clients: 1 } });
    expect(await here.query(question)).toEqual([]);
    await room.updateOne({ $set: { clients: 0, name: "other" } });
    expect([await here.query(question), idsOf(await here.query({ ...question, name: "other" }))]).toEqual([
      [],
      ["r"],
    ]);
    await room.remove();
    expect(await here.query({ name: "other" })).toEqual([]);
  });

  test("lists what fits of a room whose metadata do not, and tells of those", async () => {
    const errors: unknown[] = [];
    const presence = new PresentlyPresence(undefined, {
      keyspace: { valueBytesMax: 1_000 },
      onError: (error) => errors.push(error),
    });
    open.push(presence);
    const driver = new PresentlyDriver(presence);
    const room = driver.createInstance({ roomId: "r", name: "game", metadata: { map: "small" } });
    await room.save();
    room.metadata = { map: "x".repeat(2_000) };
    await expect(room.save()).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    await room.updateOne({ $set: { locked: true } });
    expect(await driver.findOne({ roomId: "r" })).toMatchObject({ locked: true, metadata: { map: "small" } });
    await expect(driver.update(room, { $set: { metadata: room.metadata } })).rejects.toMatchObject({
      code: "LIMIT_REACHED",
    });
    expect(errors).toHaveLength(3);
  });

  test("can be cleared, like others, after its presence was shut down", async () => {
    const presence = new PresentlyPresence();
    const driver = new PresentlyDriver(presence);
    await presence.shutdown();
    await driver.clear();
  });

  test("loses the rooms of a process that has stopped", async () => {
    const [one, other] = (await local("stops", 2)) as [PresentlyPresence, PresentlyPresence];
    const driver = new PresentlyDriver(other);
    await new PresentlyDriver(one).createInstance({ roomId: "r", processId: "p" }).save();
    await one.hset("roomcount", "p", "1,0");
    await one.hset("scores", "anna", "10");
    await eventually(async () =>
      expect([await driver.has("r"), await other.hgetall("scores")]).toEqual([true, { anna: "10" }]),
    );
    await one.shutdown();
    expect([await driver.has("r"), await other.hgetall("roomcount"), await other.hgetall("scores")]).toEqual([
      false,
      {},
      { anna: "10" },
    ]);
  });
});

describe("processes of one machine", () => {
  test("find those of the same name, and only those", async () => {
    const [[a, b, c], [other]] = await Promise.all([local("game", 3), local("another game", 1)]);
    await a!.set("key", "value");
    await eventually(async () =>
      expect([await b!.get("key"), await c!.get("key")]).toEqual(["value", "value"]),
    );
    expect(await other!.get("key")).toBeNull();
  });

  test("share a secret that nobody else can read, and leave no address behind", async () => {
    const [presence] = await local("secret", 1);
    const places = await readdir(folder, { recursive: true });
    const secrets = places.filter((path) => path.endsWith("secret"));
    for (const path of secrets) expect((await stat(join(folder, path))).mode & 0o777).toBe(0o600);
    expect(secrets.length).toBeGreaterThan(0);
    await presence!.shutdown();
    await Promise.all(open.splice(0).map((presence) => presence.shutdown()));
    expect((await readdir(folder, { recursive: true })).filter((path) => /json|draft/.test(path))).toEqual(
      [],
    );
  });

  test("refuse a folder that others can enter, or that is none", async () => {
    const errors: unknown[] = [];
    const refused = async (parent: string) => {
      const presence = PresentlyPresence.local({ folder: parent, onError: (error) => errors.push(error) });
      await expect(presence.get("key")).rejects.toMatchObject({ code: "UNSAFE_RENDEZVOUS" });
      await presence.shutdown();
    };
    const shared = await mkdtemp(join(folder, "shared-"));
    await chmod(shared, 0o755);
    await refused(shared);
    const linked = join(folder, "linked");
    await symlink(folder, linked);
    await refused(linked);
    expect(errors).toHaveLength(2);
  });

  test("are not held up by what a dead process left behind, or by rubbish", async () => {
    const [first] = await local("rubbish", 1);
    const place = (await readdir(folder, { recursive: true })).find((path) => path.endsWith(".json"))!;
    const here = join(folder, place, "..");
    await writeFile(join(here, "dead.json"), '{"pid":2147483646,"port":1}');
    await writeFile(join(here, "rubbish.json"), "{");
    const [second] = await local("rubbish", 1);
    await first!.set("key", "value");
    await eventually(async () => expect(await second!.get("key")).toBe("value"));
    expect(await readdir(here)).not.toContain("dead.json");
  });
});
