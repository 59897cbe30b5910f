/** Rooms of `@presently/client`: real nodes, real sockets. */
import type { Meta, Room, RoomStatus } from "@presently/client";
import { LongPoll } from "phoenix";
import type { PresentlyNode } from "presently";
import { afterEach, expect, test, vi } from "vitest";
import { BreakableWebSocket, ClientWorld, portOf, socketUrl } from "../helpers/client-world.ts";
import { eventually } from "../helpers/eventually.ts";
import { Wire } from "../helpers/wire.ts";

vi.setConfig({ testTimeout: 60_000 });

const world = new ClientWorld();
afterEach(() => world.end());

interface Profile {
  readonly name: string;
  readonly status?: string;
}

const keysOf = <M extends Meta>(room: Room<M>) => room.people.map(({ key }) => key).sort();

/** Settles when the room becomes this, from now on. */
function becoming<M extends Meta>(room: Room<M>, wanted: RoomStatus): Promise<void> {
  return new Promise((resolve) => {
    const off = room.on("status", (status) => {
      if (status !== wanted) return;
      off();
      resolve();
    });
  });
}

/** Breaks the connections with a node, and settles when the room knows. */
async function broken<M extends Meta>(room: Room<M>, node: PresentlyNode): Promise<void> {
  const known = becoming(room, "rejoining");
  BreakableWebSocket.breakAll(socketUrl(node));
  await known;
}

/** What a room tells, in words. */
function toldBy(room: Room<Profile>): string[] {
  const told: string[] = [];
  room.on("join", ({ key }) => void told.push(`join ${key}`));
  room.on("leave", ({ key }) => void told.push(`leave ${key}`));
  room.on(
    "update",
    ({ key, meta }, previous) =>
      void told.push(`update ${key}: ${JSON.stringify(previous.meta)} -> ${JSON.stringify(meta)}`),
  );
  return told;
}

test("people on two nodes see each other come, change and go, and a change is neither a leave nor a join", async () => {
  const [a, b] = [await world.start({ name: "a" }), await world.start({ name: "b" })];
  const alice = world.client(a, { key: "alice" }).join<Profile>("room:1", {
    meta: { name: "Alice" },
    leaveDelayMs: 0,
  });
  await alice.whenJoined();
  const told = toldBy(alice);
  expect(alice.self).toMatchObject({ key: "alice", metas: [{ name: "Alice" }] });
  expect(alice.self!.sinceMs).toBeGreaterThan(1_600_000_000_000);
  const bob = world.client(b, { key: "bob" }).join<Profile>("room:1", { meta: { name: "Bob" } });
  await bob.whenJoined();
  await eventually(() =>
    expect([alice, bob].map(keysOf)).toEqual([
      ["alice", "bob"],
      ["alice", "bob"],
    ]),
  );
  expect(await bob.update((previous) => ({ ...previous, status: "away" }))).toBe(true);
  await eventually(() => expect(told).toHaveLength(2));
  await bob.leave();
  await eventually(() =>
    expect(told).toEqual([
      "join bob",
      'update bob: {"name":"Bob"} -> {"name":"Bob","status":"away"}',
      "leave bob",
    ]),
  );
  expect([bob.status, bob.self?.key, alice.status]).toEqual(["left", "bob", "joined"]);
});

test("the snapshot is the same object until something is different, and so are people who did not change", async () => {
  const node = await world.start();
  const alice = world.client(node, { key: "alice" }).join("room:1", { meta: { name: "Alice" } });
  await alice.whenJoined();
  const before = alice.snapshot;
  expect(alice.snapshot).toBe(before);
  const bob = world.client(node, { key: "bob" }).join("room:1");
  await bob.whenJoined();
  await eventually(() => expect(keysOf(alice)).toEqual(["alice", "bob"]));
  expect(alice.snapshot).not.toBe(before);
  expect(alice.self).toBe(before.self);
  expect(Object.isFrozen(alice.people)).toBe(true);
});

test("several tabs of one person are one person, and closing one of them is no leave", async () => {
  const node = await world.start();
  const watcher = world.client(node, { key: "bob" }).join<Profile>("room:1", { leaveDelayMs: 0 });
  await watcher.whenJoined();
  const told = toldBy(watcher);
  const tabs = [1, 2].map(() => world.client(node, { key: "alice" }));
  const rooms = tabs.map((tab, index) => tab.join<Profile>("room:1", { meta: { name: `tab ${index}` } }));
  await Promise.all(rooms.map((room) => room.whenJoined()));
  await eventually(() => expect(watcher.people[1]?.metas).toHaveLength(2));
  await tabs[0]!.close();
  await eventually(() => expect(watcher.people[1]?.metas).toEqual([{ name: "tab 1" }]));
  expect(told.filter((line) => !line.startsWith("update"))).toEqual(["join alice"]);
});

