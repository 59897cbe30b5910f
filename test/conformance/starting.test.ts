/** No door serves clients before its node is ready: what they say would reach nobody, and lists would miss people. */
import { serveEndpoint as serveCable } from "@presently/anycable";
import { serveEndpoint as serveFaye } from "@presently/faye";
import { serveEndpoint as servePhoenix } from "@presently/phoenix";
import faye from "faye";
import { createNode, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { FayeTab } from "./faye-client.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const secret = "a secret that only these tests share";
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(name: string, peers: readonly string[]): Promise<PresentlyNode> {
  const mesh = { port: 0, peers };
  const node = await createNode({ name, secret, mesh, http: { port: 0 }, readyGraceMs: 60_000 });
  ends.push(() => node.stop({ handoffMs: 0 }));
  return node;
}

/** The HTTP status of a request to upgrade. */
function statusOf({ httpUrl }: PresentlyNode, [path, protocol]: (typeof DOORS)[number]): Promise<number> {
  const socket = new WebSocket(`${httpUrl!.replace("http", "ws")}${path}`, protocol);
  const status = new Promise<number>((resolve) => {
    socket.once("open", () => resolve(101));
    socket.once("unexpected-response", (_request, { statusCode }) => resolve(statusCode ?? 0));
    socket.once("error", () => resolve(0));
  });
  return status.finally(() => socket.terminate());
}

const DOORS: [path: string, protocol?: string][] = [
  ["/socket/websocket?vsn=2.0.0&user_id=ann"],
  ["/cable", "actioncable-v1-json"],
  ["/bayeux"],
];

test("clients are told to try again until the node is ready, and what they said meanwhile arrives", async () => {
  const b = await start("b", []);
  const heard: unknown[] = [];
  serveFaye(b, { faye });
  const listener = new FayeTab(`${b.httpUrl}/bayeux`, "listener");
  ends.push(() => listener.close());
  await listener.client.subscribe("/chat", (said) => void heard.push(said));
  const link = await LinkProxy.listen({ targetPort: Number(new URL(b.meshUrl!).port) });
  ends.push(() => link.close());
  link.cut();
  const a = await start("a", [`ws://127.0.0.1:${link.port}`]);
  servePhoenix(a);
  serveCable(a);
  const { server } = serveFaye(a, { faye });
  expect(a.ready).toBe(false);
  for (const door of DOORS) expect([door, await statusOf(a, door)]).toEqual([door, 503]);
  const body = [{ channel: "/chat", data: "too early", id: "1" }];
  expect((await send(a.httpUrl!, "/bayeux", { method: "POST", body })).status).toBe(503);
  expect((await send(a.httpUrl!, "/bayeux/client.js")).status).toBe(200);

  const tab = new FayeTab(`${a.httpUrl}/bayeux`, "early");
  ends.push(() => tab.close());
  const said = tab.client.publish("/chat", "by a client");
  const saidHere = server.getClient().publish("/chat", "by the server");
  link.restore();
  await said;
  await saidHere;
  await eventually(() => expect([...heard].sort()).toEqual(["by a client", "by the server"]));
  for (const door of DOORS) expect([door, await statusOf(a, door)]).toEqual([door, 101]);
});
