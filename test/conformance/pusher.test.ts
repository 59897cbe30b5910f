/** Pusher's protocol with the real pusher-js and the real server library, on three nodes of one cluster. */
import type { PresenceChannel } from "pusher-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { APP, membersOf, OTHER_APP, PusherCluster, RawClient, record, subscribed } from "./pusher-cluster.ts";

let cluster: PusherCluster;
let rooms = 0;
/** A name that no other test uses. */
const room = (prefix: string) => `${prefix}room-${++rooms}`;

beforeAll(async () => {
  cluster = await PusherCluster.start(3, {
    apps: [
      { ...APP, subscriptionCounts: true, limits: { membersMax: 5 } },
      OTHER_APP,
      { id: "44", key: "disabled", secret: "disabled", enabled: false },
      { id: "45", key: "small", secret: "small", limits: { connectionsMax: 2 } },
    ],
  });
});

afterAll(() => cluster.stop());

describe("connections", () => {
  test("PU1: pusher-js connects", async () => {
    const client = await cluster.connect(0);
    expect(client.connection.socket_id).toMatch(/^\d+\.\d+$/);
  });

  test.each([
    ["PU2: an unknown key", "/app/nobody?protocol=7", 4001],
    ["PU2: a disabled app", "/app/disabled?protocol=7", 4003],
    ["PU3: protocol 99", `/app/${APP.key}?protocol=99`, 4007],
    ["PU3: no protocol", `/app/${APP.key}`, 4008],
  ])("%s is closed with its code, which is told in the first frame, too", async (_what, path, code) => {
    const client = new RawClient(cluster.sites[0]!.port, path);
    expect(await client.end()).toBe(code);
    expect(client.frames).toEqual([{ event: "pusher:error", data: { code, message: expect.any(String) } }]);
  });

  test("PU2: pusher-js stops for good when the key is unknown", async () => {
    const client = cluster.client(0, undefined, { ...APP, key: "nobody" });
    await eventually(() => expect(client.connection.state).toBe("disconnected"));
  });

  test.each([5, 6, 7])("PU3: protocol %i connects", async (protocol) => {
    const client = await new RawClient(cluster.sites[0]!.port, `/app/${APP.key}?protocol=${protocol}`).open();
    client.socket.close();
  });

  test("PU7: over the quota, counted over the cluster, clients are closed with 4004", async () => {
    const path = "/app/small?protocol=7";
    const open = await Promise.all([0, 1].map((at) => new RawClient(cluster.sites[at]!.port, path).open()));
    await eventually(() => {
      for (const { node } of cluster.sites) expect(node.list("pusher:45/total/connections")).toHaveLength(2);
    });
    expect(await new RawClient(cluster.sites[2]!.port, path).end()).toBe(4004);
    open[0]!.socket.close();
    await eventually(() =>
      expect(cluster.sites[2]!.node.list("pusher:45/total/connections")).toHaveLength(1),
    );
    const later = await new RawClient(cluster.sites[2]!.port, path).open();
    for (const client of [later, open[1]!]) client.socket.close();
  });

  test("a page of another site is told 4009", async () => {
    const headers = { origin: "https://elsewhere.example" };
    const client = new RawClient(cluster.sites[0]!.port, `/app/${APP.key}?protocol=7`, headers);
    expect(await client.end()).toBe(4009);
  });
});

