/** The unmodified socketcluster-client against unmodified servers with presence attached. */
import { createServer } from "node:http";
import { attach } from "@presently/socketcluster";
import { createNode } from "presently";
import socketcluster from "socketcluster-server";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { type Client, hear, PROMPT, type Site, Sites } from "./socketcluster-cluster.ts";

const sites = new Sites();
afterEach(() => sites.stop());

const start = (names: readonly string[], presence = {}, server = {}) =>
  sites.start(names, { presence, server }) as Promise<[Site, Site, Site]>;
const idsOn = (site: Site, channel: string) =>
  Object.fromEntries(site.presence.roster(channel).users.map(({ id, connections }) => [id, connections]));

describe("the user count", () => {
  test("is a bare number of distinct users on every node, all anonymous sockets being one", async () => {
    const [a, b, c] = await start(["a", "b", "c"]);
    const watcher = await sites.connect(c);
    const heard = await hear(watcher, "USERCOUNT");
    await sites.connect(a, "alice");
    await sites.connect(b, "alice");
    await sites.connect(b, 7);
    await sites.connect(a);
    await eventually(() => expect(heard.at(-1)).toBe(3));
    for (const { presence } of [a, b, c]) {
      await eventually(() => expect(presence.count("SOCKETS")).toBe(5));
      expect(presence.count()).toBe(3);
    }
  });

  test("falls at once when a user's last socket is gone, and not before", async () => {
    const [a, b] = await start(["a", "b"]);
    const watcher = await sites.connect(a);
    const heard = await hear(watcher, "USERCOUNT");
    const one = await sites.connect(a, "alice");
    const other = await sites.connect(b, "alice");
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(3));
    one.disconnect();
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(2));
    expect(a.presence.count()).toBe(2);
    other.disconnect();
    await eventually(() => expect(heard.at(-1)).toBe(1));
  });

  test("of sockets counts sockets, and of subscriptions every record", async () => {
    const [a, b] = await start(["a", "b"], { scpUsercountType: "SUBSCRIPTIONS" });
    const watcher = await sites.connect(a);
    const heard = await hear(watcher, "USERCOUNT");
    const other = await sites.connect(b, "bob");
    await hear(other, "news");
    await hear(other, "sport");
    await eventually(() => expect(b.presence.count()).toBe(5));
    await eventually(() => expect(a.presence.count()).toBe(5));
    // Subscribing alone publishes nothing; the next connection does.
    await sites.connect(b);
    await eventually(() => expect(heard.at(-1)).toBe(6));
    other.unsubscribe("news");
    await eventually(() => expect(a.presence.count()).toBe(5));
  });

  test("waits for a socket that has connected to subscribe, and for the start to be over", async () => {
    const [a] = await start(["a"], { scpConnectUpdateDelay: 200, scpBlockUsercountThreshold: 0.5 });
    const attachedAt = performance.now();
    const heard = await hear(await sites.connect(a), "USERCOUNT");
    await eventually(() => expect(heard).toEqual([1]));
    expect(performance.now() - attachedAt).toBeGreaterThan(400);
  });

  test("goes to the channel of one's choice", async () => {
    const [a] = await start(["a"], { scpUsercountChannel: "how-many" });
    const heard = await hear(await sites.connect(a), "how-many");
    await sites.connect(a, "alice");
    await eventually(() => expect(heard.at(-1)).toBe(2));
  });
});

