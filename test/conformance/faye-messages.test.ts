/** Messages on ordinary channels, published at one server and heard at all: `broadcast`. */
import faye from "faye";
import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type BayeuxClient, type FayeNode, startFayeNodes } from "./faye-client.ts";
import { WireClient } from "./faye-wire.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const nodes: FayeNode[] = [];
const clients: BayeuxClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function start(...options: Parameters<typeof startFayeNodes>): Promise<[FayeNode, FayeNode, FayeNode]> {
  nodes.push(...(await startFayeNodes(...options)));
  return nodes as [FayeNode, FayeNode, FayeNode];
}

function connect(node: FayeNode): BayeuxClient {
  const client = new faye.Client(node.url, { retry: 0.05 });
  clients.push(client);
  return client;
}

async function listen(client: BayeuxClient, channel: string): Promise<unknown[]> {
  const heard: unknown[] = [];
  await client.subscribe(channel, (data) => void heard.push(data));
  return heard;
}

test("what is published at one node is heard at all, once and in order, whatever it is", async () => {
  const [a, b, c] = await start(["a", "b", "c"], { setup: { broadcast: true } });
  const heard = await Promise.all([a, b, c].map((node) => listen(connect(node), "/chat/**")));
  // Server code listens and speaks by the client that the plug-in uses, too.
  heard.push(await listen(b.bayeux.getClient(), "/chat/one"));
  const payloads = [
    "text",
    7,
    0,
    false,
    null,
    [],
    ["a", { b: 1 }],
    {},
    { text: "hello", subscribe: { a: 1 } },
  ];
  const speaker = connect(a);
  for (const data of payloads) await speaker.publish("/chat/one", data);
  await eventually(() => {
    for (const one of heard) expect(one).toEqual(payloads);
  });
  await c.bayeux.getClient().publish("/chat/one", "from the server");
  await connect(b).publish("/chat/one", "the last");
  await eventually(() => {
    for (const one of heard) expect(one).toContain("the last");
  });
  // Nobody heard anything twice.
  for (const one of heard)
    expect([...one].sort()).toEqual([...payloads, "from the server", "the last"].sort());
});

test("without broadcast, and on other channels than those that match, messages stay where they are", async () => {
  const [a, b] = await start(["a", "b"], { setup: { broadcast: /^\/shared\// } });
  const here = await listen(connect(a), "/**");
  const there = await listen(connect(b), "/**");
  const speaker = connect(a);
  await speaker.publish("/local/one", 1);
  await speaker.publish("/shared/one", 2);
  await eventually(() => expect(there).toEqual([2]));
  expect(here).toEqual([1, 2]);
});

test("messages to the server itself are for the server that gets them", async () => {
  const [a, b] = await start(["a", "b"], { setup: { broadcast: true } });
  const asked = await Promise.all([a, b].map(({ bayeux }) => listen(bayeux.getClient(), "/service/ask")));
  const heard = await listen(connect(b), "/end");
  const speaker = connect(a);
  await speaker.publish("/service/ask", "who");
  await speaker.publish("/end", "end");
  await eventually(() => expect(heard).toEqual(["end"]));
  expect(asked).toEqual([["who"], []]);
});

test("extensions see each message at each server, and what they change is changed once", async () => {
  const seen: string[] = [];
  const [a, b] = await start(["a", "b"], (name) => ({
    setup: { broadcast: true, onNotice: () => undefined },
    before: (bayeux) =>
      bayeux.addExtension({
        incoming(message, callback) {
          if (message.channel === "/chat") {
            seen.push(`${name} ${message.data.text}`);
            if (message.data.text === "rude") message.error = "403:/chat:Mind your words";
            message.data = { ...message.data, stamps: [...message.data.stamps, name] };
          }
          callback(message);
        },
      }),
  }));
  const heard = await Promise.all([a, b].map((node) => listen(connect(node), "/chat")));
  const speaker = connect(a);
  await expect(speaker.publish("/chat", { text: "rude", stamps: [] })).rejects.toMatchObject({ code: 403 });
  await speaker.publish("/chat", { text: "hello", stamps: [] });
  await eventually(() => {
    for (const one of heard) expect(one).toEqual([{ text: "hello", stamps: ["a"] }]);
  });
  expect(seen).toEqual(["a rude", "a hello", "b hello"]);
});

test("ext travels with the message, and nobody can use ours to pretend", async () => {
  const [a, b] = await start(["a", "b"], { setup: { broadcast: true } });
  const listener = await WireClient.open(b.url);
  await listener.say("/meta/subscribe", { subscription: "/chat" });
  const speaker = await WireClient.open(a.url);
  const ext = { mood: "good", presently: "a token that is none" };
  await speaker.say("/chat", { data: "hello", ext });
  const messages: unknown[] = [];
  await eventually(async () => {
    messages.push(...(await listener.poll()));
    expect(messages).not.toEqual([]);
  });
  expect(messages).toEqual([{ channel: "/chat", data: "hello", ext, id: expect.any(String) }]);
});

test("a message that is too large for the cluster is refused as a whole", async () => {
  const notices: string[] = [];
  const onNotice = ({ type }: { type: string }) => void notices.push(type);
  const [a, b] = await start(["a", "b"], { setup: { broadcast: true, onNotice } });
  const heard = await Promise.all([a, b].map((node) => listen(connect(node), "/chat")));
  const speaker = connect(a);
  await expect(speaker.publish("/chat", "x".repeat(70_000))).rejects.toMatchObject({ code: 407 });
  await speaker.publish("/chat", "small");
  await eventually(() => expect(heard).toEqual([["small"], ["small"]]));
  expect(notices).toEqual(["relay-failed"]);
});

test("what another node sends that cannot be read is noticed, and changes nothing", async () => {
  const notices: string[] = [];
  const onNotice = ({ type }: { type: string }) => void notices.push(type);
  const [a, b] = await start(["a", "b"], { setup: { broadcast: true, onNotice } });
  const heard = await listen(connect(b), "/**");
  for (const payload of ["x", null, 7, {}, { channel: 7, data: 1 }, [], new Uint8Array(3)])
    a.node.broadcast("faye:publish", payload);
  // A channel that is none, and data that is missing.
  a.node.broadcast("faye:publish", { channel: "/meta/subscribe", data: 1 });
  a.node.broadcast("faye:publish", { channel: "/chat/*", data: 1 });
  a.node.broadcast("faye:publish", { channel: "/chat" });
  a.node.broadcast("faye:unsubscribe", { channel: "/presence/x", clientId: "nobody" });
  await connect(a).publish("/chat", "the end");
  await eventually(() => expect(heard).toEqual(["the end"]));
  expect(new Set(notices)).toEqual(new Set(["malformed-broadcast"]));
});

test("a flood of messages arrives whole and in order, or not at all, and presence goes on", async () => {
  const [a, b] = await start(["a", "b"], { setup: { broadcast: true } });
  const heard = await listen(connect(b), "/flood");
  const flood = await WireClient.open(a.url);
  const count = 500;
  await flood.post(
    Array.from({ length: count }, (_, data) => ({ channel: "/flood", clientId: flood.clientId, data })),
  );
  await flood.subscribe("/presence/room", { id: "alice" });
  await eventually(() => expect(b.node.list("/presence/room")).toHaveLength(1));
  await eventually(() => expect(heard.at(-1)).toBe(count - 1));
  expect(heard).toEqual([...(heard as number[])].sort((one, other) => one - other));
  expect(new Set(heard).size).toBe(heard.length);
});
