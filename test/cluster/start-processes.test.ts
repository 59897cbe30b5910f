/** `presently start --processes`, as people run it: several nodes behind one port, which nobody outside can tell from one. */
import faye from "faye";
import { LongPoll, type Socket } from "phoenix";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connectClient, countsOf, join } from "../conformance/phoenix-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { keysOn, openEvents, send, type TestStream, topicPath } from "../helpers/http.ts";
import { type RunningNode, startNode } from "../helpers/processes.ts";

const processes = 3;
const names = ["g-1", "g-2", "g-3"];
const words = [
  ...["--name", "g", "--processes", String(processes), "--http", "127.0.0.1:0"],
  ...["--phoenix", "/socket", "--phoenix-key", "name", "--faye", "/bayeux"],
  // So that this machine can be many clients, by what a proxy says.
  ...["--trusted-proxy", "127.0.0.1", "--open"],
];

let group: RunningNode;
let url = "";
const closing: (() => void)[] = [];
// To start it takes longer than all that follows.
beforeAll(async () => {
  group = await startNode(words);
  url = group.url;
  await eventually(async () => expect((await send(url, "/readyz")).status).toBe(200));
});
afterEach(() => {
  for (const close of closing.splice(0)) close();
});
afterAll(() => group?.kill());

/** The processes of the group that were started last, by their names. */
function pidsOf({ output }: RunningNode): Map<string, number> {
  const pids = new Map<string, number>();
  for (const line of output.split("\n")) {
    const [, pid, name] = /"pid":(\d+),"msg":"process (\S+) runs"/.exec(line) ?? [];
    if (name !== undefined) pids.set(name, Number(pid));
  }
  return pids;
}

/** Values of a metric that has no label but that of its node. */
async function metric(url: string, name: string): Promise<Record<string, number>> {
  const { text } = await send(url, "/metrics");
  const found = [
    ...text.matchAll(new RegExp(`^${name}\\{cluster="presently",node="([^"]+)"\\} (\\S+)$`, "gm")),
  ];
  return Object.fromEntries(found.map(([, node, value]) => [node, Number(value)]));
}

