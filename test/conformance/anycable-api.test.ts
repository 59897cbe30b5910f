/** Streams of several nodes with real clients, and the REST API beside them. */
import type { Cable as Client } from "@anycable/core";
import { apiSecretFrom, type CableOptions } from "@presently/anycable";
import { createNode } from "presently";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { type CableNode, connectClient, startCableNodes } from "./anycable-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const clients: Client[] = [];
const running: CableNode[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(running.splice(0).map((node) => node.stop()));
});

const secret = "s3Krit";
const bearer = { authorization: `Bearer ${apiSecretFrom(secret)}` };

async function start(count: number, options: CableOptions<unknown> = {}): Promise<CableNode[]> {
  const nodes = await startCableNodes(["a", "b", "c"].slice(0, count), {
    secret,
    publicStreams: true,
    ...options,
  });
  running.push(...nodes);
  return nodes;
}

function client(...words: Parameters<typeof connectClient>) {
  const connected = connectClient(...words);
  clients.push(connected);
  return connected;
}

/** What a channel hears, in order. */
async function listen(cable: Client, stream = "room/42") {
  const channel = cable.streamFrom(stream);
  const heard: unknown[] = [];
  const places: unknown[] = [];
  channel.on("message", (message, meta) => {
    heard.push(message);
    places.push(meta);
  });
  await channel.ensureSubscribed();
  return { channel, heard, places };
}

const publish = (node: CableNode, body: unknown, headers: Record<string, string> = bearer) =>
  send(node.httpUrl, "/api/publish", { method: "POST", body, headers });

