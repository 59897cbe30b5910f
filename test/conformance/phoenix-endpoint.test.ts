/** The ready-made socket at a node's own HTTP address, as the npm client sees it. */
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
  const tokenSecret = "a secret of signer and server";
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
