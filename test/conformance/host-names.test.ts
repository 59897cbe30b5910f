/**
 * A node on loopback without access has no other lock than that: what every protocol serves there must not be had by a web
 * page whose owner points a name of his at 127.0.0.1.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Cable, serveEndpoint as serveAnyCable } from "@presently/anycable";
import { protect, serveEndpoint as serveFaye } from "@presently/faye";
import { serveEndpoint as servePhoenix } from "@presently/phoenix";
import faye from "faye";
import { type Access, createNode, type PresentlyNode } from "presently";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { endHostiles, RawClient } from "../helpers/hostile.ts";
import { accessByToken } from "../helpers/tokens.ts";

vi.setConfig({ testTimeout: 60_000 });

const PATHS = {
  upgrades: ["/socket/websocket?vsn=2.0.0&user_id=u", "/cable", "/bayeux"],
  requests: [
    "/socket/longpoll?vsn=2.0.0&user_id=u",
    "/bayeux?message=%5B%5D&jsonp=a",
    "/bayeux/client.js",
    "/nowhere",
  ],
};

async function serveAll(open: boolean, access?: Access): Promise<PresentlyNode> {
  const guarded = access === undefined ? {} : { access };
  const node = await createNode({ name: "n", http: { port: 0, open }, logLevel: "silent", ...guarded });
  servePhoenix(node);
  serveAnyCable(node, { publicStreams: true });
  serveFaye(node, { faye });
  return node;
}

let node: PresentlyNode;
beforeAll(async () => {
  node = await serveAll(false);
});
afterAll(async () => {
  endHostiles();
  await node.stop();
});

/** The status of the first answer. */
function statusOf(at: PresentlyNode, path: string, host: string, upgrade: boolean): Promise<number> {
  return statusAt(new URL(path, at.httpUrl), upgrade, `host: ${host}\r\norigin: http://${host}\r\n`);
}

async function statusAt(
  url: URL,
  upgrade: boolean,
  fields: string,
  target = url.pathname + url.search,
): Promise<number> {
  const headers = upgrade
    ? `connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n`
    : "connection: close\r\n";
  const client = await RawClient.open(url.href);
  client.send(`GET ${target} HTTP/1.1\r\n${fields}${headers}\r\n`);
  await client.until(() => client.status !== undefined, "an answer");
  const { status } = client;
  client.destroy();
  return status!;
}

describe.each([
  ["an upgrade", PATHS.upgrades, true],
  ["a request", PATHS.requests, false],
] as const)("%s", (_, paths, upgrade) => {
  test.each(paths)("to %s is refused under a name of somebody else's", async (path) => {
    expect(await statusOf(node, path, "evil.example", upgrade)).toBe(403);
  });

  test.each(paths)("to %s is answered under a name of this machine", async (path) => {
    expect(await statusOf(node, path, new URL(node.httpUrl!).host, upgrade)).not.toBe(403);
  });
});

test("the probes answer under every name, and so does everything at a node that was opened", async () => {
  expect(await statusOf(node, "/healthz", "evil.example", false)).toBe(200);
  const open = await serveAll(true);
  for (const path of PATHS.upgrades) expect(await statusOf(open, path, "name.example", true)).toBe(101);
  await open.stop();
});

describe("a request that names two hosts", () => {
  /** Each of them names the right host once, first or last. */
  const doubles = (host: string): [what: string, fields: string][] => [
    ["another first", `host: evil.example\r\nhost: ${host}\r\n`],
    ["another last", `host: ${host}\r\nHOST: evil.example\r\n`],
    ["the same twice", `Host: ${host}\r\nhost: ${host}\r\n`],
    ["an empty one", `host: ${host}\r\nhost:\r\n`],
    ["others between", `host: ${host}\r\naccept: */*\r\nx-forwarded-host: a\r\nHoSt: evil.example\r\n`],
    ["in one field", `host: ${host}, evil.example\r\n`],
    ["as a name before it", `host: evil.example@${host}\r\n`],
    ["as a path behind it", `host: ${host}/evil.example\r\n`],
    ["two origins", `host: ${host}\r\norigin: http://${host}\r\norigin: http://evil.example\r\n`],
  ];

  test.each([
    ["of a node on loopback", () => serveAll(false)],
    ["of a node that was opened", () => serveAll(true)],
    ["of a node with access", () => serveAll(false, accessByToken())],
  ])("is refused at every door %s", async (_, serve) => {
    const at = await serve();
    const host = new URL(at.httpUrl!).host;
    for (const upgrade of [true, false])
      for (const path of [...PATHS.upgrades, ...PATHS.requests, "/healthz", "/api/topics", "/"])
        for (const [what, fields] of doubles(host))
          expect(await statusAt(new URL(path, at.httpUrl), upgrade, fields), `${what} ${path}`).toBe(400);
    const elsewhere = `http://evil.example/api/topics`;
    expect(await statusAt(new URL(at.httpUrl!), false, `host: ${host}\r\n`, elsewhere)).toBe(400);
    expect(await statusAt(new URL("/healthz", at.httpUrl), false, `host: ${host}\r\n`)).toBe(200);
    await at.stop();
  });

  test("is refused at a server of the application", async () => {
    const at = await createNode({ name: "n", logLevel: "silent" });
    const server = createServer((_request, response) => response.end("the application's"));
    const cable = new Cable(at, { publicStreams: true });
    cable.attach(server);
    const bayeux = new faye.NodeAdapter({ mount: "/bayeux" });
    protect(bayeux);
    bayeux.attach(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const [what, fields] of doubles(new URL(url).host)) {
      for (const [path, upgrade] of [
        ["/cable", true],
        ["/cable", false],
        ["/api/presence/a/users", false],
        ["/bayeux", true],
        ["/bayeux?message=%5B%5D&jsonp=a", false],
      ] as const)
        expect(await statusAt(new URL(path, url), upgrade, fields), `${what} ${path}`).toBe(400);
    }
    cable.close();
    bayeux.close();
    server.close();
    server.closeAllConnections();
    await at.stop();
  });
});
