/** The transports of the npm client that need a browser, spoken by hand in Node.js: callback-polling and event streams. */
import { request, type ServerResponse } from "node:http";
import { type FayeServer, protect } from "@presently/faye";
import faye from "faye";
import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type FayeNode, FayeTab, startFayeNodes } from "./faye-client.ts";
import { WireClient } from "./faye-wire.ts";

// Real servers and sockets on a machine that may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const room = "/presence/room";
const nodes: FayeNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function start(): Promise<[FayeNode, FayeNode]> {
  nodes.push(...(await startFayeNodes(["a", "b"])));
  return nodes as [FayeNode, FayeNode];
}

test("callback-polling: the list comes in the script of the reply, the events in that of a poll", async () => {
  const [a, b] = await start();
  const tab = await new FayeTab(b.url, "bob").join(room);
  await eventually(() => expect(a.node.list(room)).toHaveLength(1));
  const client = await WireClient.open(a.url, "callback-polling");
  const presence = { id: "alice\u2028", data: { text: "</script>\u2029" } };
  const say = (channel: string, fields: object) =>
    client.script(
      [{ channel, clientId: client.clientId, id: client.nextId(), ...fields }],
      "faye.callback_7",
    );
  const [reply] = await say("/meta/subscribe", { subscription: room, ext: { presence } });
  expect(reply.ext.presence.subscribe).toEqual({ bob: { id: "bob" }, "alice\u2028": presence });
  await eventually(() => expect(tab.ids(room)).toEqual(["alice\u2028", "bob"]));
  tab.close();
  const heard: unknown[] = [];
  await eventually(async () => {
    const poll = { connectionType: "callback-polling", advice: { timeout: 0 } };
    for (const { data } of await say("/meta/connect", poll)) if (data !== undefined) heard.push(data);
    expect(heard).toContainEqual({ unsubscribe: { bob: null } });
  });
  expect(heard[0]).toEqual({ subscribe: { "alice\u2028": presence } });
});

test("event streams: the list comes in the reply, the events by the stream", async () => {
  const [a, b] = await start();
  const client = await WireClient.open(a.url, "eventsource");
  let text = "";
  const stream = request(`${a.url}/${client.clientId}`, { headers: { accept: "text/event-stream" } });
  stream.on("response", (response) => {
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    // We end it ourselves.
    response.on("error", () => undefined);
  });
  stream.on("error", () => undefined);
  stream.end();
  await client.say("/meta/connect", { connectionType: "eventsource" });
  const reply = await client.subscribe(room, { id: "alice" });
  expect(reply.ext.presence).toEqual({ subscribe: { alice: { id: "alice" } } });
  const tab = await new FayeTab(b.url, "bob").join(room);
  const heard = () => [...text.matchAll(/^data: (.*)$/gm)].flatMap(([, line]) => JSON.parse(line!));
  await eventually(() =>
    expect(heard().map(({ data }) => data)).toContainEqual({ subscribe: { bob: { id: "bob" } } }),
  );
  tab.close();
  await eventually(() =>
    expect(heard().map(({ data }) => data)).toContainEqual({ unsubscribe: { bob: null } }),
  );
  stream.destroy();
});

test("the paths of Faye are its own: the browser client is served, and nonsense is answered", async () => {
  const [a] = await start();
  const script = await fetch(`${a.url}/client.js`);
  expect(script.status).toBe(200);
  expect(await script.text()).toContain("Faye");
  for (const message of [
    "nonsense",
    "7",
    '"text"',
    "[1,null,[2],{}]",
    '[{"channel":["/a"]}]',
    '{"channel":"/meta/subscribe"}',
  ]) {
    const { status } = await fetch(`${a.url}?${new URLSearchParams({ message })}`);
    expect([200, 400]).toContain(status);
  }
  expect(await (await WireClient.open(a.url)).subscribe(room, { id: "alice" })).toMatchObject({
    successful: true,
  });
});

test("a protected server takes what no request has brought, as the specs of Faye hand it in", async () => {
  const server = new faye.NodeAdapter({ mount: "/bayeux", timeout: 1 }) as unknown as FayeServer & {
    _server: { process(message: object, request: false, callback: (replies: object[]) => void): void };
  };
  protect(server, { depthMax: 8 });
  const say = (message: object) =>
    new Promise<object[]>((resolve) => server._server.process(message, false, resolve));
  const handshake = {
    channel: "/meta/handshake",
    version: "1.0",
    supportedConnectionTypes: ["long-polling"],
  };
  expect(await say(handshake)).toMatchObject([{ successful: true }]);
  // It comes from outside all the same: the bounds on messages hold.
  let ext: object = {};
  for (let level = 0; level < 9; level++) ext = { ext };
  expect(await say({ ...handshake, ext })).toMatchObject([
    { successful: false, error: expect.stringMatching(/^400/) },
  ]);
});

test("a protected server outlives clients that leave during a poll, and requests without an end", async () => {
  const [a] = await start();
  const lost: unknown[] = [];
  const onLost = (error: unknown) => void lost.push(error);
  process.on("unhandledRejection", onLost);
  try {
    const client = await WireClient.open(a.url, "callback-polling");
    await client.script([
      { channel: "/meta/subscribe", clientId: client.clientId, subscription: "/chat", id: "1" },
    ]);
    const poll = { channel: "/meta/connect", clientId: client.clientId, connectionType: "callback-polling" };
    const query = new URLSearchParams({ message: JSON.stringify([poll]), jsonp: "cb" });
    const held = request(`${a.url}?${query}`).on("error", () => undefined);
    const arrived = new Promise<ServerResponse>((resolve) =>
      a.server.once("request", (_request, response) => resolve(response)),
    );
    held.end();
    const response = await arrived;
    const closed = new Promise((resolve) => response.once("close", resolve));
    held.destroy();
    await closed;
    // The poll has something to say now, to nobody.
    await a.bayeux.getClient().publish("/chat", "hello");
    await client.script([{ channel: "/chat", data: "more", id: "2" }]);

    const endless = request(a.url, { method: "POST" });
    const cut = new Promise((resolve) => endless.once("error", resolve));
    // A write to a socket that is gone is over at once, and leaves no turn in which it could be told so.
    const write = () =>
      void (endless.destroyed || endless.write("x".repeat(65_536), () => setImmediate(write)));
    write();
    await cut;
    expect(await (await WireClient.open(a.url)).subscribe(room, { id: "alice" })).toMatchObject({
      successful: true,
    });
    expect(lost).toEqual([]);
  } finally {
    process.off("unhandledRejection", onLost);
  }
});