test("a short reconnect shows to nobody: neither to others nor to oneself", async () => {
  const [a, b] = [await world.start({ name: "a" }), await world.start({ name: "b" })];
  const alice = world.client(a, { key: "alice" }).join<Profile>("room:1", {
    meta: { name: "Alice" },
    leaveDelayMs: 30_000,
  });
  const bob = world.client(b, { key: "bob" }).join<Profile>("room:1", { leaveDelayMs: 30_000 });
  await eventually(() =>
    expect([alice, bob].map(keysOf)).toEqual([
      ["alice", "bob"],
      ["alice", "bob"],
    ]),
  );
  const told = [toldBy(alice), toldBy(bob)];
  const people = [alice.people, bob.people];
  const refs = () => b.list("room:1").map(({ ref }) => ref);
  const before = refs();
  const statuses: string[] = [];
  alice.on("status", (status) => void statuses.push(status));
  for (const times of [1, 2]) {
    BreakableWebSocket.breakAll(socketUrl(a));
    await eventually(() => {
      expect(statuses).toEqual(Array.from({ length: times }, () => ["rejoining", "joined"]).flat());
      expect(refs()).toHaveLength(2);
    });
  }
  // Both saw the other connection, and took it for the one of before.
  expect(refs()).not.toEqual(before);
  await bob.update({ name: "Bob" });
  await eventually(() =>
    expect(told).toEqual([['update bob: {} -> {"name":"Bob"}'], ['update bob: {} -> {"name":"Bob"}']]),
  );
  expect([alice.people[0], bob.people.find(({ key }) => key === "alice")]).toEqual(
    people.map((list) => list.find(({ key }) => key === "alice")),
  );
});

test("after a restart of the server the room is joined again, with the newest that was said", async () => {
  const first = await world.start();
  const room = world.client(first, { key: "alice" }).join<Profile>("room:1", { meta: { name: "Alice" } });
  await room.whenJoined();
  await room.update({ name: "Alice", status: "busy" });
  const told = toldBy(room);
  const port = portOf(first);
  await world.stop(first);
  await eventually(() => expect(room.status).toBe("rejoining"));
  expect(keysOf(room)).toEqual(["alice"]);
  const confirmed = room.update({ name: "Alice", status: "back soon" });
  const second = await world.start({ port });
  expect(await confirmed).toBe(true);
  await eventually(() => expect(room.status).toBe("joined"));
  expect(second.list("room:1").map(({ meta }) => meta)).toMatchObject([{ status: "back soon" }]);
  await eventually(() =>
    expect(told).toEqual([
      'update alice: {"name":"Alice","status":"busy"} -> {"name":"Alice","status":"back soon"}',
    ]),
  );
});

test("of many updates at once the last one counts, and few are sent", async () => {
  const node = await world.start();
  const room = world.client(node, { key: "alice" }).join<{ n: number }>("room:1", { meta: { n: 0 } });
  const seen: number[] = [];
  node.watch("room:1", (change) => {
    if (change.type === "diff") seen.push(...change.updates.map(({ after }) => after.meta.n as number));
  });
  const answers = [];
  await room.whenJoined();
  for (let n = 1; n <= 200; n++) answers.push(room.update({ n }));
  expect(room.meta).toEqual({ n: 200 });
  expect(new Set(await Promise.all(answers))).toEqual(new Set([true]));
  expect(node.list("room:1")[0]!.meta.n).toBe(200);
  await eventually(() => expect(room.self?.meta).toEqual({ n: 200 }));
  expect(seen).toEqual([1, 200]);
});

test("what is said in the same breath as the join is said with it", async () => {
  const node = await world.start();
  const client = world.client(node, { key: "alice" });
  await client.join("room:0").whenJoined();
  const said: unknown[] = [];
  node.watch("room:1", (change) => {
    if (change.type === "diff")
      said.push(
        change.joins.map(({ meta }) => meta.n),
        change.updates.length,
      );
  });
  const room = client.join<{ n: number }>("room:1", { meta: { n: 1 } });
  expect(await room.update({ n: 2 })).toBe(true);
  expect(said).toEqual([[2], 0]);
});

test("what cannot be said is refused by its code, and what was said before holds, also after a reconnect", async () => {
  const node = await world.start();
  const room = world.client(node, { key: "alice" }).join<Profile>("room:1", { meta: { name: "Alice" } });
  await room.whenJoined();
  const errors: string[] = [];
  room.on("error", ({ code }) => void errors.push(code));
  const large = { name: "x".repeat(9_000) };
  await expect(room.update(large)).rejects.toMatchObject({ code: "UPDATE_REFUSED", topic: "room:1" });
  expect(room.meta).toEqual({ name: "Alice" });
  await broken(room, node);
  await expect(room.update(large)).rejects.toMatchObject({ code: "UPDATE_REFUSED" });
  await eventually(() => expect(room.status).toBe("joined"));
  expect(room.meta).toEqual({ name: "Alice" });
  expect(errors).toEqual(["UPDATE_REFUSED", "UPDATE_REFUSED"]);
});

