/** Presence of Socket.IO's clients; each row of the acceptance list by its number. */
import { once } from "node:events";
import { type PresenceOptions, presence } from "@presently/socket.io";
import { presenceOf } from "@presently/socket.io/client";
import type { Access } from "presently";
import type { Socket } from "socket.io";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type Client, hear, type Site, type SiteOptions, Sites } from "./socketio-sites.ts";

const sites = new Sites();
afterEach(() => sites.stop());

const byUser = { identify: (socket: Socket) => socket.handshake.auth.user as string, graceMs: 300 };
/** However long the machine takes, a client is back within the grace. */
const unhurried = { ...byUser, graceMs: 60_000 };

async function start(options: PresenceOptions = byUser, site: SiteOptions = {}): Promise<[Site, Site]> {
  const started = (await sites.start(["a", "b"], site)) as [Site, Site];
  for (const { io, node } of started) presence(io, node, options);
  return started;
}

async function connect(site: Site, user: string): Promise<{ client: Client; socket: Socket }> {
  return sites.connect(site, "/", { auth: { user }, reconnectionDelay: 10 });
}

/** What a watcher at a node is told of the people in a room. */
function told({ io }: Site, room: string): string[] {
  const all: string[] = [];
  io.presence.watch(room, (change) => {
    if (change.type === "state") all.push(...change.people.map(({ key }) => `here ${key}`));
    else all.push(...change.events.map(({ type, key }) => `${type} ${key}`));
  });
  return all;
}

describe("a room", () => {
  test("is a list that clients of all servers hold, with joins, updates and leaves as events", async () => {
    const [a, b] = await start();
    const ann = await connect(a, "ann");
    const room = presenceOf<{ mood: string }>(ann.client, "r");
    const events: string[] = [];
    room.on("join", ({ key, meta }) => events.push(`join ${key} ${meta?.mood}`));
    room.on("update", ({ key, meta }, before) =>
      events.push(`update ${key} ${before.meta?.mood} ${meta?.mood}`),
    );
    room.on("leave", ({ key }) => events.push(`leave ${key}`));
    expect(ann.socket.presence.track("r", { mood: "fine" })).toBe(true);
    await eventually(() =>
      expect(room.people).toEqual([{ key: "ann", metas: [{ mood: "fine" }], meta: { mood: "fine" } }]),
    );
    const bob = await connect(b, "bob");
    bob.socket.presence.track("r", { mood: "new" });
    await eventually(() => expect(events).toEqual(["join bob new"]));
    bob.socket.presence.update("r", (previous) => ({ ...previous, mood: "old" }));
    await eventually(() => expect(events.slice(1)).toEqual(["update bob new old"]));
    expect(b.io.presence.list("r")).toEqual([
      { key: "ann", metas: [{ mood: "fine" }] },
      { key: "bob", metas: [{ mood: "old" }] },
    ]);
    expect(a.io.presence.count("r")).toBe(2);
    expect(a.io.presence.where("bob")).toEqual(["r"]);
    bob.socket.presence.untrack("r");
    await eventually(() => expect(events.slice(2)).toEqual(["leave bob"]));
    ann.socket.presence.untrack("r");
    await eventually(() => expect(room).toMatchObject({ people: [], isSynced: false }));
  });

  test("may be followed without being in it, and looked at late", async () => {
    const [a, b] = await start();
    const { client, socket } = await connect(a, "ann");
    presenceOf(client, "another room");
    const bob = await connect(b, "bob");
    bob.socket.presence.track("r");
    socket.presence.follow("r");
    await eventually(() => expect(presenceOf(client, "r").people.map(({ key }) => key)).toEqual(["bob"]));
    expect(a.io.presence.list("r")).toHaveLength(1);
  });

  test("of a namespace is another than that of its name elsewhere", async () => {
    const [a] = await sites.start(["x"]);
    presence(a!.io.of(/^\/chat-\d$/), a!.node);
    presence(a!.io, a!.node);
    const chat = await sites.connect(a!, "/chat-1");
    chat.socket.presence.track("r", { where: "chat" });
    const main = await sites.connect(a!);
    main.socket.presence.track("r", { where: "main" });
    expect(a!.io.presence.list("r")).toEqual([{ key: main.socket.id, metas: [{ where: "main" }] }]);
    expect(a!.io.of("/chat-1").presence.list("r")).toEqual([
      { key: chat.socket.id, metas: [{ where: "chat" }] },
    ]);
    expect(a!.io.of("/chat-1").presence.where(chat.socket.id)).toEqual(["r"]);
  });

  test("is no list of the engine, and no key is empty", async () => {
    const [a] = await start({ identify: () => "" });
    const { socket } = await connect(a, "ann");
    expect(() => socket.presence.track("socket.io:sockets:default:/")).toThrow(/list of this engine/);
    expect(() => socket.presence.track("r")).toThrow(/non-empty string/);
    expect(() => presence(a.io, a.node)).toThrow(/has presence already/);
  });
});