describe("a stream", () => {
  test("is one sequence for all, whichever node a message is published at", async () => {
    const [a, b, c] = (await start(3)) as [CableNode, CableNode, CableNode];
    const everybody = await Promise.all([a, b, c].map((node) => listen(client(node.url))));
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => [a, b, c][n % 3]!.cable.broadcast("room/42", { n })),
    );
    await eventually(() => {
      for (const { heard } of everybody) expect(heard).toHaveLength(30);
    });
    const [first, ...others] = everybody;
    expect(first!.places.map((place) => (place as { offset: number }).offset)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1),
    );
    for (const { heard, places } of others) {
      expect(heard).toEqual(first!.heard);
      expect(places).toEqual(first!.places);
    }
    // Those of one publisher keep their order.
    const ofA = (first!.heard as { n: number }[]).map(({ n }) => n).filter((n) => n % 3 === 0);
    expect(ofA).toEqual(ofA.toSorted((one, other) => one - other));
  });

  test("goes on at another node where it broke off: nothing twice, nothing missing", async () => {
    const [a, b, c] = (await start(3)) as [CableNode, CableNode, CableNode];
    let waits = true;
    const ann = client(a.url, {
      transportConfigurator: async (transport, { initial }) => {
        if (initial) return;
        await eventually(() => expect(waits).toBe(false));
        transport.setURL(transport.url.replace(a.url, b.url));
      },
    });
    const { channel, heard } = await listen(ann);
    const info: unknown[] = [];
    channel.on("info", (event) => void info.push(event.type));
    await c.cable.broadcast("room/42", 1);
    await eventually(() => expect(heard).toEqual([1]));
    ann.cut();
    await eventually(() => expect(a.cable.connections).toBe(0));
    for (const n of [2, 3]) await c.cable.broadcast("room/42", n);
    waits = false;
    await eventually(() => expect(heard).toEqual([1, 2, 3]));
    await c.cable.broadcast("room/42", 4);
    await eventually(() => expect(heard).toEqual([1, 2, 3, 4]));
    expect(info).toContain("history_received");
    expect(info).not.toContain("history_not_found");
  });

  test("goes on when the node that numbers it is gone, and when a new node comes", async () => {
    const nodes = await start(2);
    const streams = Array.from({ length: 8 }, (_, index) => `room/${index}`);
    for (const stream of streams) await nodes[0]!.cable.broadcast(stream, 1);
    // It has seen nothing of what was said before it came.
    const peers = nodes.map(({ node }) => node.meshUrl!);
    const { CableNode } = await import("./anycable-client.ts");
    const late = await CableNode.start(
      {
        name: "late",
        cluster: "anycable",
        secret: "a secret that only these tests share",
        mesh: { port: 0, peers },
      },
      { publicStreams: true },
    );
    running.push(late as CableNode);
    await late.node.whenReady();
    const since = Math.floor(Date.now() / 1_000) - 60;
    const cable = client(late.url, { historyTimestamp: since });
    const rooms = await Promise.all(streams.map((stream) => listen(cable, stream)));
    await eventually(() => {
      for (const { heard } of rooms) expect(heard).toEqual([1]);
    });
    for (const stream of streams) await nodes[1]!.cable.broadcast(stream, 2);
    running.splice(running.indexOf(nodes[0]!), 1);
    await nodes[0]!.stop();
    for (const stream of streams) await nodes[1]!.cable.broadcast(stream, 3);
    await eventually(() => {
      for (const { heard } of rooms) expect(heard).toEqual([1, 2, 3]);
    });
  });

  test("is numbered by whoever publishes where the node in charge serves no cable", async () => {
    const [a] = (await start(1)) as [CableNode];
    const bare = await createNode({
      name: "bare",
      cluster: "anycable",
      secret: "a secret that only these tests share",
      mesh: { port: 0, peers: [a.node.meshUrl!] },
    });
    try {
      await bare.whenReady();
      await eventually(() => expect(a.node.links()).toHaveLength(1));
      const cable = client(a.url);
      for (let index = 0; index < 8; index++) {
        const { heard, places } = await listen(cable, `room/${index}`);
        for (const n of [1, 2]) await a.cable.broadcast(`room/${index}`, n);
        await eventually(() => expect(heard).toEqual([1, 2]));
        expect(places.map((place) => (place as { offset: number }).offset)).toEqual([1, 2]);
      }
    } finally {
      await bare.stop();
    }
  });

  test("may be signed by any language that has HMAC", async () => {
    const [a] = (await start(1, { publicStreams: false })) as [CableNode];
    const payload = Buffer.from('"room/42"').toString("base64");
    // From Python: hmac.new(b"s3Krit", payload, "sha256").hexdigest()
    const signature = "f4f7b5d6a8d0a5ce9475af83855ad7396503ed3f56a7d41065b04d3ade045ccf";
    const cable = client(a.url);
    const channel = cable.streamFromSigned(`${payload}--${signature}`);
    await channel.ensureSubscribed();
    await channel.presence.join("7", {});
    await eventually(() => expect(a.cable.presence("room/42")).toEqual([{ id: "7", info: {} }]));
    await expect(
      cable.streamFromSigned(`${payload}--${"0".repeat(64)}`).ensureSubscribed(),
    ).rejects.toThrow();
    await expect(cable.streamFrom("room/42").ensureSubscribed()).rejects.toThrow();
  });
});

