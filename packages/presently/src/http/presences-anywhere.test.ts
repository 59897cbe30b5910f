/** A back end behind a load balancer: what it PUTs at one node it finds, updates and removes at any other. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { keysOn, send, topicPath } from "../../../../test/helpers/http.ts";
import { createNode, type PresentlyNode } from "../node.ts";

const T = "room:lobby";
let nodes: PresentlyNode[];

beforeAll(async () => {
  const options = {
    cluster: "shop",
    secret: "a secret of more than 16 characters",
    logLevel: "silent" as const,
  };
  const start = (name: string, peers: string[]) =>
    createNode({ ...options, name, mesh: { port: 0, peers }, http: { port: 0 } });
  const a = await start("a", []);
  const b = await start("b", [a.meshUrl!]);
  nodes = [a, b, await start("c", [a.meshUrl!, b.meshUrl!])];
  await eventually(() => expect(nodes.map((node) => node.links().length)).toEqual([2, 2, 2]));
});
afterAll(() => Promise.all(nodes.map((node) => node.stop())));

const url = (index: number) => nodes[index]!.httpUrl!;
const put = (at: number, key: string, body: unknown, query = "") =>
  send(url(at), topicPath(T, key) + query, { method: "PUT", body });
const remove = (at: number, key: string, query = "") =>
  send(url(at), topicPath(T, key) + query, { method: "DELETE" });
const metas = async (at: number, key: string) =>
  (await send(url(at), topicPath(T))).body.presences[key]?.metas.map(({ meta }: { meta: unknown }) => meta);

test("each request may go to another node, and finds what the one before did", async () => {
  expect((await put(0, "bob", { meta: { n: 1 } })).status).toBe(201);
  expect((await put(1, "bob", { meta: { n: 2 } })).status).toBe(200);
  expect(await metas(2, "bob")).toEqual([{ n: 2 }]);
  expect((await remove(2, "bob")).status).toBe(204);
  for (const at of [0, 1, 2]) expect(await keysOn(url(at), T)).toEqual([]);
  expect((await remove(0, "bob")).status).toBe(404);
});

test("what several callers PUT under one key stands apart by their ids", async () => {
  await put(0, "amy", { meta: { by: "shop" } }, "?id=shop");
  await put(1, "amy", { meta: { by: "desk" } }, "?id=desk");
  expect(await metas(2, "amy")).toHaveLength(2);
  expect((await remove(2, "amy")).status).toBe(404);
  expect((await remove(2, "amy", "?id=shop")).status).toBe(204);
  expect(await metas(0, "amy")).toEqual([{ by: "desk" }]);
  expect((await remove(0, "amy", "?id=desk")).status).toBe(204);
});

test("it lapses after its time to live", async () => {
  expect((await put(0, "zoe", { ttlMs: 50 })).status).toBe(201);
  await eventually(async () => expect(await keysOn(url(1), T)).toEqual([]));
});

test.each([
  ["a time to live of 0", "", { ttlMs: 0 }, "ttlMs"],
  ["one that no timer can wait for", "", { ttlMs: 2_147_483_648 }, "ttlMs"],
  ["an unknown field", "", { meta: {}, until: 1 }, '"until"'],
  ["the field of a meta that is reserved", "", { meta: { "presently:put": {} } }, "presently:put"],
  ["an id that is too long", `?id=${"x".repeat(256)}`, {}, "id"],
])("%s is refused", async (_, query, body, named) => {
  const refused = await put(0, "eve", body, query);
  expect([refused.status, refused.body.error.code]).toEqual([400, "INVALID_ARGUMENT"]);
  expect(refused.body.error.message).toContain(named);
});

test("an id makes no sense where everything of a key is removed", async () => {
  expect((await remove(0, "eve", "?everywhere=true&id=x")).status).toBe(400);
});

test("it is there after its node has stopped", async () => {
  await put(2, "bob", { meta: { n: 1 } });
  expect((await send(url(0), topicPath(T))).body.presences.bob.metas[0].node).toBe("c");
  await nodes[2]!.stop();
  await eventually(async () => {
    for (const at of [0, 1]) expect(await metas(at, "bob")).toEqual([{ n: 1 }]);
    expect((await send(url(0), topicPath(T))).body.presences.bob.metas[0].node).not.toBe("c");
  });
});
