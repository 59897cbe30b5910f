/** Webhooks of real nodes at a real endpoint. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { WEBHOOKS_TOPIC } from "../drop-in/reserved-topics.ts";
import { createNode, type PresentlyNode } from "../node.ts";
import type { WebhookOptions } from "./options.ts";
import { SIGNATURE_HEADER, signWebhook, verifyWebhook } from "./signature.ts";
import { startWebhooks, type Webhooks } from "./webhooks.ts";

vi.setConfig({ testTimeout: 30_000 });

const secret = "a secret of sender and receiver";
const nodes: PresentlyNode[] = [];
const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

interface Receipt {
  readonly type: string;
  readonly topic: string;
  readonly key?: string;
  readonly reason?: string;
  readonly meta?: object;
  readonly id: string;
}

/** An endpoint that answers what `answer` says, and keeps what it accepted. */
async function endpoint(answer: (attempt: number) => number = () => 200) {
  const receipts: Receipt[] = [];
  const deliveries: string[] = [];
  let attempts = 0;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const header = String(request.headers[SIGNATURE_HEADER]);
      expect(verifyWebhook(secret, { header, body })).toBe(true);
      const status = answer(++attempts);
      deliveries.push(`${status} ${request.headers["presently-delivery"]}`);
      if (status === 200) receipts.push(...JSON.parse(body).events);
      response.writeHead(status).end();
    });
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`;
  return { url, receipts, deliveries };
}

async function start(count: number, options: Omit<WebhookOptions, "secret">): Promise<Webhooks[]> {
  const started: Webhooks[] = [];
  for (let index = 0; index < count; index++) {
    const peers = nodes.map(({ meshUrl }) => meshUrl!);
    const mesh = { port: 0, peers };
    nodes.push(
      await createNode({ name: `n${index}`, cluster: "hooks", secret: "mesh", mesh, logLevel: "error" }),
    );
  }
  await Promise.all(nodes.map((node) => node.whenReady()));
  for (const node of nodes) started.push(startWebhooks(node, { secret, batchDelayMs: 5, ...options }));
  await eventually(() => {
    for (const node of nodes) expect(node.count(WEBHOOKS_TOPIC).keys).toBe(count);
  });
  return started;
}

const shorten = ({ type, topic, key, reason }: Receipt) =>
  [type, topic, key, reason].filter((part) => part !== undefined).join(" ");

test("each event is posted once, by one of three nodes, and says what watchers saw", async () => {
  const { url, receipts } = await endpoint();
  await start(3, { url, topics: ["room:*"] });
  const seen: string[] = [];
  const topics = ["room:a", "room:b", "room:c", "room:d"];
  for (const topic of topics) {
    nodes[2]!.watch(topic, (change) => {
      if (change.type === "state") return;
      for (const { key } of change.joins) seen.push(`join ${topic} ${key}`);
      for (const { presence, reason } of change.leaves) seen.push(`leave ${topic} ${presence.key} ${reason}`);
    });
  }
  const session = nodes[1]!.session();
  for (const topic of [...topics, "other"]) session.track(topic, "7", { n: 1 });
  await eventually(() => expect(seen).toHaveLength(4));
  await eventually(() => expect(receipts).toHaveLength(8));
  session.update("room:a", "7", { n: 2 });
  await eventually(() => expect(nodes[2]!.get("room:a", "7")[0]?.meta).toEqual({ n: 2 }));
  nodes[2]!.remove("room:a", "7");
  await eventually(() => expect(session.get("room:a", "7")).toBeUndefined());
  session.close();
  await eventually(() => expect(seen).toHaveLength(8));
  await eventually(() => expect(receipts).toHaveLength(16));
  const people = receipts.filter(({ type }) => type === "join" || type === "leave");
  expect(people.map(shorten).sort()).toEqual(seen.toSorted());
  expect(new Set(receipts.map(({ id }) => id)).size).toBe(16);
  for (const topic of topics)
    expect(receipts.filter((event) => event.topic === topic).map(({ type }) => type)).toEqual([
      "occupied",
      "join",
      "leave",
      "vacated",
    ]);
  expect(people.find(({ type }) => type === "join")?.meta).toEqual({ n: 1 });
});

test("every topic of a pattern is reported, and two sessions of a key are one", async () => {
  const { url, receipts } = await endpoint();
  await start(2, { url, topics: ["room:*", "exact"], events: ["join", "leave"] });
  const sessions = nodes.map((node) => node.session());
  for (const session of sessions)
    for (const topic of ["room:x", "exact", "exactly"]) session.track(topic, "7");
  await eventually(() => expect(receipts.map(shorten).sort()).toEqual(["join exact 7", "join room:x 7"]));
  sessions[0]!.close();
  await eventually(() => expect(nodes[1]!.count("exact").entries).toBe(1));
  sessions[1]!.close();
  await eventually(() =>
    expect(receipts.map(shorten).sort().slice(2)).toEqual(["leave exact 7 left", "leave room:x 7 left"]),
  );
});

test.each([
  ["posted to nobody who has not named it", "*", ["room:lobby"]],
  ["posted to who has named it", "socketcluster:_SCPRESENCE", ["socketcluster:_SCPRESENCE"]],
])("what drop-ins keep for themselves is %s", async (_, pattern, posted) => {
  const { url, receipts } = await endpoint();
  await start(1, { url, topics: [pattern], events: ["join"] });
  const session = nodes[0]!.session();
  session.track("socketcluster:_SCPRESENCE", "socket", { authToken: "a token" });
  session.track("room:lobby", "alice");
  await eventually(() => expect(receipts.map(({ topic }) => topic)).toEqual(posted));
});

test("an observer that throws keeps no event from being delivered", async () => {
  const { url, receipts } = await endpoint((attempt) => (attempt <= 2 ? 503 : 200));
  let told = 0;
  const onNotice = () => {
    told++;
    throw new Error("the observer is broken");
  };
  await start(1, { url, topics: ["room"], events: ["join"], retryMinMs: 5, onNotice });
  nodes[0]!.session().track("room", "1");
  await eventually(() => expect(receipts.map(({ key }) => key)).toEqual(["1"]));
  expect(told).toBe(2);
});

test("a failed attempt is made again with the same delivery, and events keep their order", async () => {
  const { url, receipts, deliveries } = await endpoint((attempt) => (attempt <= 2 ? 503 : 200));
  const notices: string[] = [];
  const [webhooks] = await start(1, {
    url,
    topics: ["room"],
    events: ["join"],
    retryMinMs: 5,
    onNotice: ({ message }) => void notices.push(message),
  });
  const session = nodes[0]!.session();
  session.track("room", "1");
  await eventually(() => expect(deliveries.length).toBeGreaterThan(0));
  session.track("room", "2");
  await eventually(() => expect(receipts.map(({ key }) => key)).toEqual(["1", "2"]));
  expect(new Set(deliveries.slice(0, 3).map((line) => line.split(" ")[1])).size).toBe(1);
  await eventually(() => expect(webhooks!.counters).toEqual({ delivered: 2, failedAttempts: 2, dropped: 0 }));
  expect(webhooks!.waiting).toBe(0);
  expect(notices.join()).toContain("503");
});

test("what the endpoint will never take, and what nobody can take, is dropped and counted, never more than the bound", async () => {
  const { url } = await endpoint(() => 422);
  const dropped: string[] = [];
  const onNotice = ({ type, message }: { type: string; message: string }) => {
    if (type === "webhook-dropped") dropped.push(message);
  };
  const [refused] = await start(1, { url, topics: ["room"], events: ["join"], onNotice });
  const gone = startWebhooks(nodes[0]!, {
    url: "http://127.0.0.1:9/nobody",
    secret,
    topics: ["room"],
    events: ["join"],
    queueEventsMax: 2,
    batchEventsMax: 1,
    batchDelayMs: 0,
    onNotice,
  });
  const session = nodes[0]!.session();
  // Both have caught up only when both are in the electorate; that is one entry, as the node is one.
  await eventually(() => {
    session.untrack("room", "0");
    session.track("room", "0");
    expect(gone.waiting).toBeGreaterThan(0);
  });
  for (let key = 1; key <= 10; key++) session.track("room", String(key));
  await eventually(() => expect(refused!.counters.dropped).toBeGreaterThanOrEqual(10));
  await eventually(() => expect(gone.counters.failedAttempts).toBeGreaterThan(0));
  expect(gone.waiting).toBeLessThanOrEqual(3);
  expect(gone.counters.dropped).toBeGreaterThan(0);
  expect(dropped.join()).toContain("queueEventsMax");
});

test("a signature is of this body, at this time, by this secret", () => {
  const [body, nowS] = ['{"a":1}', 1_700_000_000];
  const header = signWebhook(secret, body, nowS);
  expect(verifyWebhook(secret, { header, body, nowS })).toBe(true);
  expect(verifyWebhook(secret, { header, body, nowS: nowS + 299 })).toBe(true);
  expect(verifyWebhook(secret, { header, body, nowS: nowS + 301 })).toBe(false);
  expect(verifyWebhook(secret, { header, body: '{"a":2}', nowS })).toBe(false);
  expect(verifyWebhook("another", { header, body, nowS })).toBe(false);
  for (const wrong of [undefined, "", "t=1,v1=", header.slice(0, -1), header.replace("v1", "v2")])
    expect(verifyWebhook(secret, { header: wrong, body, nowS })).toBe(false);
});

test("options that cannot be used are refused, by name", async () => {
  await start(1, { url: "http://127.0.0.1:9", topics: ["x"] });
  const options = { url: "http://127.0.0.1:9", secret, topics: ["x"] };
  for (const [wrong, problem] of [
    [{ url: "ftp://x" }, "webhooks.url"],
    [{ url: "nonsense" }, "webhooks.url"],
    [{ secret: "" }, "webhooks.secret"],
    [{ topics: [] }, "webhooks.topics"],
    [{ topics: ["a*b"] }, "webhooks.topics"],
    [{ events: ["nothing"] }, "webhooks.events"],
    [{ timeoutMs: 0 }, "webhooks.timeoutMs"],
    [{ retryMinMs: 10, retryMaxMs: 5 }, "webhooks.retryMaxMs"],
  ] as const)
    expect(() => startWebhooks(nodes[0]!, { ...options, ...wrong } as never)).toThrow(problem);
});