/** The node that each key's first entry is on. */
async function nodesOf(url: string, topic: string): Promise<Map<string, string>> {
  const { body } = await send(url, topicPath(topic));
  const presences: Record<string, { metas: { node: string }[] }> = body.presences;
  return new Map(Object.entries(presences).map(([key, { metas }]) => [key, metas[0]!.node]));
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("requests that belong together reach the same process, whichever they come in at", async () => {
  const keys = Array.from({ length: 3 * processes }, (_, index) => `p${index}`);
  for (const key of keys)
    expect((await send(url, topicPath("put", key), { method: "PUT" })).status).toBe(201);
  await eventually(async () => expect(await keysOn(url, "put")).toEqual([...keys].sort()));
  expect(new Set((await nodesOf(url, "put")).values()).size).toBeGreaterThan(1);
  for (const key of keys)
    expect((await send(url, topicPath("put", key), { method: "DELETE" })).status).toBe(204);

  // Each request of these is a connection of its own, and so comes in at the next process.
  const tokens = new Map<string, string>();
  for (let client = 1; client <= 2 * processes; client++) {
    const headers = { "x-forwarded-for": `10.0.0.${client}` };
    const { body } = await send(url, `/socket/longpoll?vsn=2.0.0&name=c${client}`, { headers });
    expect(body).toMatchObject({ status: 410, token: expect.any(String) });
    tokens.set(`10.0.0.${client}`, body.token);
  }
  for (const [client, token] of tokens) {
    const headers = { "x-forwarded-for": client, "content-type": "application/x-ndjson" };
    const post = { method: "POST", headers, body: JSON.stringify(["1", "1", "poll:room", "phx_join", {}]) };
    const path = `/socket/longpoll?vsn=2.0.0&token=${encodeURIComponent(token)}`;
    expect((await send(url, path, post)).body).toEqual({ status: 200 });
    expect((await send(url, path, { headers })).body).toMatchObject({ status: 200, token });
  }
  await eventually(async () => expect(await keysOn(url, "poll:room")).toHaveLength(tokens.size));
  expect(new Set((await nodesOf(url, "poll:room")).values()).size).toBeGreaterThan(1);
});

test("the npm clients of Phoenix and Faye find each other through it, by every transport", async () => {
  const socketUrl = `${url.replace("http", "ws")}/socket`;
  const sockets: Socket[] = ["ws", "poll"].map((name) =>
    connectClient(socketUrl, { params: { name }, ...(name === "poll" ? { transport: LongPoll } : {}) }),
  );
  closing.push(() => {
    for (const socket of sockets) socket.disconnect();
  });
  const [overWebSocket, overPolls] = await Promise.all(sockets.map((socket) => join(socket, "room:lobby")));
  for (const { presence } of [overWebSocket!, overPolls!])
    await eventually(() => expect(countsOf(presence)).toEqual({ ws: 1, poll: 1 }));
  const heard: unknown[] = [];
  overPolls!.channel.on("hello", (payload) => void heard.push(payload));
  overWebSocket!.channel.push("hello", { from: "ws" });
  await eventually(() => expect(heard).toEqual([{ from: "ws" }]));

  // A Faye client shakes hands over HTTP, and goes on over a WebSocket, if it may.
  const clients = [true, true, false].map((webSockets) => {
    const client = new faye.Client(`${url}/bayeux`);
    if (!webSockets) client.disable("websocket");
    closing.push(() => client.disconnect());
    return client;
  });
  const messages: unknown[][] = clients.map(() => []);
  for (const [index, client] of clients.entries())
    await client.subscribe("/chat", (message: unknown) => messages[index]!.push(message));
  for (const [index, client] of clients.entries()) await client.publish("/chat", { from: index });
  const all = [{ from: 0 }, { from: 1 }, { from: 2 }];
  const inOrder = (list: unknown[]) =>
    [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  await eventually(() => expect(messages.map(inOrder)).toEqual([all, all, all]));
});

test("one that is killed takes its own people with it, and comes back; all leave together", async () => {
  const streams = new Map<string, TestStream>();
  for (let index = 0; index < 4 * processes; index++) {
    const key = `p${index}`;
    const stream = await openEvents(url, "room", { key });
    closing.push(() => stream.close());
    streams.set(key, stream);
  }
  const everybody = [...streams.keys()].sort();
  await eventually(async () => expect(await keysOn(url, "room")).toEqual(everybody));
  const nodes = await nodesOf(url, "room");
  expect([...new Set(nodes.values())].sort()).toEqual(names);
  expect(await metric(url, "presently_process_up")).toEqual({ "g-1": 1, "g-2": 1, "g-3": 1 });

  const [victim, bystander] = ["g-2", "g-1"];
  const before = pidsOf(group);
  process.kill(before.get(victim)!, "SIGKILL");
  const left = everybody.filter((key) => nodes.get(key) !== victim);
  await eventually(async () => expect(await keysOn(url, "room")).toEqual(left));
  for (const [key, stream] of streams) if (nodes.get(key) !== victim) expect(stream.ended).toBe(false);
  await eventually(async () => {
    expect(pidsOf(group).get(victim)).not.toBe(before.get(victim));
    expect(await metric(url, "presently_process_up")).toEqual({ "g-1": 1, "g-2": 1, "g-3": 1 });
    expect(Object.keys(await metric(url, "presently_topics"))).toEqual(names);
  });
  expect(pidsOf(group).get(bystander)).toBe(before.get(bystander));
  // Every one of many connections finds everybody: the new process serves nobody before it has caught up.
  for (let attempt = 0; attempt < 2 * processes; attempt++) expect(await keysOn(url, "room")).toEqual(left);

  const pids = [...pidsOf(group).values()];
  expect(await group.stop()).toBe(0);
  expect(pids.filter(alive)).toEqual([]);
  const stopped = [...group.output.matchAll(/"msg":"presently (\S+) has stopped"/g)].map(([, name]) => name);
  expect(stopped).toEqual([...names, "g"]);
});