test("a join that is refused says why, is not tried again, and may be tried anew", async () => {
  const node = await world.start();
  const client = world.client(node, { key: "alice" });
  const refused = client.join("room:1", { meta: { text: "x".repeat(9_000) } });
  await expect(refused.whenJoined()).rejects.toMatchObject({
    code: "JOIN_REFUSED",
    temporary: false,
    reason: expect.stringContaining("metaBytesMax"),
  });
  expect([refused.status, refused.snapshot.error?.code, client.topics]).toEqual([
    "refused",
    "JOIN_REFUSED",
    [],
  ]);
  await client.join("room:1").whenJoined();
});

test("messages reach the others in order, with the key of their sender, and wait while the room is not joined", async () => {
  const [a, b] = [await world.start({ name: "a" }), await world.start({ name: "b" })];
  const alice = world.client(a, { key: "alice", pendingMax: 3 }).join("room:1");
  const bob = world.client(b, { key: "bob" }).join("room:1");
  const heard: unknown[] = [];
  for (const room of [alice, bob])
    room.onMessage<number>("n", (payload, key) => void heard.push([room.self?.key, payload, key]));
  await eventually(() =>
    expect([alice, bob].map(keysOf)).toEqual([
      ["alice", "bob"],
      ["alice", "bob"],
    ]),
  );
  await Promise.all([1, 2].map((n) => alice.broadcast("n", n)));
  await broken(alice, a);
  const waiting = [3, 4, 5].map((n) => alice.broadcast("n", n));
  await expect(alice.broadcast("n", 6)).rejects.toMatchObject({ code: "LIMIT_REACHED" });
  await Promise.all(waiting);
  await eventually(() => expect(heard).toEqual([1, 2, 3, 4, 5].map((n) => ["bob", n, "alice"])));
  // The server would close the connection for it, and again for each try.
  for (const large of ["x".repeat(60_000), "\u20ac".repeat(20_000)]) {
    await expect(alice.broadcast("n", large)).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    await expect(alice.update({ large })).rejects.toMatchObject({ code: "LIMIT_REACHED" });
  }
});

test("leaving settles when the server knows of it, and not before", async () => {
  const node = await world.start();
  const wire = await Wire.to(portOf(node));
  try {
    const client = world.clientOf(`ws://127.0.0.1:${wire.port}/socket`, { key: "alice" });
    const room = await client.join("room:1").whenJoined();
    const cutOff = await client.join("room:2").whenJoined();
    let left = 0;
    wire.hold("up");
    const leaving = room.leave().then(() => void left++);
    // Whatever the client does by itself, it has done by the time of an answer of somebody else.
    await world.client(node, { key: "bob" }).join("room:1").whenJoined();
    expect([left, node.get("room:1", "alice").length, room.status]).toEqual([0, 1, "left"]);
    wire.release("up");
    await leaving;
    expect(node.get("room:1", "alice")).toEqual([]);
    // The server learns of this one by the end of the connection.
    wire.hold("up");
    const cut = cutOff.leave();
    expect(cutOff.leave()).toBe(cut);
    BreakableWebSocket.breakAll(`ws://127.0.0.1:${wire.port}`);
    await cut;
  } finally {
    await world.end();
    await wire.close();
  }
});

test("what waits for a room that is left is told so, and nothing is sent any more", async () => {
  const node = await world.start();
  const room = world.client(node, { key: "alice" }).join("room:1");
  const waiting = expect(room.broadcast("n", 1)).rejects.toMatchObject({ code: "CLOSED" });
  const update = room.update({ a: 1 });
  const joined = expect(room.whenJoined()).rejects.toMatchObject({ code: "CLOSED" });
  await room.leave();
  await Promise.all([waiting, joined]);
  expect(await update).toBe(false);
  expect(await room.update({ a: 2 })).toBe(false);
  await expect(room.broadcast("n", 1)).rejects.toMatchObject({ code: "CLOSED" });
});

test("a client joins a room once, and as many as it may", async () => {
  const node = await world.start();
  const client = world.client(node, { key: "alice", roomsMax: 2 });
  const first = client.join("room:1");
  client.join("room:2");
  expect(client.room("room:1")).toBe(first);
  expect(() => client.join("room:1")).toThrow(expect.objectContaining({ code: "ALREADY_JOINED" }));
  expect(() => client.join("room:3")).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
  await first.leave();
  await client.join("room:1").whenJoined();
  await eventually(() => expect(node.list("room:1")).toHaveLength(1));
});

test("it is the same over long-polling", async () => {
  const node = await world.start();
  const alice = world.client(node, { key: "alice", transport: LongPoll }).join<Profile>("room:1");
  const bob = world.client(node, { key: "bob" }).join<Profile>("room:1");
  await eventually(() =>
    expect([alice, bob].map(keysOf)).toEqual([
      ["alice", "bob"],
      ["alice", "bob"],
    ]),
  );
  expect(await alice.update({ name: "Alice" })).toBe(true);
  await eventually(() => expect(bob.people.map(({ meta }) => meta)).toContainEqual({ name: "Alice" }));
});