describe("SIO36: one person is told once", () => {
  test("with several tabs at several servers, whose last two close at once", async () => {
    const [a, b] = await start();
    const heard = told(a, "r");
    const tabs = [await connect(a, "ann"), await connect(b, "ann"), await connect(b, "ann")];
    for (const { socket } of tabs) socket.presence.track("r");
    await eventually(() => expect(a.io.presence.list("r")).toEqual([{ key: "ann", metas: [{}, {}, {}] }]));
    tabs[0]!.client.disconnect();
    await eventually(() => expect(a.io.presence.list("r")[0]!.metas).toHaveLength(2));
    expect(heard.filter((event) => !event.startsWith("update"))).toEqual(["join ann"]);
    for (const { client } of tabs) client.disconnect();
    await eventually(() => expect(heard.at(-1)).toBe("leave ann"));
    expect(heard.filter((event) => !event.startsWith("update"))).toEqual(["join ann", "leave ann"]);
  });

  test("who breaks off and comes back elsewhere within the grace was never away", async () => {
    const [a, b] = await start(unhurried);
    const heard = told(a, "r");
    const before = await connect(a, "ann");
    before.socket.presence.track("r");
    before.client.io.reconnection(false);
    before.client.io.engine.close();
    await once(before.socket as never, "disconnect");
    const after = await connect(b, "ann");
    after.socket.presence.track("r", { back: true });
    await eventually(() =>
      expect(a.io.presence.list("r")).toEqual([{ key: "ann", metas: [{ back: true }] }]),
    );
    expect(heard.filter((event) => !event.startsWith("update"))).toEqual(["join ann"]);
    after.client.disconnect();
    await eventually(() => expect(heard.at(-1)).toBe("leave ann"));
  });

  test("who breaks off for good leaves after the grace", async () => {
    const [a, b] = await start();
    const heard = told(b, "r");
    const { client, socket } = await connect(a, "ann");
    socket.presence.track("r");
    await eventually(() => expect(heard).toEqual(["join ann"]));
    client.io.reconnection(false);
    client.io.engine.close();
    await eventually(() => expect(heard).toEqual(["join ann", "leave ann"]));
  });
});

test("SIO38: track after the socket has ended makes no ghost", async () => {
  const [a] = await start();
  const { client, socket } = await connect(a, "ann");
  client.disconnect();
  await once(socket as never, "disconnect");
  expect(socket.presence.track("r")).toBe(false);
  expect(socket.presence.follow("r")).toBe(false);
  expect(socket.presence.update("r", {})).toBe(false);
  expect(a.io.presence.list("r")).toEqual([]);
});

test("SIO39: users' own events of any name are untouched, and so is ours under another name", async () => {
  const [a] = await start({ event: "who" });
  const { client, socket } = await connect(a, "ann");
  const heard = hear(client, "presence");
  const ours = hear(client, "presently");
  const room = presenceOf(client, "r", { event: "who" });
  socket.presence.track("r");
  socket.emit("presence", 1);
  socket.emit("presently", 2);
  await eventually(() => expect([heard, ours, room.people.length]).toEqual([[[1]], [[2]], 1]));
});