describe("subscriptions", () => {
  test("PU8, PU12: data is a text; sub, unsub, sub ends subscribed; unsubscribing twice is nothing", async () => {
    const client = await new RawClient(cluster.sites[0]!.port).open();
    const name = room("");
    for (const event of ["subscribe", "unsubscribe", "unsubscribe", "subscribe"])
      client.say(`pusher:${event}`, { channel: name, auth: "" });
    await eventually(async () =>
      expect(
        await cluster
          .library(1)
          .get({ path: `/channels/${name}` })
          .then((answer) => answer.json()),
      ).toEqual({
        occupied: true,
      }),
    );
    const succeeded = client.frames.filter(({ event }) => event === "pusher_internal:subscription_succeeded");
    expect(succeeded.at(-1)).toEqual({ event: expect.any(String), channel: name, data: "{}" });
    expect(typeof client.frames[0]!.data).toBe("string");
    client.socket.close();
  });

  test("PU9: a changed byte, or another app's key, is refused, and the connection lives on", async () => {
    const client = await new RawClient(cluster.sites[0]!.port).open();
    const name = room("private-");
    const { auth } = cluster.library(0).authorizeChannel(client.socketId, name);
    const other = cluster.library(0, OTHER_APP).authorizeChannel(client.socketId, name).auth;
    for (const [at, bad] of [
      `${auth.slice(0, -1)}${auth.endsWith("0") ? 1 : 0}`,
      other,
      "",
      undefined,
    ].entries()) {
      client.say("pusher:subscribe", { channel: name, auth: bad });
      await eventually(() =>
        expect(client.frames.filter(({ event }) => event === "pusher:subscription_error")).toHaveLength(
          at + 1,
        ),
      );
    }
    client.say("pusher:subscribe", { channel: name, auth });
    await client.told("pusher_internal:subscription_succeeded", name);
    client.socket.close();
  });

  test("PU11: subscribing twice is one subscription, and an error that leaves it as it is", async () => {
    const client = await new RawClient(cluster.sites[0]!.port).open();
    const name = room("");
    client.say("pusher:subscribe", { channel: name, auth: "" });
    client.say("pusher:subscribe", { channel: name, auth: "" });
    const { data } = await client.told("pusher:error");
    expect(data).toEqual({ code: null, message: `Existing subscription to channel ${name}` });
    await client.told("pusher_internal:subscription_succeeded", name);
    client.say("pusher:unsubscribe", { channel: name });
    const answer = await eventually(async () => {
      const found = await (await cluster.library(0).get({ path: `/channels/${name}` })).json();
      expect(found).toEqual({ occupied: false });
      return found;
    });
    expect(answer).toEqual({ occupied: false });
    client.socket.close();
  });

  test.each(["#", "a b", "x".repeat(165), "", "café"])("PU13: the name %j is refused", async (name) => {
    const client = await new RawClient(cluster.sites[0]!.port).open();
    client.say("pusher:subscribe", { channel: name, auth: "" });
    expect((await client.told("pusher:subscription_error")).channel).toBe(name);
    client.socket.close();
  });

  test("PU39: junk harms its sender only", async () => {
    const witness = await cluster.connect(0);
    const client = await new RawClient(cluster.sites[0]!.port).open();
    for (const junk of [
      "not JSON",
      "[]",
      "null",
      '{"event":7}',
      '{"event":"pusher:subscribe"}',
      "[".repeat(60_000),
    ])
      client.socket.send(junk);
    client.say("pusher:subscribe", { channel: { a: 1 }, auth: 7, channel_data: [] });
    client.say("pusher:signin", null);
    client.say("pusher:unsubscribe", null);
    client.socket.send(Buffer.from([1, 2, 3]));
    client.say("pusher:ping", {});
    await client.told("pusher:pong");
    client.socket.send("x".repeat(1_000_000));
    expect(await client.end()).toBe(1009);
    expect(witness.connection.state).toBe("connected");
  });
});