describe("who is on a channel", () => {
  test("is the same on all nodes, and follows subscribing, unsubscribing and tokens", async () => {
    const [a, b, c] = await start(["a", "b", "c"]);
    const alice = await sites.connect(a, "alice");
    const phone = await sites.connect(b, "alice");
    const bob = await sites.connect(c);
    for (const connection of [alice, phone, bob]) await hear(connection, "room");
    const agree = async (users: Record<string, number>) => {
      for (const site of [a, b, c]) await eventually(() => expect(idsOn(site, "room")).toEqual(users));
    };
    await agree({ alice: 2, anonymous: 1 });
    phone.unsubscribe("room");
    await agree({ alice: 1, anonymous: 1 });
    await sites.authenticate(bob, c, "bob");
    await agree({ alice: 1, bob: 1 });
    await alice.deauthenticate();
    await agree({ anonymous: 1, bob: 1 });
    bob.disconnect();
    await agree({ anonymous: 1 });
  });

  test("tells a user called anonymous from those who have no id", async () => {
    const [a, b] = await start(["a", "b"]);
    const connections = [await sites.connect(a), await sites.connect(b), await sites.connect(b, "anonymous")];
    for (const connection of connections) await hear(connection, "room");
    for (const site of [a, b])
      await eventually(() => expect(idsOn(site, "room")).toEqual({ anonymous: 2, "user:anonymous": 1 }));
    await sites.authenticate(connections[0]!, a, "user:anonymous");
    for (const site of [a, b])
      await eventually(() =>
        expect(idsOn(site, "room")).toEqual({ anonymous: 1, "user:anonymous": 1, "user:user:anonymous": 1 }),
      );
  });

  test("has no ghost of a subscription that middleware refused", async () => {
    const [a] = await start(["a"]);
    a.agServer.setMiddleware(a.agServer.MIDDLEWARE_INBOUND, async (stream) => {
      for await (const action of stream) {
        if (action.type === "subscribe" && action.channel === "closed")
          action.block(new Error("not for you"));
        else action.allow();
      }
    });
    const connection = await sites.connect(a, "alice");
    const refused = connection.subscribe("closed");
    await refused.listener("subscribeFail").once();
    await hear(connection, "open");
    await eventually(() => expect(idsOn(a, "open")).toEqual({ alice: 1 }));
    expect(idsOn(a, "closed")).toEqual({});
  });

  test("is asked for by those who are on it, and its changes are published to them", async () => {
    const [a, b] = await start(["a", "b"]);
    const alice = await sites.connect(a, "alice");
    await hear(alice, "room");
    const changes = await hear(alice, "_SCPRESENCE/room");
    expect(await alice.invoke("roster", "room")).toEqual({
      channel: "room",
      users: [{ id: "alice", connections: 1 }],
    });
    const bob = await sites.connect(b, "bob");
    await hear(bob, "room");
    await eventually(() =>
      expect(changes).toEqual([{ channel: "room", users: [{ id: "bob", connections: 1 }] }]),
    );
    bob.disconnect();
    await eventually(() =>
      expect(changes.at(-1)).toEqual({ channel: "room", users: [{ id: "bob", connections: 0 }] }),
    );
  });

  test("is not told to those who are not on it", async () => {
    const [a] = await start(["a"]);
    const alice = await sites.connect(a, "alice");
    await hear(alice, "room");
    const spy = await sites.connect(a, "spy");
    await expect(spy.invoke("roster", "room")).rejects.toThrow("may not see");
    const kicked = spy.listener("kickOut").once();
    await hear(spy, "_SCPRESENCE/room");
    expect((await kicked).channel).toBe("_SCPRESENCE/room");
    for (const channel of [undefined, 7, "", { room: 1 }])
      await expect(alice.invoke("roster", channel)).rejects.toMatchObject({ name: "PresenceRefusedError" });
  });

  test("is put right by the client's own reconnection", async () => {
    const [a, b] = await start(["a", "b"]);
    const alice = await sites.connect(a, "alice");
    await hear(alice, "room");
    await eventually(() => expect(idsOn(b, "room")).toEqual({ alice: 1 }));
    const before = Object.keys(a.agServer.clients);
    const again = alice.listener("connect").once();
    alice.reconnect(4_500, "a cut");
    await again;
    await eventually(() => expect(Object.keys(a.agServer.clients)).not.toEqual(before));
    await eventually(() => expect(idsOn(b, "room")).toEqual({ alice: 1 }));
    expect(b.presence.count("SOCKETS")).toBe(1);
  });
});

