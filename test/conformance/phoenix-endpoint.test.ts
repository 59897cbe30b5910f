/** The ready-made socket at a node's own HTTP address, as the npm client sees it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type EndpointOptions, serveEndpoint } from "@presently/phoenix";
import type { Socket } from "phoenix";
import { createNode, type PresentlyNode } from "presently";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { keysOn } from "../helpers/http.ts";
import { connectClient, countsOf, join, push } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const clients: Socket[] = [];
const nodes: PresentlyNode[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function start(options?: EndpointOptions): Promise<{ node: PresentlyNode; url: string }> {
  const node = await createNode({ name: "a", http: { port: 0 } });
  nodes.push(node);
  serveEndpoint(node, options);
  return { node, url: `${node.httpUrl!.replace("http", "ws")}${options?.path ?? "/socket"}` };
}

function client(url: string, options: Parameters<typeof connectClient>[1]): Socket {
  const socket = connectClient(url, options);
  clients.push(socket);
  return socket;
}

/** The status that a client is refused with. */
function refusalOf(url: string, query: string): Promise<unknown> {
  const socket = new WebSocket(`${url}/websocket?vsn=2.0.0&${query}`);
  return new Promise((resolve) => {
    socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
  });
}

test("whoever connects is present on every topic they join, and is heard there", async () => {
  const { node, url } = await start();
  const alice = await join(client(url, { params: { user_id: "alice" } }), "any topic");
  const bob = await join(client(url, { params: { user_id: "bob" } }), "any topic");
  const heard: unknown[] = [];
  bob.channel.on("new_msg", (payload) => void heard.push(payload));
  expect(await push(alice.channel, "new_msg", { text: "hello" })).toEqual(["ok", {}]);
  await eventually(() => {
    expect(heard).toEqual([{ text: "hello" }]);
    expect(countsOf(alice.presence)).toEqual({ alice: 1, bob: 1 });
  });
  expect(await keysOn(node.httpUrl!, "any topic")).toEqual(["alice", "bob"]);
  const big = await push(alice.channel, "new_msg", { text: "x".repeat(65_000) });
  expect(big[0]).toBe("ok");
});

test("a client may describe itself by its join, within the bounds of a meta, and does not choose its time or ref", async () => {
  const { node, url } = await start();
  const socket = client(url, { params: { user_id: "alice" } });
  const described = { device: "phone", online_at: "7", phx_ref: "x", constructor: 1 };
  await join(socket, "room:1", { meta: described });
  const { online_at, ...meta } = node.list("room:1")[0]!.meta;
  expect(Number(online_at)).toBeGreaterThan(1_000_000);
  expect(meta).toEqual({ device: "phone", constructor: 1 });
  for (const [index, unusable] of [null, [], "text", 7].entries())
    await join(socket, `room:unusable ${index}`, { meta: unusable });
  expect(Object.keys(node.list("room:unusable 1")[0]!.meta)).toEqual(["online_at"]);
  for (const refused of [{ text: "x".repeat(9_000) }, JSON.parse('{"__proto__":{"a":1}}')])
    await expect(join(socket, "room:2", { meta: refused })).rejects.toThrow(/meta/);
  expect(node.list("room:2")).toEqual([]);
});

test("the page of the node is told of the client, and handed it as it came from npm", async () => {
  const { node } = await start({ path: "/live/", key: "name" });
  const base = node.httpUrl!;
  const description = await (await fetch(`${base}/phoenix.json`)).json();
  expect(description).toEqual({ socket: "/live", key: "name", client: "/live/phoenix.mjs" });
  const response = await fetch(`${base}/live/phoenix.mjs`);
  expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  const installed = createRequire(import.meta.url)
    .resolve("phoenix")
    .replace(".cjs.js", ".mjs");
  expect(await response.text()).toBe(readFileSync(installed, "utf8"));
  const etag = response.headers.get("etag")!;
  const again = await fetch(`${base}/live/phoenix.mjs`, { headers: { "if-none-match": etag } });
  expect(again.status).toBe(304);
  expect((await fetch(`${base}/phoenix.json`, { method: "POST" })).status).not.toBe(200);
  expect((await fetch(`${base}/live/package.json`)).status).toBe(404);
});

test("where clients need a token, the page has none, and is told of no client", async () => {
  const { node } = await start({ tokenSecret: "a secret of signer and server, long enough" });
  expect(await (await fetch(`${node.httpUrl}/phoenix.json`)).json()).toEqual({});
});

test("what only the server may say is not relayed", async () => {
  const { url } = await start();
  const { channel } = await join(client(url, { params: { user_id: "alice" } }), "room:1");
  for (const event of ["presence_diff", "presence_state", "disconnect", "phx_close"])
    expect(await push(channel, event)).toEqual(["error", { reason: "reserved event" }]);
});

test("a client without a name is refused", async () => {
  const { url } = await start({ path: "/live", key: "name" });
  expect(await refusalOf(url, "user_id=alice")).toBe(403);
  expect(await refusalOf(url, "name=")).toBe(403);
  expect(await refusalOf(url, `name=${"x".repeat(256)}`)).toBe(403);
  const { presence } = await join(client(url, { params: { name: "alice" } }), "room:1");
  await eventually(() => expect(countsOf(presence)).toEqual({ alice: 1 }));
});

test("with a secret, clients are who their token says", async () => {
  const { createHmac } = await import("node:crypto");
  const tokenSecret = "a secret of signer and server, long enough";
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const tokenFor = (claims: object, secret = tokenSecret) => {
    const content = `${encode({ alg: "HS256" })}.${encode(claims)}`;
    return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
  };
  const { url } = await start({ tokenSecret });
  expect(await refusalOf(url, "user_id=alice")).toBe(403);
  expect(await refusalOf(url, `token=${tokenFor({ user_id: "alice" }, "another")}`)).toBe(403);
  expect(await refusalOf(url, `token=${tokenFor({ user_id: "alice", exp: 1 })}`)).toBe(403);
  expect(await refusalOf(url, `token=${tokenFor({ name: "alice" })}`)).toBe(403);
  const alice = await join(client(url, { authToken: tokenFor({ user_id: "alice" }) }), "room:1");
  await join(client(url, { params: { token: tokenFor({ user_id: 7 }) } }), "room:1");
  await eventually(() => expect(countsOf(alice.presence)).toEqual({ alice: 1, 7: 1 }));
});

test("a node that stops sends its clients away, and does not wait for them", async () => {
  const { node, url } = await start();
  const codes: unknown[] = [];
  const socket = client(url, { params: { user_id: "alice" } });
  socket.onClose((event) => void codes.push(event.code));
  await join(socket, "room:1");
  await node.stop();
  await eventually(() => expect(codes[0]).toBe(1012));
});
