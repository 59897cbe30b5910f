/** The npm client `faye` 1.4 against three servers: who is present, and who is told of it. */
import faye from "faye";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type FayeNode, FayeTab, startFayeNodes, type Transport } from "./faye-client.ts";
import { WireClient } from "./faye-wire.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const room = "/presence/room";
const nodes: FayeNode[] = [];
const tabs: FayeTab[] = [];

afterEach(async () => {
  for (const tab of tabs.splice(0)) tab.close();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function start(...options: Parameters<typeof startFayeNodes>): Promise<FayeNode[]> {
  nodes.push(...(await startFayeNodes(...options)));
  return nodes;
}

function open(node: FayeNode, id?: unknown, data?: unknown, transport: Transport = "websocket"): FayeTab {
  const tab = new FayeTab(node.url, id, data, transport);
  tabs.push(tab);
  return tab;
}

const allSee = (channel: string, ids: readonly string[], who: readonly FayeTab[] = tabs) =>
  eventually(() => {
    for (const tab of who) expect(tab.ids(channel)).toEqual([...ids].sort());
  });
const idsAt = (node: FayeNode, channel = room) => node.node.list(channel).map(({ key }) => key);

describe.each(["websocket", "long-polling"] as const)("by %s", (transport) => {
  test("everybody on every node sees who comes and goes, once for each id", async () => {
    const [a, b, c] = (await start(["a", "b", "c"])) as [FayeNode, FayeNode, FayeNode];
    const alice = await open(a, "alice", { device: "laptop" }, transport).join(room);
    expect(alice.confirmations).toEqual([
      { subscribe: { alice: { id: "alice", data: { device: "laptop" } } } },
    ]);
    // Its own arrival is told to the newcomer, too.
    await eventually(() =>
      expect(alice.heard(room)).toEqual([
        { subscribe: { alice: { id: "alice", data: { device: "laptop" } } } },
      ]),
    );
    await eventually(() => expect(idsAt(b)).toEqual(["alice"]));
    const bob = await open(b, "bob", undefined, transport).join(room);
    expect(bob.confirmations[0].subscribe).toEqual({
      alice: { id: "alice", data: { device: "laptop" } },
      bob: { id: "bob" },
    });
    await allSee(room, ["alice", "bob"]);

    // Alice comes by a second device, on the third node, with other data: no event, but the next list has it.
    await eventually(() => expect(idsAt(c)).toContain("alice"));
    const phone = await open(c, "alice", { device: "phone" }, transport).join(room);
    await eventually(() => expect(idsAt(a).filter((id) => id === "alice")).toHaveLength(2));
    await eventually(() => expect(idsAt(b).filter((id) => id === "alice")).toHaveLength(2));
    const carol = await open(b, "carol", undefined, transport).join(room);
    expect(carol.confirmations[0].subscribe.alice).toEqual({ id: "alice", data: { device: "phone" } });
    await allSee(room, ["alice", "bob", "carol"]);

    // One of Alice's two leaves: no event. The other leaves: one.
    await alice.client.disconnect();
    await eventually(() => expect(idsAt(b).filter((id) => id === "alice")).toHaveLength(1));
    phone.client.unsubscribe(room);
    await allSee(room, ["bob", "carol"], [bob, carol]);
    const aboutAlice = ({ subscribe, unsubscribe }: Record<string, object>) =>
      "alice" in { ...subscribe, ...unsubscribe };
    expect(bob.heard(room).filter(aboutAlice)).toEqual([{ unsubscribe: { alice: null } }]);
    expect(phone.heard(room).filter(aboutAlice)).toEqual([]);
  });
});

test("a subscription without an id is refused, and leaves no trace", async () => {
  const [a] = (await start(["a"])) as [FayeNode];
  const alice = await open(a, "alice").join(room);
  await expect(open(a).join(room)).rejects.toMatchObject({
    code: null,
    message: "No presence id specified in presence subscription",
  });
  // Other channels need none.
  await open(a).join("/chat/room");
  await open(a, "bob").join(room);
  await allSee(room, ["alice", "bob"], [alice]);
});

test("channelRe says which channels have presence, whatever its flags", async () => {
  const [a] = (await start(["a"], { setup: { channelRe: /^\/members\/\w+$/gy } })) as [FayeNode];
  const alice = open(a, "alice");
  await alice.join("/presence/room");
  for (const name of ["one", "two", "three"]) await alice.join(`/members/${name}`);
  expect(alice.confirmations).toEqual(Array(3).fill({ subscribe: { alice: { id: "alice" } } }));
});

test("values can have the form of the original's page", async () => {
  const [a, b] = (await start(["a", "b"], { setup: { values: "data" } })) as [FayeNode, FayeNode];
  const alice = await open(a, "alice", { name: "Alice" }).join(room);
  await eventually(() => expect(idsAt(b)).toEqual(["alice"]));
  const bob = await open(b, "bob").join(room);
  expect(bob.confirmations).toEqual([{ subscribe: { alice: { name: "Alice" }, bob: null } }]);
  await eventually(() => expect(alice.heard(room)).toHaveLength(2));
  expect(alice.heard(room)).toEqual([
    { subscribe: { alice: { name: "Alice" } } },
    { subscribe: { bob: null } },
  ]);
});

test("ids that look like numbers or prototypes are ids like others", async () => {
  const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
  const ids = [7, "__proto__", "constructor", "toString", "👩‍🚀", "null", "a b/c"];
  const watcher = await open(a, "watcher").join(room);
  for (const id of ids) await open(b, id, { of: String(id) }).join(room);
  await allSee(room, ["watcher", ...ids.map(String)], [watcher]);
  const late = await open(a, "late").join(room);
  await allSee(room, ["watcher", "late", ...ids.map(String)], [watcher, late]);
  for (const id of ids)
    expect(watcher.rosters.get(room)?.get(String(id))).toEqual({ id, data: { of: String(id) } });
  expect(Object.hasOwn(late.confirmations[0].subscribe, "__proto__")).toBe(true);
  for (const tab of tabs.filter(({ id }) => ids.includes(id as string))) tab.close();
  await allSee(room, ["watcher", "late"], [watcher, late]);
});

test("who subscribes to a pattern hears of all rooms of all nodes, and is present under the pattern only", async () => {
  const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
  const observer = await open(a, "observer").join("/presence/*");
  expect(observer.confirmations).toEqual([{ subscribe: { observer: { id: "observer" } } }]);
  const bob = await open(b, "bob").join("/presence/one");
  await bob.join("/presence/two");
  // Who comes and goes faster than news travel was never there, for other nodes.
  await eventually(() => expect(observer.events).toHaveLength(2));
  bob.close();
  await eventually(() => expect(observer.events).toHaveLength(4));
  expect(new Set(observer.events.map((event) => JSON.stringify(event)))).toEqual(
    new Set(
      ["/presence/one", "/presence/two"].flatMap((channel) => [
        JSON.stringify([channel, { subscribe: { bob: { id: "bob" } } }]),
        JSON.stringify([channel, { unsubscribe: { bob: null } }]),
      ]),
    ),
  );
  expect(observer.ids("/presence/one")).toEqual([]);
});

describe("what leaks in the original does not here:", () => {
  test("a subscription that the server refuses is no presence", async () => {
    const [a] = (await start(["a"])) as [FayeNode];
    const watcher = await open(a, "watcher").join(room);
    const stranger = new WireClient(a.url);
    stranger.clientId = "nobody";
    expect(await stranger.subscribe(room, { id: "ghost" })).toMatchObject({
      successful: false,
      error: "401:nobody:Unknown client",
    });
    const guest = await WireClient.open(a.url);
    expect(await guest.subscribe("/presence/not a name", { id: "ghost" })).toMatchObject({
      error: "405:/presence/not a name:Invalid channel",
    });
    expect(await guest.subscribe([room, ["/presence/nested"]], { id: "ghost" })).toMatchObject({
      successful: false,
    });
    const [anonymous] = await guest.post([
      { channel: "/meta/subscribe", subscription: room, ext: { presence: { id: "ghost" } } },
    ]);
    expect(anonymous).toMatchObject({ error: "402:clientId:Missing required parameter" });
    // Somebody real comes after them: what is heard until then is all there was.
    await open(a, "bob").join(room);
    await allSee(room, ["watcher", "bob"], [watcher]);
    expect(JSON.stringify(watcher.events)).not.toContain("ghost");
    expect(idsAt(a).sort()).toEqual(["bob", "watcher"]);
  });

  test("a subscription that another extension refuses is no presence, wherever that stands", async () => {
    const check = {
      incoming: (
        message: { channel: string; ext?: { presence?: { id?: unknown } }; error?: string },
        next: (message: object) => void,
      ) => {
        if (message.ext?.presence?.id === "mallory") message.error = "403::Not you";
        // Not at once, as one that asks a database.
        setImmediate(next, message);
      },
    };
    for (const when of ["before", "after"] as const) {
      const [a] = (await start([when], {
        before: (bayeux) => void (when === "before" && bayeux.addExtension(check)),
      })) as [FayeNode];
      if (when === "after") a.bayeux.addExtension(check);
      const client = await WireClient.open(a.url);
      // Two at a time, of which one is refused: neither answers for the other.
      const replies = await client.post(
        ["alice", "mallory"].map((id) => ({
          channel: "/meta/subscribe",
          clientId: client.clientId,
          id: "same",
          subscription: room,
          ext: { presence: { id } },
        })),
      );
      expect(replies.map(({ successful }) => successful).sort()).toEqual([false, true]);
      expect(idsAt(a)).toEqual(["alice"]);
      await Promise.all(nodes.splice(0).map((node) => node.stop()));
    }
  });

  test("who takes another id on the same channel gives the first one back", async () => {
    const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
    const watcher = await open(b, "watcher").join(room);
    const client = await WireClient.open(a.url);
    await client.subscribe(room, { id: "alice" });
    await allSee(room, ["alice", "watcher"], [watcher]);
    const reply = await client.subscribe(room, { id: "alicia" });
    expect(reply.ext.presence.subscribe).toMatchObject({ alicia: { id: "alicia" } });
    expect(reply.ext.presence.subscribe).not.toHaveProperty("alice");
    await allSee(room, ["alicia", "watcher"], [watcher]);
    await client.say("/meta/disconnect");
    await allSee(room, ["watcher"], [watcher]);
  });

  test("the end of a subscription that was never a presence is no event", async () => {
    const bad = { channelRe: /^\/presence\//, limits: { idBytesMax: 300 } };
    const [a] = (await start(["a"], { setup: { ...bad, onNotice: () => undefined } })) as [FayeNode];
    const watcher = await open(a, "watcher").join(room);
    // The node takes no id as long as this; Faye has subscribed the client by then.
    const client = await WireClient.open(a.url);
    expect(await client.subscribe(room, { id: "x".repeat(280) })).toMatchObject({
      successful: false,
      error: "An error occurred subscribing to presence channel",
    });
    await client.unsubscribe(room);
    // And it can come again, by a better one.
    expect(await client.subscribe(room, { id: "bob" })).toMatchObject({ successful: true });
    await allSee(room, ["watcher", "bob"], [watcher]);
    expect(JSON.stringify(watcher.events)).not.toContain("null");
  });

  test("one message may name several channels", async () => {
    const [a] = (await start(["a"])) as [FayeNode];
    await open(a, "alice").join("/presence/one");
    const client = await WireClient.open(a.url);
    const reply = await client.subscribe(["/presence/one", "/chat", "/presence/two"], { id: "bob" });
    expect(reply).toMatchObject({
      successful: true,
      subscription: ["/presence/one", "/chat", "/presence/two"],
    });
    const [alice, bob] = [{ id: "alice" }, { id: "bob" }];
    expect(reply.ext.presence).toEqual({
      subscribe: { alice, bob },
      channels: { "/presence/one": { alice, bob }, "/presence/two": { bob } },
    });
    expect(await client.subscribe(["/presence/one", "/chat"])).toMatchObject({
      error: "No presence id specified in presence subscription",
    });
    await client.unsubscribe(["/presence/one", "/presence/two"]);
    expect(idsAt(a, "/presence/one")).toEqual(["alice"]);
    expect(idsAt(a, "/presence/two")).toEqual([]);
  });

  test("a client that is not heard of any more goes after twice the time-out, and a new one may take its place", async () => {
    const [a, b] = (await start(["a", "b"], (name) => ({
      bayeux: { timeout: name === "a" ? 0.3 : 20 },
    }))) as [FayeNode, FayeNode];
    const watcher = await open(b, "watcher").join(room);
    const lost = await WireClient.open(a.url);
    await lost.subscribe(room, { id: "alice" });
    await eventually(() => expect(watcher.heard(room).at(-1)).toEqual({ unsubscribe: { alice: null } }));
    expect(watcher.heard(room).at(-2)).toEqual({ subscribe: { alice: { id: "alice" } } });
    expect(await lost.subscribe(room, { id: "alice" })).toMatchObject({
      error: expect.stringMatching(/^401:/),
    });
    await open(b, "alice").join(room);
    await allSee(room, ["alice", "watcher"]);
  });
});

test("a client whose server was replaced is present again without code of its own", async () => {
  const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
  const watcher = await open(b, "watcher").join(room);
  const alice = await open(a, "alice").join(room);
  await allSee(room, ["alice", "watcher"]);
  // What a restart does: the server knows nobody any more, and the client is told so when it next connects.
  const { clientId } = (alice.client as unknown as { _dispatcher: { clientId: string } })._dispatcher;
  const other = new WireClient(a.url);
  other.clientId = clientId;
  await other.say("/meta/disconnect");
  await eventually(() => expect(watcher.heard(room)).toContainEqual({ unsubscribe: { alice: null } }));
  await allSee(room, ["alice", "watcher"], [watcher]);
});

test("a node that the operators take somebody off says so, and the client may come again", async () => {
  const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
  const watcher = await open(b, "watcher").join(room);
  const client = await WireClient.open(a.url);
  await client.subscribe(room, { id: "alice" });
  await allSee(room, ["alice", "watcher"], [watcher]);
  expect(b.node.remove(room, "alice")).toBe(1);
  await allSee(room, ["watcher"], [watcher]);
  await eventually(() => expect(idsAt(a)).toEqual(["watcher"]));
  await client.subscribe(room, { id: "alice", data: { again: true } });
  await allSee(room, ["alice", "watcher"], [watcher]);
  await client.unsubscribe(room);
  await allSee(room, ["watcher"], [watcher]);
});

test("server code may make somebody present, and may ask who is", async () => {
  const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
  const alice = await open(a, "alice").join(room);
  b.node.session().track(room, "bot", { name: "Bot" });
  await allSee(room, ["alice", "bot"], [alice]);
  expect(await a.presence.list(room)).toEqual({
    alice: { id: "alice" },
    bot: { id: "bot", data: { name: "Bot" } },
  });
});

test("clients may not publish what looks like presence, unless that is allowed", async () => {
  const [a] = (await start(["a"])) as [FayeNode];
  const alice = await open(a, "alice").join(room);
  const forger = new faye.Client(a.url);
  await expect(forger.publish(room, { subscribe: { ghost: { id: "ghost" } } })).rejects.toMatchObject({
    code: 403,
  });
  await expect(forger.publish(room, { unsubscribe: { alice: null } })).rejects.toMatchObject({ code: 403 });
  await forger.publish(room, { text: "hello" });
  await eventually(() => expect(alice.heard(room)).toContainEqual({ text: "hello" }));
  expect(alice.ids(room)).toEqual(["alice"]);
  await forger.disconnect();

  const [other] = await startFayeNodes(["b"], { setup: { forgedEvents: "allow" } });
  nodes.push(other!);
  const liberal = new faye.Client(other!.url);
  await liberal.publish(room, { subscribe: { ghost: { id: "ghost" } } });
  await liberal.disconnect();
});

test("limits are for one client and for all, and refuse with the original's error", async () => {
  const notices: string[] = [];
  const [a] = (await start(["a"], {
    setup: {
      limits: { channelsPerClientMax: 2, clientsMax: 2 },
      onNotice: ({ type, message }) => void notices.push(`${type}: ${message}`),
    },
  })) as [FayeNode];
  const alice = await WireClient.open(a.url);
  const bob = await WireClient.open(a.url);
  const carol = await WireClient.open(a.url);
  const error = "An error occurred subscribing to presence channel";
  expect(await alice.subscribe("/presence/1", { id: "alice" })).toMatchObject({ successful: true });
  expect(await alice.subscribe(["/presence/2", "/presence/3"], { id: "alice" })).toMatchObject({ error });
  expect(await alice.subscribe("/presence/2", { id: "alice" })).toMatchObject({ successful: true });
  expect(await alice.subscribe("/presence/3", { id: "alice" })).toMatchObject({ error });
  expect(await bob.subscribe("/presence/1", { id: "bob" })).toMatchObject({ successful: true });
  expect(await carol.subscribe("/presence/1", { id: "carol" })).toMatchObject({ error });
  expect(await bob.subscribe("/presence/2", { id: "bob", data: "x".repeat(9_000) })).toMatchObject({ error });
  await bob.say("/meta/disconnect");
  expect(await carol.subscribe("/presence/1", { id: "carol" })).toMatchObject({ successful: true });
  expect(notices.every((notice) => notice.startsWith("not-stored: "))).toBe(true);
  expect(notices.filter((notice) => notice.includes("channelsPerClientMax"))).toHaveLength(2);
  expect(notices.filter((notice) => notice.includes("clientsMax"))).toHaveLength(1);
});

test("when presence is taken off, its people are gone, and the server serves as before", async () => {
  const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
  const watcher = await open(b, "watcher").join(room);
  await open(a, "alice").join(room);
  await allSee(room, ["alice", "watcher"]);
  const { addExtension } = Object.getPrototypeOf(a.bayeux);
  a.presence.close();
  a.presence.close();
  await allSee(room, ["watcher"], [watcher]);
  expect(a.bayeux.addExtension).toBe(addExtension);
  expect(await (await WireClient.open(a.url)).subscribe(room)).not.toHaveProperty("ext");
});

test("the people of a node that stops in good order are handed off without an event", async () => {
  const [a, b] = (await start(["a", "b"])) as [FayeNode, FayeNode];
  const watcher = await open(b, "watcher").join(room);
  const alice = await open(a, "alice").join(room);
  await allSee(room, ["alice", "watcher"]);
  nodes.splice(nodes.indexOf(a), 1);
  alice.close();
  // Alice comes back elsewhere in time.
  const stopped = a.stop(10_000);
  await open(b, "alice").join(room);
  await stopped;
  expect(watcher.heard(room).filter((data) => "unsubscribe" in data)).toEqual([]);
  expect(watcher.ids(room)).toEqual(["alice", "watcher"]);
});

test("after any churn on three nodes, everybody who listened knows exactly who is there", async () => {
  const cluster = await start(["a", "b", "c"]);
  const channels = ["/presence/one", "/presence/two"];
  const ids = ["alice", "bob", "__proto__", "7"];
  const watchers: FayeTab[] = [];
  for (const node of cluster) {
    const watcher = open(node, "watcher");
    for (const channel of channels) await watcher.join(channel);
    watchers.push(watcher);
  }
  /** Per client, what it is on each channel. */
  const clients: { wire: WireClient; node: FayeNode; on: Map<string, string> }[] = [];
  const connect = async (index: number) => {
    const node = cluster[index % cluster.length]!;
    clients[index] = { wire: await WireClient.open(node.url), node, on: new Map() };
  };
  for (let index = 0; index < 6; index++) await connect(index);
  // Always the same: a failure can be looked at again.
  let state = 20_261_122;
  const choose = (count: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 4_294_967_296) * count);
  };
  for (let step = 0; step < 150; step++) {
    const index = choose(clients.length);
    const { wire, on } = clients[index]!;
    const channel = channels[choose(channels.length)]!;
    const kind = choose(10);
    if (kind < 5) {
      const id = ids[choose(ids.length)]!;
      await wire.subscribe(channel, { id, data: { step } });
      on.set(channel, id);
    } else if (kind < 9) {
      await wire.unsubscribe(channel);
      on.delete(channel);
    } else {
      await wire.say("/meta/disconnect");
      await connect(index);
    }
  }
  await eventually(() => {
    for (const channel of channels) {
      const truth = new Set(["watcher", ...clients.flatMap(({ on }) => on.get(channel) ?? [])]);
      for (const node of cluster) expect(new Set(idsAt(node, channel))).toEqual(truth);
      for (const watcher of watchers) expect(watcher.ids(channel)).toEqual([...truth].sort());
    }
  });
  // Each watcher was told of comings and goings by turns, once for each.
  for (const watcher of watchers)
    for (const channel of channels)
      for (const id of ids) {
        const told = watcher
          .heard(channel)
          .filter(({ subscribe, unsubscribe }) => Object.hasOwn(subscribe ?? unsubscribe, id))
          .map((data) => Object.keys(data)[0]);
        expect(told).toEqual(told.map((_, index) => (index % 2 === 0 ? "subscribe" : "unsubscribe")));
      }
});