describe("the REST API", () => {
  test("lists who is present, on any node, with slashes encoded", async () => {
    const [a, b] = (await start(2)) as [CableNode, CableNode];
    const path = `/api/presence/${encodeURIComponent("room/42")}/users`;
    const list = async (node: CableNode) => {
      const { status, body } = await send(node.httpUrl, path, { headers: bearer });
      return [status, body];
    };
    expect(await list(b)).toEqual([200, { type: "info", total: 0 }]);
    const { channel } = await listen(client(a.url));
    await channel.presence.join("7", { name: "Ann" });
    for (const node of [a, b])
      await eventually(async () =>
        expect(await list(node)).toEqual([
          200,
          { type: "info", total: 1, records: [{ id: "7", info: { name: "Ann" } }] },
        ]),
      );
  });

  test("publishes one message or several, with its options", async () => {
    const [a, b] = (await start(2)) as [CableNode, CableNode];
    const cable = client(a.url);
    const { heard, places } = await listen(cable);
    const stream = "room/42";
    const { status, text } = await publish(b, { stream, data: '{"n":1}' });
    expect([status, text]).toEqual([201, ""]);
    await publish(b, [
      { stream, data: "no JSON" },
      { stream, data: '"x"', meta: { transient: true } },
      { stream, data: "[2]" },
      {
        stream,
        data: "not for you",
        meta: { exclude_socket: (cable as unknown as { sessionId: string }).sessionId },
      },
    ]);
    await publish(b, { stream, data: '"last"' });
    await eventually(() => expect(heard.at(-1)).toBe("last"));
    expect([...heard].sort()).toEqual([{ n: 1 }, "no JSON", "x", [2], "last"].sort());
    expect(places.filter((place) => place === undefined)).toHaveLength(1);
  });

  test("refuses what it cannot answer, as documented", async () => {
    const [a] = (await start(1, { limits: { requestBytesMax: 1_000 } })) as [CableNode];
    const status = async (
      path: string,
      method = "GET",
      headers: Record<string, string> = bearer,
      body?: unknown,
    ) => (await send(a.httpUrl, path, { method, headers, body })).status;
    const users = "/api/presence/room/users";
    for (const authorization of [
      "",
      "Bearer",
      "Bearer x",
      `Basic ${apiSecretFrom(secret)}`,
      `Bearer ${secret}`,
    ])
      for (const path of [users, "/api/publish"])
        expect(await status(path, "GET", { authorization })).toBe(401);
    for (const path of [
      "/api/presence/room",
      "/api/presence/",
      "/api/presence/a/b/users",
      "/api/presence/%/users",
    ])
      expect(await status(path)).toBe(404);
    expect(await status(users, "POST")).toBe(422);
    expect(await status("/api/publish")).toBe(422);
    for (const body of ["no JSON", "1", {}, { stream: "" }, { stream: "x" }, { stream: 1, data: "" }, [1]])
      expect(await status("/api/publish", "POST", bearer, body)).toBe(422);
    expect(await status("/api/publish", "POST", bearer, { stream: "x", data: "x".repeat(2_000) })).toBe(413);
    expect(await status("/api/other")).toBe(404);
    expect(await status("/cable")).toBe(426);
  });

  test("is off without a secret, and open where streams are public and there is none", async () => {
    const path = "/api/presence/room/users";
    const [closed] = await startCableNodes(["a"], {});
    running.push(closed!);
    expect((await send(closed!.httpUrl, path)).status).toBe(404);
    const [open] = await startCableNodes(["b"], { publicStreams: true });
    running.push(open!);
    expect((await send(open!.httpUrl, path)).body).toEqual({ type: "info", total: 0 });
    // A page of another site could publish by a form, without asking anybody.
    const publishAs = async (origin: string) =>
      (await publish(open!, { stream: "x", data: "1" }, { origin })).status;
    expect(await publishAs("https://evil.example")).toBe(403);
    expect(await publishAs("null")).toBe(403);
    expect(await publishAs("http://127.0.0.1:3000")).toBe(201);
  });

  test("answers during churn with lists that are never wrong about who stays", async () => {
    const [a, b] = (await start(2)) as [CableNode, CableNode];
    const stays = await listen(client(a.url));
    await stays.channel.presence.join("stays", {});
    const churner = await listen(client(b.url));
    await eventually(() => expect(b.cable.presence("room/42")).toHaveLength(1));
    for (let round = 0; round < 20; round++) {
      await churner.channel.presence.join("churns", { round });
      const { body } = await send(b.httpUrl, "/api/presence/room%2F42/users", { headers: bearer });
      expect(body.records.map(({ id }: { id: string }) => id)).toContain("stays");
      expect(body.total).toBe(body.records.length);
      await churner.channel.presence.leave();
    }
    await eventually(async () => {
      const { body } = await send(a.httpUrl, "/api/presence/room%2F42/users", { headers: bearer });
      expect(body.total).toBe(1);
    });
  });
});
