/** Pusher's HTTP API, called by the real `pusher` library, and the signatures of the dossier. */
import { createHash, createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { APP, OTHER_APP, PusherCluster, subscribed } from "./pusher-cluster.ts";

let cluster: PusherCluster;

beforeAll(async () => {
  cluster = await PusherCluster.start(3);
  const ann = await cluster.connect(0, { id: "ann" });
  await subscribed(ann, "presence-api");
  await subscribed(await cluster.connect(1, { id: "ann" }), "presence-api");
  await subscribed(await cluster.connect(2, { id: "ben" }), "presence-api");
  await subscribed(ann, "open");
  await subscribed(await cluster.connect(2), "open");
  await subscribed(ann, "cache-api");
  await eventually(() => {
    for (const { node } of cluster.sites) expect(node.list("pusher:42/channel/presence-api")).toHaveLength(3);
    for (const { node } of cluster.sites) expect(node.list("pusher:42/channel/open")).toHaveLength(2);
    for (const { node } of cluster.sites) expect(node.list("pusher:42/members/presence-api")).toHaveLength(3);
  });
});

afterAll(() => cluster.stop());

const get = async (path: string, params = {}) =>
  await (await cluster.library(1).get({ path, params })).json();
const statusOf = (called: Promise<unknown>) =>
  called.then(
    () => 200,
    (error: { status: number }) => error.status,
  );

describe("what is read", () => {
  test("PU32, PU35: channels, a channel and its users are those of the cluster", async () => {
    expect(await get("/channels")).toEqual({ channels: { "presence-api": {}, open: {}, "cache-api": {} } });
    expect(
      await get("/channels", { filter_by_prefix: "presence-", info: "user_count,subscription_count" }),
    ).toEqual({
      channels: { "presence-api": { user_count: 2, subscription_count: 3 } },
    });
    expect(await get("/channels/open", { info: "subscription_count" })).toEqual({
      occupied: true,
      subscription_count: 2,
    });
    expect(await get("/channels/nobody")).toEqual({ occupied: false });
    expect(await get("/channels/presence-api/users")).toEqual({ users: [{ id: "ann" }, { id: "ben" }] });
  });

  test("PU35: what is kept of a cache channel is told, with its time", async () => {
    expect(await get("/channels/cache-api", { info: "cache" })).toEqual({ occupied: true, cache: null });
    await cluster.library(0).trigger("cache-api", "price", "1");
    await eventually(async () =>
      expect(await get("/channels/cache-api", { info: "cache" })).toEqual({
        occupied: true,
        cache: { data: "1", ttl: expect.any(Number) },
      }),
    );
  });

  test.each([
    ["/channels", { info: "user_count" }],
    ["/channels", { info: "colour" }],
    ["/channels/open", { info: "user_count" }],
    ["/channels/open", { info: "cache" }],
    ["/channels/open/users", {}],
    ["/channels/%23", {}],
  ])("PU35: %s with %j is 400", async (path, params) => {
    expect(await statusOf(cluster.library(0).get({ path, params }))).toBe(400);
  });
});

describe("what is published", () => {
  test("PU32, PU35: trigger and batches answer with info where it is asked for", async () => {
    const library = cluster.library(1);
    const channels = ["open", "presence-api"];
    expect(await (await library.trigger(channels, "e", "")).json()).toEqual({});
    expect(await (await library.trigger(channels, "e", "", { info: "subscription_count" })).json()).toEqual({
      channels: { open: { subscription_count: 2 }, "presence-api": { subscription_count: 3 } },
    });
    const batch = [
      { channel: "presence-api", name: "e", data: "", info: "user_count" },
      { channel: "open", name: "e", data: "" },
    ];
    expect(await (await library.triggerBatch(batch)).json()).toEqual({ batch: [{ user_count: 2 }, {}] });
    expect(await statusOf(library.trigger("open", "e", "", { info: "user_count" }))).toBe(400);
  });

  test("PU33: 10,240 bytes pass; more is 413; 101 channels, or 11 events, are 400", async () => {
    const library = cluster.library(0);
    expect(await statusOf(library.trigger("open", "e", "x".repeat(10_240)))).toBe(200);
    expect(await statusOf(library.trigger("open", "e", "x".repeat(10_241)))).toBe(413);
    const post = (path: string, body: object) => statusOf(library.post({ path, body: body as never }));
    const channels = Array.from({ length: 101 }, (_, at) => `c${at}`);
    expect(await post("/events", { name: "e", data: "", channels: channels.slice(1) })).toBe(200);
    expect(await post("/events", { name: "e", data: "", channels })).toBe(400);
    const event = { name: "e", data: "", channel: "open" };
    expect(await post("/batch_events", { batch: Array(10).fill(event) })).toBe(200);
    expect(await post("/batch_events", { batch: Array(11).fill(event) })).toBe(400);
  });

  test.each([
    [[]],
    [{ name: "e", data: { a: 1 }, channel: "open" }],
    [{ name: "", data: "", channel: "open" }],
    [{ name: "e", data: "" }],
    [{ name: "e", data: "", channel: "a b" }],
    [{ name: "e", data: "", channel: "open", socket_id: "me" }],
  ])("%j is 400", async (body) => {
    expect(await statusOf(cluster.library(0).post({ path: "/events", body: body as never }))).toBe(400);
  });
});

describe("who may", () => {
  test("PU32: a wrong secret and another app's key are 401, an unknown app is 404", async () => {
    const library = (app: typeof APP) => cluster.library(0, app);
    expect(await statusOf(library({ ...APP, secret: "wrong" }).trigger("open", "e", ""))).toBe(401);
    expect(await statusOf(library({ ...OTHER_APP, id: APP.id }).trigger("open", "e", ""))).toBe(401);
    expect(await statusOf(library({ ...APP, id: "99" }).trigger("open", "e", ""))).toBe(404);
  });

  test("PU32: a clock that is more than ten minutes off, and another body than was signed, are 401", async () => {
    const body = '{"name":"hi","data":"","channels":["room"]}';
    const ask = async (timestamp: number, sent: string) => {
      const query = `auth_key=${APP.key}&auth_timestamp=${timestamp}&auth_version=1.0&body_md5=${createHash("md5").update(body).digest("hex")}`;
      const signature = createHmac("sha256", APP.secret)
        .update(`POST\n/apps/42/events\n${query}`)
        .digest("hex");
      const url = `http://127.0.0.1:${cluster.sites[0]!.port}/apps/42/events?${query}&auth_signature=${signature}`;
      return (await fetch(url, { method: "POST", body: sent })).status;
    };
    const now = Math.floor(Date.now() / 1_000);
    expect(await ask(now, body)).toBe(200);
    expect(await ask(now - 700, body)).toBe(401);
    expect(await ask(now + 700, body)).toBe(401);
    expect(await ask(now, `${body} `)).toBe(401);
    expect((await fetch(`http://127.0.0.1:${cluster.sites[0]!.port}/apps/42/channels`)).status).toBe(401);
  });
});
