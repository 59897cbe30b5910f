import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { send, topicPath } from "../../../../test/helpers/http.ts";
import { createNode, type PresentlyNode } from "../node.ts";

let node: PresentlyNode;
let url: string;

beforeAll(async () => {
  node = await createNode({ name: "a", cluster: "shop", http: { port: 0 }, logLevel: "silent" });
  url = node.httpUrl!;
});
afterAll(() => node.stop());

const put = (topic: string, key: string, body?: unknown) =>
  send(url, topicPath(topic, key), { method: "PUT", ...(body === undefined ? {} : { body }) });
const remove = (topic: string, key: string, query = "") =>
  send(url, topicPath(topic, key) + query, { method: "DELETE" });

describe("presences over HTTP", () => {
  test("a PUT makes a key present until a DELETE", async () => {
    const created = await put("room:lobby", "alice", { meta: { device: "phone" } });
    expect(created.status).toBe(201);
    expect((await send(url, topicPath("room:lobby"))).body).toEqual({
      topic: "room:lobby",
      keys: 1,
      entries: 1,
      presences: { alice: { metas: [{ ref: created.body.ref, node: "a", meta: { device: "phone" } }] } },
    });
    expect((await remove("room:lobby", "alice")).status).toBe(204);
    expect((await send(url, topicPath("room:lobby"))).body).toMatchObject({ keys: 0, presences: {} });
  });

  test("a second PUT updates, and says what it replaced", async () => {
    const first = await put("room:update", "alice", { meta: { away: false } });
    const second = await put("room:update", "alice", { meta: { away: true } });
    expect([first.status, second.status]).toEqual([201, 200]);
    const { body } = await send(url, topicPath("room:update"));
    expect(body.presences.alice.metas).toEqual([
      { ref: second.body.ref, previousRef: first.body.ref, node: "a", meta: { away: true } },
    ]);
  });

  test("a topic with very many entries is told whole, to many at a time, as small ones are", async () => {
    const session = node.session();
    const keys = Array.from({ length: 2_500 }, (_, index) => `guest ${index}`);
    for (const key of keys) session.track("room:crowd", key, { key });
    const path = topicPath("room:crowd");
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(url, path)));
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(body).toMatchObject({ topic: "room:crowd", keys: 2_500, entries: 2_500 });
      expect(Object.keys(body.presences)).toEqual(keys);
      expect(body.presences["guest 2499"].metas).toEqual([
        { ref: expect.any(String), node: "a", meta: { key: "guest 2499" } },
      ]);
    }
    const head = await fetch(url + path, { method: "HEAD" });
    expect(Number(head.headers.get("content-length"))).toBe(JSON.stringify(answers[0]!.body).length + 1);
    session.close();
  });

  test("a PUT without a body has an empty meta", async () => {
    expect((await put("room:empty", "alice")).status).toBe(201);
    const { body } = await send(url, topicPath("room:empty"));
    expect(body.presences.alice.metas[0].meta).toEqual({});
  });

  test("a DELETE takes only what was PUT here, unless it says everywhere", async () => {
    const session = node.session();
    const removed: string[] = [];
    session.onRemoved(({ key }) => removed.push(key));
    session.track("room:owned", "bob");
    expect((await remove("room:owned", "bob")).status).toBe(404);
    await put("room:owned", "bob");
    expect((await remove("room:owned", "bob")).status).toBe(204);
    expect(node.count("room:owned").entries).toBe(1);
    expect((await remove("room:owned", "bob", "?everywhere=true")).status).toBe(204);
    expect(node.count("room:owned").entries).toBe(0);
    expect(removed).toEqual(["bob"]);
    expect((await remove("room:owned", "bob", "?everywhere=true")).status).toBe(404);
    session.close();
  });

  test("what was removed everywhere can be PUT again, as new", async () => {
    await put("room:again", "alice");
    await remove("room:again", "alice", "?everywhere=true");
    expect((await remove("room:again", "alice")).status).toBe(404);
    expect((await put("room:again", "alice")).status).toBe(201);
  });

  test.each([
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
    "a/b",
    "a%2Fb",
    "%",
    "a b+c",
    "Zoë 👩‍🚀",
    "..",
    "\u0000",
  ])("the key and topic %j are like any other", async (name) => {
    expect((await put(name, name, { meta: {} })).status).toBe(201);
    const { body, text } = await send(url, topicPath(name));
    expect(Object.keys(body.presences)).toEqual([name]);
    expect(text).toContain(JSON.stringify({ [name]: 0 }).slice(1, -2));
    expect((await remove(name, name)).status).toBe(204);
    expect((await remove(name, name)).status).toBe(404);
  });
});

