/** `createNode({ access })` at a SocketCluster server: who may come, be present, listen and speak, as the npm client is told. */
import type { Access, Action, Credentials, Identity } from "presently";
import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { handmadeToken, RawClient, secondsFromNow } from "../helpers/hostile.ts";
import { AUTH_KEY, type Client, hear, type Site, Sites } from "./socketcluster-cluster.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const sites = new Sites();
afterEach(() => sites.stop());

/** Knows everybody whose token the server has taken, and those without one as guests; what was asked is kept. */
class Door implements Access {
  readonly asked: Credentials[] = [];
  readonly actions: [id: string, action: Action][] = [];
  guests = true;
  expiresAtMs: number | undefined;
  may: (identity: Identity, action: Action) => boolean | Promise<boolean> = () => true;

  authenticate(credentials: Credentials): Identity | undefined {
    this.asked.push(credentials);
    const claims = credentials.params.authToken as { user_id?: string } | null;
    const id = claims?.user_id ?? (this.guests ? "guest" : undefined);
    if (id === undefined || id === "banned") return undefined;
    return { id, claims: {}, ...(this.expiresAtMs !== undefined && { expiresAtMs: this.expiresAtMs }) };
  }

  authorize(identity: Identity, action: Action): boolean | Promise<boolean> {
    this.actions.push([identity.id, action]);
    return this.may(identity, action);
  }
}

async function start(access: Access, limits = {}): Promise<Site> {
  const options = { node: { access }, presence: { limits }, server: { middlewareEmitFailures: false } };
  const [site] = await sites.start(["a"], options);
  return site!;
}

const idsOn = ({ presence }: Site, channel = "room") => presence.roster(channel).users.map(({ id }) => id);
/** The error that a subscription is refused with. */
async function refusal(connection: Client, channel: string): Promise<string> {
  const { error } = await connection.subscribe(channel).listener("subscribeFail").once();
  return `${error.name}: ${error.message}`;
}

test("whoever is let in may do what the hooks allow, and these are told who wants what", async () => {
  const door = new Door();
  const a = await start(door);
  const alice = await sites.connect(a, "alice");
  await hear(alice, "room");
  await alice.invokePublish("room", "hello");
  await eventually(() => expect(idsOn(a)).toEqual(["alice"]));
  expect(door.asked.at(-1)).toMatchObject({
    protocol: "socketcluster",
    token: expect.stringMatching(/^ey/),
    params: { authToken: { user_id: "alice" } },
    address: "127.0.0.1",
  });
  expect(door.actions).toEqual([
    ["alice", { kind: "watch", topic: "room" }],
    ["alice", { kind: "track", topic: "room", key: "alice" }],
    ["alice", { kind: "publish", topic: "room" }],
  ]);
  expect(await alice.invoke("roster", "room")).toMatchObject({ users: [{ id: "alice" }] });
  expect(Object.keys((await alice.invoke("userMap", null)) as object)).toEqual(["alice"]);
  expect(door.actions.slice(3)).toEqual([
    ["alice", { kind: "watch", topic: "room" }],
    ["alice", { kind: "inspect", what: "topics" }],
  ]);
});

test("a handshake that the hooks refuse is answered with an error, and closed with 4008", async () => {
  const door = new Door();
  door.guests = false;
  const a = await start(door);
  const url = `http://127.0.0.1:${a.port}/socketcluster/`;
  for (const token of [
    null,
    "x",
    handmadeToken({ user_id: "banned" }, AUTH_KEY),
    handmadeToken({ user_id: "alice" }, "x"),
  ]) {
    const client = await RawClient.upgrade(url);
    client.say(JSON.stringify({ event: "#handshake", data: { authToken: token }, cid: 1 }));
    await client.until(() => client.closeCode !== undefined, "the end");
    expect(client.closeCode).toBe(4_008);
    expect(client.text).toContain("PresenceRefusedError");
    client.destroy();
  }
  const alice = handmadeToken({ user_id: "alice", exp: secondsFromNow(60) }, AUTH_KEY);
  const client = await RawClient.upgrade(url);
  client.say(JSON.stringify({ event: "#handshake", data: { authToken: alice }, cid: 1 }));
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(1));
  client.destroy();
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(0));
  expect(Object.keys(a.agServer.clients)).toEqual([]);
});

test("what the hooks refuse is refused, and changes nothing", async () => {
  const door = new Door();
  const a = await start(door);
  door.may = (_identity, action) =>
    !("topic" in action && action.topic === "secret") && action.kind !== "inspect";
  const alice = await sites.connect(a, "alice");
  expect(await refusal(alice, "secret")).toBe("PresenceRefusedError: You may not subscribe to secret");
  expect(await refusal(alice, "_SCPRESENCE/secret")).toContain("PresenceRefusedError");
  await expect(alice.invokePublish("secret", 1)).rejects.toThrow("You may not publish on secret");
  await expect(alice.invoke("roster", "secret")).rejects.toThrow("may not see");
  await expect(alice.invoke("userMap", null)).rejects.toThrow("may not see");
  expect(idsOn(a, "secret")).toEqual([]);
});