describe("presence", () => {
  test("PU14-PU17: each user once, on every node; first and last connection are told; the first user_info stays", async () => {
    const name = room("presence-");
    const ann = await subscribed(await cluster.connect(0, { id: "ann", info: { name: "Ann" } }), name);
    const told = record(ann);
    const first = await cluster.connect(1, { id: "ben", info: { tab: 1 } });
    const one = await subscribed(first, name);
    expect(membersOf(one)).toEqual({ ann: { name: "Ann" }, ben: { tab: 1 } });
    await eventually(() => expect(membersOf(ann)).toEqual({ ann: { name: "Ann" }, ben: { tab: 1 } }));
    const second = await cluster.connect(2, { id: "ben", info: { tab: 2 } });
    const two = await subscribed(second, name);
    expect(membersOf(two)).toEqual({ ann: { name: "Ann" }, ben: { tab: 1 } });
    const entriesEverywhere = (size: number) =>
      eventually(() => {
        for (const { node } of cluster.sites)
          expect(node.list(`pusher:42/members/${name}`)).toHaveLength(size);
      });
    // A node that heard that the first one went before it heard of the second would be right to tell both.
    await entriesEverywhere(3);
    first.disconnect();
    await entriesEverywhere(2);
    const eve = await subscribed(await cluster.connect(0, { id: "eve" }), name);
    expect(membersOf(eve)).toEqual({ ann: { name: "Ann" }, ben: { tab: 1 }, eve: null });
    second.disconnect();
    await eventually(() => expect(Object.keys(membersOf(eve))).toEqual(["ann", "eve"]));
    const members = told.filter(([event]) => event.startsWith("pusher:member_"));
    expect(members.map(([event, member]) => `${event} ${(member as { id: string }).id}`)).toEqual([
      "pusher:member_added ben",
      "pusher:member_added eve",
      "pusher:member_removed ben",
    ]);
  });

  test('PU18: 7 and "7" are one user; strange ids survive', async () => {
    const name = room("presence-");
    const client = await new RawClient(cluster.sites[0]!.port).open();
    const join = async (at: number, user_id: unknown) => {
      const other = await new RawClient(cluster.sites[at]!.port).open();
      const data = JSON.stringify({ user_id });
      const { auth, channel_data } = signed(other.socketId, name, data);
      other.say("pusher:subscribe", { channel: name, auth, channel_data });
      const { data: list } = await other.told("pusher_internal:subscription_succeeded", name);
      return (list as string).replaceAll('"', "'");
    };
    const strange = ["__proto__", "😀".repeat(60), "x".repeat(128)];
    await join(0, 7);
    await eventually(() => expect(cluster.sites[1]!.node.count(`pusher:42/members/${name}`).keys).toBe(1));
    expect(await join(1, "7")).toBe("{'presence':{'ids':['7'],'hash':{'7':null},'count':1}}");
    let last = "";
    for (const id of strange) last = await join(0, id);
    expect(last).toBe(
      `{'presence':{'ids':[${["7", ...strange].map((id) => `'${id}'`)}],'hash':{${["7", ...strange].map((id) => `'${id}':null`)}},'count':4}}`,
    );
    client.socket.close();
  });

  test("PU19: without channel_data the signed-in user counts; without both it is an error", async () => {
    const name = room("presence-");
    const raw = await new RawClient(cluster.sites[0]!.port).open();
    const auth = cluster.library(0).authorizeChannel(raw.socketId, name).auth;
    raw.say("pusher:subscribe", { channel: name, auth });
    await raw.told("pusher:subscription_error", name);
    raw.say(
      "pusher:signin",
      cluster.library(0).authenticateUser(raw.socketId, { id: "ann", user_info: { a: 1 } }),
    );
    await raw.told("pusher:signin_success");
    raw.say("pusher:subscribe", { channel: name, auth });
    const { data } = await raw.told("pusher_internal:subscription_succeeded", name);
    expect(JSON.parse(data as string).presence).toEqual({ ids: ["ann"], hash: { ann: { a: 1 } }, count: 1 });
    raw.socket.close();
  });

  test("PU20: one member too many is refused, another tab of a member is not; nor is info over 1 KB taken", async () => {
    const name = room("presence-");
    const clients = await Promise.all([0, 1, 2, 3, 4].map((id) => cluster.connect(0, { id })));
    for (const client of clients) await subscribed(client, name);
    const extra = await cluster.connect(0, { id: 5 });
    await expect(subscribed(extra, name)).rejects.toThrow("membersMax");
    await subscribed(await cluster.connect(0, { id: 4 }), name);
    const large = await cluster.connect(0, { id: 6, info: "x".repeat(1_025) });
    await expect(subscribed(large, room("presence-"))).rejects.toThrow("memberBytesMax");
    for (const client of clients) client.disconnect();
  });
});