describe("topics over HTTP", () => {
  test("are listed with their counts, page by page", async () => {
    const session = node.session();
    for (const topic of ["list:c", "list:a", "list:b"]) session.track(topic, "alice");
    session.track("list:a", "bob");
    const first = await send(url, "/api/topics?prefix=list%3A&limit=2");
    expect(first.body.topics).toEqual([
      { topic: "list:a", keys: 2, entries: 2 },
      { topic: "list:b", keys: 1, entries: 1 },
    ]);
    const second = await send(url, `/api/topics?prefix=list:&limit=2&cursor=${first.body.nextCursor}`);
    const total = { topics: 3, keys: 4, entries: 4 };
    expect(second.body).toEqual({
      topics: [{ topic: "list:c", keys: 1, entries: 1 }],
      nextCursor: null,
      total,
    });
    session.close();
  });

  test("are listed with empty parameters as without any", async () => {
    const { status, body } = await send(url, "/api/topics?prefix=&limit=&cursor=");
    expect(status).toBe(200);
    expect(body).toEqual((await send(url, "/api/topics")).body);
  });
});

describe("a node over HTTP", () => {
  test("says that it is alive and ready", async () => {
    expect((await send(url, "/healthz")).status).toBe(200);
    expect((await send(url, "/readyz")).status).toBe(200);
  });

  test("tells of the cluster, itself first", async () => {
    const { body } = await send(url, "/api/cluster");
    expect(body).toMatchObject({ node: "a", cluster: "shop", replica: node.replica, ready: true, links: [] });
    expect(body.notReadyReason).toBeNull();
    expect(body.replicas[0]).toMatchObject({
      node: "a",
      status: "self",
      heardAgoMs: 0,
      agrees: null,
      address: null,
    });
    expect(body.counters).toEqual({ ...node.counters });
    expect(body.refused).toEqual({});
  });

  test("forgets a replica that it knows, and never itself", async () => {
    const evict = (replica: string) =>
      send(url, `/api/cluster/replicas/${encodeURIComponent(replica)}`, { method: "DELETE" });
    const own = await evict(node.replica);
    expect([own.status, own.body.error.code]).toEqual([409, "OWN_REPLICA"]);
    for (const unknown of ["b@1", "b", "__proto__", `${node.name}@1`]) {
      const answer = await evict(unknown);
      expect([answer.status, answer.body.error.code]).toEqual([404, "NOT_FOUND"]);
    }
    const { status, headers } = await send(url, "/api/cluster/replicas/b%401", { method: "OPTIONS" });
    expect([status, headers.allow]).toEqual([204, "DELETE, OPTIONS"]);
  });

  test("lets no web page of another origin forget a replica", async () => {
    const headers = { origin: "https://elsewhere.example" };
    const answer = await send(url, "/api/cluster/replicas/b%401", { method: "DELETE", headers });
    expect([answer.status, answer.body.error.code]).toEqual([403, "ORIGIN_REFUSED"]);
  });

  test("answers HEAD as GET, without the body", async () => {
    const [head, get] = [await send(url, "/healthz", { method: "HEAD" }), await send(url, "/healthz")];
    expect([head.status, head.text]).toEqual([200, ""]);
    expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
  });

  test("tells with OPTIONS what a resource takes", async () => {
    const { status, headers } = await send(url, topicPath("a", "b"), { method: "OPTIONS" });
    expect([status, headers.allow]).toEqual([204, "PUT, DELETE, OPTIONS"]);
  });
});