describe("the map of users", () => {
  test("has every socket of every node with its channels, for the server", async () => {
    const [a, b] = await start(["a", "b"]);
    const alice = await sites.connect(a, "alice");
    await hear(alice, "room");
    await hear(alice, "news");
    await sites.connect(b);
    await eventually(() => expect(Object.keys(b.presence.userMap()).sort()).toEqual(["alice", "null"]));
    await eventually(() => {
      const [socket] = Object.values(b.presence.userMap().alice!);
      expect(socket).toMatchObject({
        authToken: { user_id: "alice" },
        ip: expect.stringContaining("127.0.0.1"),
      });
      expect(socket!.subscribedChannels.sort()).toEqual(["news", "room"]);
    });
    const rows = b.presence.rows().map(({ SCP_user_id, SCP_channel }) => `${SCP_user_id} ${SCP_channel}`);
    expect(rows.sort()).toEqual(["alice _SCPRESENCE", "alice news", "alice room", "null _SCPRESENCE"]);
  });

  test("answers clients without tokens and addresses, unless they are trusted", async () => {
    const isAdmin = (socket: { authToken?: unknown }) =>
      (socket.authToken as { user_id?: string } | null)?.user_id === "admin";
    const [a] = await start(["a"], { authorize: isAdmin });
    const alice = await sites.connect(a, "alice");
    const admin = await sites.connect(a, "admin");
    await eventually(() => expect(a.presence.count()).toBe(2));
    const seen = (await alice.invoke("userMap", null)) as Record<string, Record<string, object>>;
    for (const sockets of Object.values(seen))
      for (const socket of Object.values(sockets))
        expect(Object.keys(socket).sort()).toEqual(["lastUpdate", "subscribedChannels"]);
    const whole = (await admin.invoke("userMap", null)) as Record<string, Record<string, object>>;
    expect(Object.values(whole.alice!)[0]).toMatchObject({ authToken: { user_id: "alice" } });
  });

  test("keeps ids apart that look like parts of the language, and takes no meta of others for a socket", async () => {
    const [a] = await start(["a"]);
    for (const id of ["__proto__", "constructor", "😀", "null", "user:null", 7]) await sites.connect(a, id);
    await sites.connect(a);
    const own = a.node.session();
    await eventually(() => expect(a.presence.count()).toBe(7));
    own.track("room", "mallory", { socketId: "made up", userId: "alice" });
    expect(Object.keys(a.presence.userMap()).sort()).toEqual(
      ["7", "__proto__", "constructor", "null", "user:null", "user:user:null", "😀"].sort(),
    );
  });
});

describe("sockets that are silent", () => {
  test("are not counted after the window of the pings, and are again when they are heard", async () => {
    const server = { pingInterval: 50, pingTimeoutDisabled: true };
    const [a] = await start(["a"], { scpSCPingsPerUpdate: 2 }, server);
    // A client that completes the handshake, and then answers no ping.
    const mute = new WebSocket(`ws://127.0.0.1:${a.port}/socketcluster/`);
    await new Promise((resolve) => mute.on("open", resolve));
    mute.send(JSON.stringify({ event: "#handshake", data: { authToken: null }, cid: 1 }));
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(1));
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(0));
    expect(a.agServer.clientsCount).toBe(1);
    mute.send(JSON.stringify({ event: "#subscribe", data: { channel: "room" }, cid: 2 }));
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(1));
    expect(idsOn(a, "room")).toEqual({ anonymous: 1 });
    mute.terminate();
    await eventually(() => expect(a.presence.count("SOCKETS")).toBe(0));
  });
});