describe("a client's own requests", () => {
  test("are refused unless they are allowed, and say why", async () => {
    const [a] = await start();
    const { client } = await connect(a, "ann");
    await expect(presenceOf(client, "r").track({})).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(presenceOf(client, "r").follow()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    expect(a.io.presence.list("r")).toEqual([]);
  });

  test("are carried out where a hook allows them, and again after a reconnect", async () => {
    const allow = vi.fn((_: Socket, action: string, room: string) => action === "track" && room === "r");
    const [a, b] = await start({ ...unhurried, allow });
    const { client } = await connect(a, "ann");
    const room = presenceOf<{ n: number }>(client, "r");
    await room.track({ n: 1 });
    await room.update({ n: 2 });
    await expect(presenceOf(client, "other").track({})).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(presenceOf(client, "r").follow()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await eventually(() => expect(room.people).toMatchObject([{ key: "ann", meta: { n: 2 } }]));
    await eventually(() => expect(b.io.presence.list("r")).toEqual([{ key: "ann", metas: [{ n: 2 }] }]));
    const heard = told(b, "r");
    client.io.engine.close();
    await eventually(() => expect(room.isSynced).toBe(false));
    await eventually(() => expect(room).toMatchObject({ isSynced: true, people: [{ meta: { n: 2 } }] }));
    expect(heard.filter((event) => !event.startsWith("update"))).toEqual(["here ann"]);
    await room.untrack();
    await expect(room.update({ n: 3 })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("ask the access of the node too", async () => {
    const access: Access = {
      authenticate: ({ protocol, token }) =>
        protocol === "socket.io" && token === "good" ? { id: "ann", claims: {} } : undefined,
      authorize: (_, action) => action.kind === "track" && action.topic === "r" && action.key === "ann",
    };
    const [a] = await start({ ...byUser, allow: () => true }, { node: { access } });
    const good = await sites.connect(a, "/", { auth: { user: "ann", token: "good" } });
    const bad = await sites.connect(a, "/", { auth: { user: "ann", token: "bad" } });
    await presenceOf(good.client, "r").track({});
    await expect(presenceOf(good.client, "s").track({})).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(presenceOf(bad.client, "r").track({})).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    // What the server itself says is not asked about.
    expect(bad.socket.presence.track("s")).toBe(true);
  });

  test("of a hostile client are answered, bounded, and cost nobody else", async () => {
    const [a] = await start({
      ...byUser,
      allow: () => true,
      limits: { roomsPerSocketMax: 2, requestsPerSecondMax: 30 },
    });
    const { client } = await connect(a, "ann");
    const ask = (...args: unknown[]) =>
      client.timeout(5_000).emitWithAck("presently", ...args) as Promise<{ code: string }>;
    for (const request of [
      [],
      [1],
      ["track"],
      ["track", 5],
      ["fly", "r"],
      ["track", "r", "meta"],
      ["track", "r", null],
      ["track", "r", []],
    ])
      expect(await ask(...request)).toMatchObject({ ok: false });
    client.emit("presently");
    client.emit("presently", "track", "r", { a: Buffer.from([1]) });
    expect(await ask("track", "socket.io:sockets:default:/")).toMatchObject({ ok: false });
    expect(await ask("track", "x".repeat(1_000))).toMatchObject({ ok: false });
    for (const room of ["r1", "r2"]) expect(await ask("follow", room)).toEqual({ ok: true });
    expect(await ask("follow", "r3")).toMatchObject({ code: "TOO_MANY" });
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask("unfollow", "r1")));
    expect(answers.filter(({ code }) => code === "TOO_MANY").length).toBeGreaterThanOrEqual(20);
    expect(client.connected).toBe(true);
    expect(a.notices).toEqual([]);
  });
});
