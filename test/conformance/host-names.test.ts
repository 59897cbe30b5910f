/**
 * A node on loopback without access has no other lock than that: what every protocol serves there must not be had by a web
 * page whose owner points a name of his at 127.0.0.1.
 */
import { serveEndpoint as serveAnyCable } from "@presently/anycable";
import { serveEndpoint as serveFaye } from "@presently/faye";
import { serveEndpoint as servePhoenix } from "@presently/phoenix";
import faye from "faye";
import { createNode, type PresentlyNode } from "presently";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { endHostiles, RawClient } from "../helpers/hostile.ts";

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

async function serveAll(open: boolean): Promise<PresentlyNode> {
  const node = await createNode({ name: "n", http: { port: 0, open }, logLevel: "silent" });
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
async function statusOf(at: PresentlyNode, path: string, host: string, upgrade: boolean): Promise<number> {
  const url = new URL(path, at.httpUrl);
  const origin = `http://${host}`;
  const headers = upgrade
    ? `connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n`
    : "connection: close\r\n";
  const client = await RawClient.open(url.href);
  client.send(
    `GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${host}\r\norigin: ${origin}\r\n${headers}\r\n`,
  );
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