describe("attaching", () => {
  test("leaves the middleware and listeners to the application, and existing sockets are recorded", async () => {
    const node = await createNode({ name: "late", logLevel: "silent" });
    const [a] = await start(["a"]);
    await sites.connect(a, "early");
    const second = attach(a.agServer, { ...PROMPT, node, userMapProcedure: false, rosterProcedure: false });
    try {
      expect(second.count("SOCKETS")).toBe(1);
      for (const type of ["handshake", "inboundRaw", "inbound", "outbound"] as const)
        expect(a.agServer.hasMiddleware(type)).toBe(false);
    } finally {
      await second.close();
      expect(node.count("socketcluster:_SCPRESENCE").entries).toBe(0);
      await node.stop();
    }
  });

  test("refuses options that contradict each other, naming them, and tells a callback", async () => {
    const node = await createNode({ name: "alone", logLevel: "silent" });
    const agServer = socketcluster.attach(createServer(), { pingInterval: 30_000 });
    const warnings: string[] = [];
    try {
      const bad = { node, scpGcThreshold: 60 };
      expect(() => attach(agServer, bad)).toThrow(/scpGcThreshold \(60 s\).*scpSCPingsPerUpdate \(6\)/);
      const told: unknown[] = [];
      expect(attach(agServer, bad, (...args) => told.push(args))).toBeUndefined();
      expect(told).toEqual([[false, expect.stringContaining("scpGcThreshold")]]);
      expect(() =>
        attach(agServer, { node, scpUsercountType: "PEOPLE" as "USERS", scpGcThreshold: 600 }),
      ).toThrow("scpUsercountType");
      expect(() => attach(agServer, { node, scpUsercuontType: "USERS" } as never)).toThrow(
        "is not an option",
      );
      const old = { scpDbhost: "db", scpDbpassword: "secret", scpGcWorkerId: 3, scpGcThreshold: 600 };
      const presence = attach(agServer, { node, ...old }, (...args) => told.push(args));
      expect(told.at(-1)).toEqual([true, null]);
      // Nobody can be expected to listen before there is anything to hear of.
      void (async () => {
        for await (const { warning } of agServer.listener("warning")) warnings.push(warning.message);
      })();
      await eventually(() => expect(warnings.join()).toMatch(/scpDbhost.*scpDbpassword.*scpGcWorkerId/s));
      expect(warnings.join()).not.toContain("secret");
      await presence!.close();
    } finally {
      await agServer.close();
      await node.stop();
    }
  });
});

describe("hostile clients", () => {
  test("cost themselves their records, and nobody else theirs", async () => {
    const [a, b] = await start(["a", "b"], { channelsPerSocketMax: 20 });
    const alice = await sites.connect(b, "alice");
    await hear(alice, "room");
    const mallory = await sites.connect(a, "mallory");
    for (const name of ["socketcluster:_SCPRESENCE", "socketcluster:_SCPRESENCE:nodes"]) {
      const subscription = mallory.subscribe(name);
      await subscription.listener("subscribeFail").once();
      mallory.unsubscribe(name);
    }
    for (const name of ["x".repeat(5_000), "\ud800"]) await subscribed(mallory, name);
    for (let index = 0; index < 30; index++) await subscribed(mallory, `flood-${index}`);
    await eventually(() => expect(a.warnings.join()).toContain("channelsPerSocketMax"));
    expect(idsOn(a, "flood-0")).toEqual({ mallory: 1 });
    expect(idsOn(a, "flood-29")).toEqual({});
    for (const { presence } of [a, b]) await eventually(() => expect(presence.count()).toBe(2));
    await eventually(() => expect(idsOn(a, "room")).toEqual({ alice: 1 }));
    mallory.disconnect();
    await eventually(() =>
      expect(b.presence.rows().map(({ SCP_user_id }) => SCP_user_id)).toEqual(["alice", "alice"]),
    );
  });
});

async function subscribed(connection: Client, channel: string): Promise<void> {
  await connection.subscribe(channel).listener("subscribe").once();
}