describe("a request that cannot be answered", () => {
  const long = "x".repeat(256);
  const deep = `{"meta":${'{"a":'.repeat(1_000)}1${"}".repeat(1_000)}}`;

  test.each<[string, string, string, unknown, number, string]>([
    ["broken JSON", "PUT", topicPath("t", "k"), '{"meta":', 400, "INVALID_ARGUMENT"],
    ["JSON that is no object", "PUT", topicPath("t", "k"), "[]", 400, "INVALID_ARGUMENT"],
    ["a meta that is no object", "PUT", topicPath("t", "k"), { meta: "x" }, 400, "INVALID_ARGUMENT"],
    ["a meta that is null", "PUT", topicPath("t", "k"), { meta: null }, 400, "INVALID_ARGUMENT"],
    ["a misspelt field", "PUT", topicPath("t", "k"), { metta: {} }, 400, "INVALID_ARGUMENT"],
    ["a meta that is nested too deep", "PUT", topicPath("t", "k"), deep, 400, "INVALID_ARGUMENT"],
    [
      "a meta over the limit",
      "PUT",
      topicPath("t", "k"),
      { meta: { a: "x".repeat(9_000) } },
      413,
      "LIMIT_REACHED",
    ],
    [
      "a body over the limit",
      "PUT",
      topicPath("t", "k"),
      { meta: {}, pad: "x".repeat(70_000) },
      413,
      "LIMIT_REACHED",
    ],
    ["a body far over the limit", "PUT", topicPath("t", "k"), "x".repeat(3_000_000), 413, "LIMIT_REACHED"],
    ["a long topic", "PUT", topicPath(long, "k"), {}, 400, "INVALID_ARGUMENT"],
    ["a long key", "PUT", topicPath("t", long), {}, 400, "INVALID_ARGUMENT"],
    ["a long key in UTF-8", "PUT", topicPath("t", "é".repeat(128)), {}, 400, "INVALID_ARGUMENT"],
    ["an empty key", "PUT", "/api/topics/t/presences/", {}, 400, "INVALID_ARGUMENT"],
    ["a list of a long topic", "GET", topicPath(long), undefined, 400, "INVALID_ARGUMENT"],
    ["a DELETE of a long key", "DELETE", topicPath("t", long), undefined, 400, "INVALID_ARGUMENT"],
    [
      "an unclear everywhere",
      "DELETE",
      `${topicPath("t", "k")}?everywhere=yes`,
      undefined,
      400,
      "INVALID_ARGUMENT",
    ],
    [
      "a misspelt parameter",
      "DELETE",
      `${topicPath("t", "k")}?everwhere=true`,
      undefined,
      400,
      "INVALID_ARGUMENT",
    ],
    ["nonsense for a limit", "GET", "/api/topics?limit=many", undefined, 400, "INVALID_ARGUMENT"],
    ["nonsense for a cursor", "GET", "/api/topics?cursor=!", undefined, 400, "INVALID_ARGUMENT"],
    ["a broken percent-encoding", "GET", "/api/topics/%E0%A4%A", undefined, 400, "BAD_URL"],
    ["an unknown path", "GET", "/api/nope", undefined, 404, "NOT_FOUND"],
    ["an unknown path with another method", "DELETE", "/nope", undefined, 404, "NOT_FOUND"],
    ["a wrong method", "POST", topicPath("t", "k"), {}, 405, "METHOD_NOT_ALLOWED"],
    [
      "events with a meta but no key",
      "GET",
      `${topicPath("t")}/events?meta={}`,
      undefined,
      400,
      "INVALID_ARGUMENT",
    ],
    [
      "events with broken JSON",
      "GET",
      `${topicPath("t")}/events?key=k&meta={`,
      undefined,
      400,
      "INVALID_ARGUMENT",
    ],
    [
      "events with a long key",
      "GET",
      `${topicPath("t")}/events?key=${long}`,
      undefined,
      400,
      "INVALID_ARGUMENT",
    ],
    ["events of a long topic", "GET", `${topicPath(long)}/events?key=k`, undefined, 400, "INVALID_ARGUMENT"],
    [
      "events with a meta over the limit",
      "GET",
      `${topicPath("t")}/events?key=k&meta=${encodeURIComponent(JSON.stringify({ a: "é".repeat(4_200) }))}`,
      undefined,
      413,
      "LIMIT_REACHED",
    ],
  ])("%s gets a typed error, and changes nothing", async (_, method, path, body, status, code) => {
    const answer = await send(url, path, { method, ...(body === undefined ? {} : { body }) });
    expect({ status: answer.status, code: answer.body.error?.code }).toEqual({ status, code });
    expect(answer.body.error.message).toMatch(/\S/);
    expect(node.topics("t")).toEqual([]);
    if (status === 405) expect(answer.headers.allow).toBe("PUT, DELETE, OPTIONS");
  });

  test("a body that is not UTF-8 is refused", async () => {
    const { status, body } = await sendBytes(topicPath("t", "k"), Buffer.from([0x22, 0xff, 0x22]));
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: "INVALID_ARGUMENT" });
  });

  test("a meta of 8 KiB fits into the URL of an event stream, percent-encoded", async () => {
    const meta = encodeURIComponent(JSON.stringify({ a: '"'.repeat(4_000) }));
    const { status } = await send(url, `${topicPath("wide")}/events?key=k&meta=${meta}`, { method: "HEAD" });
    expect(status).toBe(200);
    expect(node.topics("wide")).toEqual([]);
  });
});

async function sendBytes(path: string, bytes: Buffer) {
  const response = await fetch(url + path, { method: "PUT", body: new Uint8Array(bytes) });
  return { status: response.status, body: (await response.json()) as { error: { code: string } } };
}
