/** The ready-made server at a node's own HTTP address. */
import { serveEndpoint } from "@presently/faye";
import faye from "faye";
import { createNode, InvalidArgumentError, type PresentlyNode } from "presently";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { FayeTab } from "./faye-client.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const nodes: PresentlyNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

test("serves presence beside the API, and ends with the node, whoever is connected", async () => {
  const node = await createNode({ name: "a", http: { port: 0 } });
  nodes.push(node);
  serveEndpoint(node, { faye });
  const tab = await new FayeTab(`${node.httpUrl}/bayeux`, "alice").join("/presence/room");
  expect(tab.ids("/presence/room")).toEqual(["alice"]);
  expect((await send(node.httpUrl!, "/api/cluster")).status).toBe(200);
  expect((await send(node.httpUrl!, "/nowhere")).status).toBe(404);
  const url = node.httpUrl!.replace("http", "ws");
  const stray = new WebSocket(`${url}/nowhere`);
  expect(String(await new Promise((resolve) => stray.once("error", resolve)))).toContain("404");
  // One that never says a word is ended, too.
  const silent = new WebSocket(`${url}/bayeux`);
  await new Promise((resolve) => silent.once("open", resolve));
  const closed = new Promise((resolve) => silent.once("close", resolve));
  await node.stop();
  await closed;
  tab.close();
  await eventually(() => expect(node.httpServer?.listening).toBe(false));
});

test("pages of other hosts may not connect, by whichever transport, unless they are listed", async () => {
  const node = await createNode({ name: "a", http: { port: 0 } });
  nodes.push(node);
  const shop = "https://shop.example";
  serveEndpoint(node, { faye, path: "/closed" });
  serveEndpoint(node, { faye, path: "/listed", checkOrigin: [shop] });
  const statuses = async (path: string, headers: Record<string, string>) => {
    const answer = await send(node.httpUrl!, `${path}?message=[]`, { headers });
    const socket = new WebSocket(`${node.httpUrl!.replace("http", "ws")}${path}`, { headers });
    const upgraded = await new Promise((resolve) => {
      socket.once("open", () => resolve(101));
      socket.once("unexpected-response", (_request, { statusCode }) => resolve(statusCode));
    });
    socket.on("error", () => undefined).terminate();
    return [answer.status, upgraded];
  };
  expect(await statuses("/closed", { origin: shop })).toEqual([403, 403]);
  expect(await statuses("/closed", { origin: "null" })).toEqual([403, 403]);
  expect(await statuses("/closed", { "sec-fetch-site": "cross-site" })).toEqual([403, 403]);
  expect(await statuses("/closed", { origin: node.httpUrl! })).toEqual([200, 101]);
  expect(await statuses("/closed", {})).toEqual([200, 101]);
  expect(await statuses("/listed", { origin: shop })).toEqual([200, 101]);
  expect(await statuses("/listed", { "sec-fetch-site": "cross-site", referer: `${shop}/page` })).toEqual([
    200, 101,
  ]);
  expect(await statuses("/listed", { origin: "https://other.example" })).toEqual([403, 403]);
});

test("a node without HTTP, and options that cannot be used, are refused by name", async () => {
  const bare = await createNode({ name: "a" });
  const node = await createNode({ name: "b", http: { port: 0 } });
  nodes.push(bare, node);
  for (const [call, name] of [
    [() => serveEndpoint(bare, { faye }), "http"],
    [() => serveEndpoint(node, { faye, path: "bayeux" }), "options.path"],
    [() => serveEndpoint(node, { faye, bodyBytesMax: 0 }), "options.bodyBytesMax"],
  ] as const) {
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(name);
  }
});