test("who may listen but not be present hears everything, and is not seen", async () => {
  const door = new Door();
  const a = await start(door);
  door.may = ({ id }, action) => action.kind !== "track" || id === "alice";
  const bob = await sites.connect(a, "bob");
  const heard = await hear(bob, "room");
  const alice = await sites.connect(a, "alice");
  await hear(alice, "room");
  await alice.invokePublish("room", "hello");
  await eventually(() => expect(heard).toEqual(["hello"]));
  await eventually(() => expect(idsOn(a)).toEqual(["alice"]));
});

test("with another token a socket is put out of what it may hear no more", async () => {
  const door = new Door();
  const a = await start(door);
  door.may = ({ id }, action) => !("topic" in action) || action.topic !== "staff" || id === "alice";
  const connection = await sites.connect(a, "alice");
  await hear(connection, "staff");
  await hear(connection, "room");
  await eventually(() => expect(idsOn(a, "staff")).toEqual(["alice"]));
  const kicked = connection.listener("kickOut").once();
  await sites.authenticate(connection, a, "bob");
  expect((await kicked).channel).toBe("staff");
  await eventually(() => expect([idsOn(a, "staff"), idsOn(a)]).toEqual([[], ["bob"]]));
  // The server takes tokens away as well.
  await connection.deauthenticate();
  await eventually(() => expect(idsOn(a)).toEqual(["guest"]));
});

test("a token that the hooks refuse is refused, and one that is taken away ends the connection where guests may not come", async () => {
  const door = new Door();
  const a = await start(door);
  const connection = await sites.connect(a, "alice");
  await hear(connection, "room");
  await expect(sites.authenticate(connection, a, "banned")).rejects.toThrow("does not count");
  await eventually(() => expect(idsOn(a)).toEqual(["guest"]));
  await sites.authenticate(connection, a, "alice");
  await eventually(() => expect(idsOn(a)).toEqual(["alice"]));
  door.guests = false;
  const disconnected = connection.listener("disconnect").once();
  await connection.deauthenticate();
  expect((await disconnected).code).toBe(4_401);
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(0));
});

test("an identity that expires is disconnected, and present no more", async () => {
  const door = new Door();
  const a = await start(door);
  const connection = await sites.connect(a);
  door.expiresAtMs = Date.now() + 1_000;
  const disconnected = connection.listener("disconnect").once();
  // Of a client that was too slow this is refused already.
  await sites.authenticate(connection, a, "alice").catch(() => undefined);
  const { code } = await disconnected;
  expect([4_401, 4_008]).toContain(code);
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(0));
  door.expiresAtMs = undefined;
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(1));
});

test("an address has no more sockets than it may, and one that goes makes room", async () => {
  const a = await start(new Door(), { connectionsPerAddressMax: 2, connectsPerAddressPerSecondMax: 1_000 });
  const first = await sites.connect(a);
  await sites.connect(a);
  const client = await RawClient.upgrade(`http://127.0.0.1:${a.port}/socketcluster/`);
  client.say('{"event":"#handshake","data":{},"cid":1}');
  await client.until(() => client.closeCode === 4_008, "the end");
  expect(client.text).toContain("Too many connections");
  first.disconnect();
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(1));
  await sites.connect(a);
  await eventually(() => expect(a.presence.count("SOCKETS")).toBe(2));
});

test("who goes while the hooks are asked about its handshake leaves nothing behind", async () => {
  const door = new Door();
  const a = await start(door, { connectionsPerAddressMax: 2, connectsPerAddressPerSecondMax: 1_000 });
  let answer: () => void = () => undefined;
  const authenticate = door.authenticate.bind(door);
  const waiting = new Promise<void>((resolve) => {
    answer = resolve;
  });
  door.authenticate = (credentials) => waiting.then(() => authenticate(credentials)) as never;
  for (let count = 0; count < 2; count++) {
    const client = await RawClient.upgrade(`http://127.0.0.1:${a.port}/socketcluster/`);
    client.say('{"event":"#handshake","data":{},"cid":1}');
    await eventually(() => expect(a.agServer.pendingClientsCount).toBe(1));
    client.destroy();
    await eventually(() => expect(a.agServer.pendingClientsCount).toBe(0));
  }
  answer();
  await sites.connect(a);
  await sites.connect(a);
  expect(Object.keys(a.agServer.clients)).toHaveLength(2);
});

test("a channel whose name is another room's topic is nobody's, whatever leave there is for that topic", async () => {
  const roster = { topics: { prefix: "rooms/", inCluster: "room:" } };
  const door = new Door();
  const options = { node: { access: door }, presence: { roster }, server: { middlewareEmitFailures: false } };
  const [a] = await sites.start(["a"], options);
  const alice = await sites.connect(a!, "alice");
  await hear(alice, "rooms/lobby");
  expect(await refusal(alice, "room:lobby")).toMatch(/may not subscribe to room:lobby/);
  await expect(alice.invokePublish("room:lobby", "hello")).rejects.toThrow(/may not publish on room:lobby/);
  expect(door.actions.map(([, action]) => "topic" in action && action.topic)).toEqual([
    "room:lobby",
    "room:lobby",
  ]);
  // Other channels are judged under their own names.
  await hear(alice, "news");
  expect(door.actions.at(-1)).toEqual(["alice", { kind: "track", topic: "news", key: "alice" }]);
});