describe("events", () => {
  test("PU24: client events reach other nodes, not the sender, with the user of the subscription", async () => {
    const name = room("presence-");
    const ann = await new RawClient(cluster.sites[0]!.port).open();
    const data = JSON.stringify({ user_id: "ann" });
    ann.say("pusher:subscribe", { channel: name, ...signed(ann.socketId, name, data) });
    await ann.told("pusher_internal:subscription_succeeded", name);
    const ben = await subscribed<PresenceChannel>(await cluster.connect(1, { id: "ben" }), name);
    const heard: unknown[] = [];
    ben.bind("client-typing", (value: unknown, meta: unknown) => void heard.push(value, meta));
    ann.socket.send(
      JSON.stringify({ event: "client-typing", channel: name, data: { a: 1 }, user_id: "eve" }),
    );
    await eventually(() => expect(heard).toEqual([{ a: 1 }, { user_id: "ann" }]));
    expect(ann.frames.filter(({ event }) => event === "client-typing")).toEqual([]);
    const open = room("");
    ann.say("pusher:subscribe", { channel: open, auth: "" });
    await ann.told("pusher_internal:subscription_succeeded", open);
    for (const [event, channel] of [
      ["client-x", open],
      ["client-x", "private-elsewhere"],
      ["typing", name],
    ] as const)
      ann.say(event, {}, channel);
    await eventually(() =>
      expect(ann.frames.filter(({ data }) => (data as { code?: number }).code === 4301)).toHaveLength(3),
    );
    ann.socket.close();
  });

  test("PU25, PU26: the 11th in a second is refused; pusher: events of clients go nowhere", async () => {
    const name = room("private-");
    const ann = await new RawClient(cluster.sites[0]!.port).open();
    const { auth } = cluster.library(0).authorizeChannel(ann.socketId, name);
    ann.say("pusher:subscribe", { channel: name, auth });
    await ann.told("pusher_internal:subscription_succeeded", name);
    const ben = await subscribed(await cluster.connect(1), name);
    const told = record(ben);
    ann.say("pusher_internal:member_added", "{}", name);
    ann.say("pusher:subscription_succeeded", "{}", name);
    for (let at = 0; at < 11; at++) ann.say("client-n", at, name);
    const { data } = await ann.told("pusher:error");
    expect(data).toMatchObject({ code: 4301 });
    await eventually(() =>
      expect(told.map(([event]) => event).filter((event) => !event.startsWith("pusher:"))).toEqual(
        Array(10).fill("client-n"),
      ),
    );
    ann.socket.close();
  });

  test("PU34, PU38: socket_id leaves that connection out, whichever node; apps never meet", async () => {
    const name = room("");
    const clients = await Promise.all([0, 1, 2].map((at) => cluster.connect(at)));
    const told = await Promise.all(clients.map(async (client) => record(await subscribed(client, name))));
    const stranger = record(await subscribed(await cluster.connect(1, undefined, OTHER_APP), name));
    await cluster.library(2).trigger(name, "hi", { n: 1 }, { socket_id: clients[0]!.connection.socket_id });
    await cluster.library(2).trigger(name, "end", "");
    const events = (all: [string, unknown][]) => all.filter(([event]) => !event.startsWith("pusher:"));
    await eventually(() => {
      expect(events(told[1]!)).toEqual([
        ["hi", { n: 1 }],
        ["end", ""],
      ]);
      expect(events(told[2]!)).toEqual([
        ["hi", { n: 1 }],
        ["end", ""],
      ]);
      expect(events(told[0]!)).toEqual([["end", ""]]);
    });
    expect(events(stranger)).toEqual([]);
  });

  test("PU27: a cache channel replays the last event at any node, also one that starts later; else cache_miss", async () => {
    const name = room("private-cache-");
    const missed = record((await cluster.connect(0)).subscribe(name));
    await eventually(() => expect(missed.map(([event]) => event)).toContain("pusher:cache_miss"));
    await cluster.library(1).trigger(name, "price", { n: 1 });
    await cluster.library(2).trigger(name, "price", { n: 2 });
    const heard: unknown[] = [];
    const late = await cluster.connect(2);
    late.subscribe(name).bind("price", (data: unknown) => void heard.push(data));
    await eventually(() => expect(heard).toEqual([{ n: 2 }]));
  });

  test("PU28: subscription_count is right over three nodes, and never on presence", async () => {
    const name = room("");
    const clients = await Promise.all([0, 1, 2].map((at) => cluster.connect(at)));
    const counts: number[] = [];
    const watched = clients[0]!.subscribe(name);
    watched.bind(
      "pusher:subscription_count",
      ({ subscription_count }: { subscription_count: number }) => void counts.push(subscription_count),
    );
    for (const client of clients) await subscribed(client, name);
    await eventually(() => expect(counts.at(-1)).toBe(3));
    clients[2]!.disconnect();
    await eventually(() => expect(counts.at(-1)).toBe(2));
    const presence = record(await subscribed(await cluster.connect(0, { id: 1 }), room("presence-")));
    expect(presence.filter(([event]) => event.includes("count"))).toEqual([]);
  });

  test("PU31: encrypted events decrypt", async () => {
    const nacl = (await import("tweetnacl")).default;
    const name = room("private-encrypted-");
    const client = await cluster.connect(1, undefined, APP, { nacl });
    const channel = await subscribed(client, name);
    const heard: unknown[] = [];
    channel.bind("secret", (data: unknown) => void heard.push(data));
    await cluster.library(0).trigger(name, "secret", { text: "psst" });
    await eventually(() => expect(heard).toEqual([{ text: "psst" }]));
  });
});

describe("users", () => {
  test("PU29: signin, sendToUser and terminate work over nodes; strangers hear nothing", async () => {
    const id = room("user-");
    const ann = await cluster.connect(0, { id });
    const heard: unknown[] = [];
    ann.user.bind("hello", (data: unknown) => void heard.push(data));
    ann.signin();
    await ann.user.signinDonePromise;
    const stranger = await new RawClient(cluster.sites[1]!.port).open();
    stranger.say("pusher:subscribe", { channel: `#server-to-user-${id}`, auth: "" });
    await stranger.told("pusher:subscription_error");
    stranger.socket.close();
    await eventually(async () => {
      await cluster.library(2).sendToUser(id, "hello", { n: 1 });
      expect(heard).not.toEqual([]);
    });
    const before = ann.connection.socket_id;
    await cluster.library(2).terminateUserConnections(id);
    await eventually(() => expect(ann.connection.state).toBe("disconnected"));
    expect(before).toMatch(/\d/);
  });

  test("PU30: the watchlist tells of all after signin, then of first and last connections", async () => {
    const [me, friend] = [room("user-"), room("user-")];
    const ann = await cluster.connect(0, { id: me, watchlist: [friend] });
    const told: string[] = [];
    for (const event of ["online", "offline"])
      ann.user.watchlist.bind(
        event,
        ({ user_ids }: { user_ids: string[] }) => void told.push(`${event} ${user_ids}`),
      );
    ann.signin();
    await eventually(() => expect(told).toEqual([`offline ${friend}`]));
    const tabs = await Promise.all([1, 2].map((at) => cluster.connect(at, { id: friend })));
    for (const tab of tabs) tab.signin();
    await eventually(() => {
      expect(told).toEqual([`offline ${friend}`, `online ${friend}`]);
      expect(cluster.sites[0]!.node.get("pusher:42/users", friend)).toHaveLength(2);
    });
    tabs[0]!.disconnect();
    await eventually(() => expect(cluster.sites[0]!.node.get("pusher:42/users", friend)).toHaveLength(1));
    tabs[1]!.disconnect();
    await eventually(() => expect(told.at(-1)).toBe(`offline ${friend}`));
    expect(told).toHaveLength(3);
    const many = await new RawClient(cluster.sites[0]!.port).open();
    const watchlist = Array.from({ length: 101 }, (_, at) => `u${at}`);
    many.say("pusher:signin", cluster.library(0).authenticateUser(many.socketId, { id: me, watchlist }));
    expect((await many.told("pusher:error")).data).toMatchObject({ code: 4302 });
    many.socket.close();
  });
});

function signed(socketId: string, channel: string, data: string): { auth: string; channel_data: string } {
  const { createHmac } = process.getBuiltinModule("node:crypto");
  const hex = createHmac("sha256", APP.secret).update(`${socketId}:${channel}:${data}`).digest("hex");
  return { auth: `${APP.key}:${hex}`, channel_data: data };
}
