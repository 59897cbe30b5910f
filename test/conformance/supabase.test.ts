/** `@supabase/realtime-js`, unmodified, in three versions and both serializers, against three nodes. The names are rows of the dossier. */
import { randomUUID } from "node:crypto";
import { serveSupabase } from "@presently/phoenix";
import * as newest from "@supabase/realtime-js";
import { SignJWT } from "jose";
import { createNode, type PresentlyNode } from "presently";
import * as v299 from "supabase-realtime-2.99";
import * as v2110 from "supabase-realtime-2.110";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../helpers/eventually.ts";

const secret = "a secret that only these tests share";
const tokenSecret = "a secret of the signer, long enough for it";
const nodes: PresentlyNode[] = [];
let guarded: PresentlyNode;
const clients: newest.RealtimeClient[] = [];

beforeAll(async () => {
  for (const name of ["a", "b", "c"]) {
    const peers = nodes.map(({ meshUrl }) => meshUrl!);
    const mesh = { port: 0, peers };
    const node = await createNode({ name, cluster: "supabase", secret, mesh, http: { port: 0 } });
    serveSupabase(node);
    nodes.push(node);
  }
  guarded = await createNode({ name: "guarded", http: { port: 0 } });
  serveSupabase(guarded, { tokenSecret });
  await Promise.all([...nodes, guarded].map((node) => node.whenReady()));
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.disconnect()));
});

afterAll(() => Promise.all([...nodes, guarded].map((node) => node.stop({ handoffMs: 0 }))));

interface Kind {
  readonly name: string;
  readonly library: Pick<typeof newest, "RealtimeClient">;
  readonly vsn: "1.0.0" | "2.0.0";
}

const kinds: readonly Kind[] = [
  { name: "newest, vsn 2", library: newest, vsn: "2.0.0" },
  { name: "newest, vsn 1", library: newest, vsn: "1.0.0" },
  { name: "2.110.9", library: v2110 as never, vsn: "2.0.0" },
  { name: "2.99", library: v299 as never, vsn: "2.0.0" },
];
const [current, old] = kinds as [Kind, Kind];

function connect(node: PresentlyNode, { library, vsn }: Kind = current, options = {}): newest.RealtimeClient {
  const url = `${node.httpUrl!.replace("http", "ws")}/realtime/v1`;
  const client = new library.RealtimeClient(url, {
    params: { apikey: "anything" },
    transport: WebSocket as never,
    vsn,
    reconnectAfterMs: () => 20,
    ...options,
  } as never);
  clients.push(client);
  return client;
}

/** Settles with the first state that is told, and its words. */
function subscribe(channel: newest.RealtimeChannel): Promise<string> {
  return new Promise((resolve) => {
    channel.subscribe((state, error) => resolve(error === undefined ? state : `${state}: ${error.message}`));
  });
}

/** Versions before 2.110.4 break frames with other names than ASCII. */
const room = (kind = current) => `${kind.name === "2.99" ? "e" : "é"} ${randomUUID()}`;

/** A channel that hears broadcasts of every event. */
async function listen(client: newest.RealtimeClient, name: string, config = {}) {
  const heard: unknown[] = [];
  const channel = client.channel(name, { config });
  channel.on("broadcast", { event: "*" }, ({ event, payload }) => void heard.push([event, payload]));
  expect(await subscribe(channel)).toBe("SUBSCRIBED");
  return { channel, heard };
}

/** A channel with a listener for presence. */
async function attend(client: newest.RealtimeClient, name: string, config = {}) {
  const joins: string[] = [];
  const leaves: string[] = [];
  const channel = client.channel(name, { config });
  channel.on("presence", { event: "join" }, ({ key }) => void joins.push(key));
  channel.on("presence", { event: "leave" }, ({ key }) => void leaves.push(key));
  expect(await subscribe(channel)).toBe("SUBSCRIBED");
  return { channel, joins, leaves };
}

function present({ channel }: { channel: newest.RealtimeChannel }): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(channel.presenceState()).map(([key, metas]) => [
      key,
      metas.map(({ presence_ref, ...meta }) => meta),
    ]),
  );
}

describe.each(kinds)("$name", (kind) => {
  test("SB2, SB7, SB8, SB11: track is seen on all nodes, again as one update, and untrack ends it", async () => {
    const name = room(kind);
    const config = { presence: { key: "ann" } };
    const ann = await attend(connect(nodes[0]!, kind), name, config);
    const bob = await attend(connect(nodes[1]!, kind), name);
    expect(nodes[2]!.list(`realtime:${name}`)).toEqual([]);
    expect(await ann.channel.track({ n: 1 })).toBe("ok");
    await eventually(() => {
      expect(present(bob)).toEqual({ ann: [{ n: 1 }] });
      expect(present(ann)).toEqual({ ann: [{ n: 1 }] });
    });
    await ann.channel.track({ n: 1 });
    await ann.channel.track({ n: 2 });
    await eventually(() => expect(present(bob)).toEqual({ ann: [{ n: 2 }] }));
    expect(bob.joins).toEqual(["ann", "ann"]);
    expect(await ann.channel.untrack()).toBe("ok");
    await eventually(() => expect(present(bob)).toEqual({}));
  });

  test("SB14: broadcasts reach other nodes, with acknowledgement, and oneself only if asked for", async () => {
    const name = room(kind);
    const ann = await listen(connect(nodes[0]!, kind), name, { broadcast: { ack: true } });
    const bob = await listen(connect(nodes[1]!, kind), name, { broadcast: { self: true } });
    const other = await listen(connect(nodes[2]!, kind === old ? current : old), name);
    expect(await ann.channel.send({ type: "broadcast", event: "hi", payload: { x: "é" } })).toBe("ok");
    await bob.channel.send({ type: "broadcast", event: "ho", payload: { y: [1] } });
    await eventually(() => {
      expect(ann.heard).toEqual([["ho", { y: [1] }]]);
      for (const { heard } of [bob, other])
        expect(heard).toEqual(
          expect.arrayContaining([
            ["hi", { x: "é" }],
            ["ho", { y: [1] }],
          ]),
        );
    });
  });
});

test("SB4: a private and a public channel of one name do not hear each other", async () => {
  const name = room();
  const open = await listen(connect(nodes[0]!), name);
  const closed = await listen(connect(nodes[0]!), name, { private: true });
  const others = await listen(connect(nodes[1]!), name, { private: true });
  await closed.channel.send({ type: "broadcast", event: "secret", payload: {} });
  await eventually(() => expect(others.heard).toEqual([["secret", {}]]));
  await open.channel.track({ here: true });
  await eventually(() => expect(nodes[1]!.list(`realtime:${name}`)).toHaveLength(1));
  expect(open.heard).toEqual([]);
  expect(nodes[1]!.list(`private:realtime:${name}`)).toEqual([]);
});

test("SB9, SB10, SB13: two tabs of a key are two metas; without a key each has its own; track needs no listener", async () => {
  const name = room();
  const config = { presence: { key: "ann" } };
  const one = await attend(connect(nodes[0]!), name, config);
  const tab = connect(nodes[1]!).channel(name, { config });
  expect(await subscribe(tab)).toBe("SUBSCRIBED");
  await one.channel.track({ n: 1 });
  await tab.track({ n: 2 });
  await eventually(() => {
    expect(present(one).ann).toHaveLength(2);
    expect(present({ channel: tab }).ann).toHaveLength(2);
  });
  await tab.unsubscribe();
  await eventually(() => expect(present(one)).toEqual({ ann: [{ n: 1 }] }));
  const others = await Promise.all([0, 1].map((index) => attend(connect(nodes[index]!), name)));
  for (const { channel } of others) await channel.track({ n: 3 });
  await eventually(() => expect(Object.keys(present(one))).toHaveLength(3));
});

test("SB15: bytes reach other nodes as they are, and clients of version 1 are spared them", async () => {
  const name = room();
  const ann = await listen(connect(nodes[0]!), name);
  const bob = await listen(connect(nodes[1]!), name);
  const early = await listen(connect(nodes[1]!, old), name);
  const bytes = Uint8Array.of(0, 1, 128, 255);
  await ann.channel.send({ type: "broadcast", event: "é", payload: bytes.buffer });
  await ann.channel.send({ type: "broadcast", event: "then", payload: {} });
  await eventually(() => expect(bob.heard).toHaveLength(2));
  const [[event, payload]] = bob.heard as [[string, ArrayBuffer]];
  expect([event, [...new Uint8Array(payload)]]).toEqual(["é", [0, 1, 128, 255]]);
  await eventually(() => expect(early.heard).toEqual([["then", {}]]));
});

test("SB16: broadcasts over HTTP reach all nodes", async () => {
  const name = room();
  const bob = await listen(connect(nodes[1]!), name);
  const closed = await listen(connect(nodes[2]!), name, { private: true });
  const channel = connect(nodes[0]!).channel(name);
  expect(await channel.send({ type: "broadcast", event: "unjoined", payload: { n: 1 } })).toBe("ok");
  expect(await channel.httpSend("é/x", { n: 2 })).toEqual({ success: true });
  const hidden = connect(nodes[0]!).channel(name, { config: { private: true } });
  expect(await hidden.httpSend("hidden", { n: 3 })).toEqual({ success: true });
  await eventually(() => {
    expect(bob.heard).toEqual([
      ["unjoined", { n: 1 }],
      ["é/x", { n: 2 }],
    ]);
    expect(closed.heard).toEqual([["hidden", { n: 3 }]]);
  });
});

test("SB12: after a reconnect the application tracks again, and nobody is there twice", async () => {
  const name = room();
  const watcher = await attend(connect(nodes[1]!), name);
  const sockets: WebSocket[] = [];
  class Noted extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const client = connect(nodes[0]!, current, { transport: Noted });
  const channel = client.channel(name, { config: { presence: { key: "ann" } } });
  let times = 0;
  channel.subscribe((state) => {
    if (state === "SUBSCRIBED") void channel.track({ n: ++times });
  });
  await eventually(() => expect(present(watcher)).toEqual({ ann: [{ n: 1 }] }));
  sockets.at(-1)!.terminate();
  await eventually(() => expect(present(watcher)).toEqual({ ann: [{ n: 2 }] }));
});

test("SB17: postgres_changes is refused in words, and the rest of the channel works", async () => {
  const name = room();
  const words: string[] = [];
  const channel = connect(nodes[0]!).channel(name, { config: { broadcast: { self: true } } });
  const heard: unknown[] = [];
  channel.on("postgres_changes", { event: "*", schema: "public", table: "t" }, () => undefined);
  channel.on("system", {} as never, ({ message }: { message: string }) => void words.push(message));
  channel.on("broadcast", { event: "x" }, ({ payload }) => void heard.push(payload));
  expect(await subscribe(channel)).toBe("SUBSCRIBED");
  await eventually(() => expect(words).toEqual([expect.stringContaining("no database here")]));
  await channel.send({ type: "broadcast", event: "x", payload: { n: 1 } });
  await eventually(() => expect(heard).toEqual([{ n: 1 }]));
});

test("SB3, SB18: replay is refused in words", async () => {
  const config = { private: true, broadcast: { replay: { since: 0 } } };
  const answer = await subscribe(connect(nodes[0]!).channel(room(), { config }));
  expect(answer).toContain("CHANNEL_ERROR");
  expect(answer).toContain("UnableToReplayMessages");
});

test("SB20: frames of kind 3 that cannot be read cost their sender its connection only", async () => {
  const name = room();
  const ann = await listen(connect(nodes[0]!), name);
  const url = `${nodes[0]!.httpUrl!.replace("http", "ws")}/realtime/v1/websocket?apikey=k&vsn=2.0.0`;
  const bad: readonly (readonly number[])[] = [
    [3],
    [3, 1, 1, 255, 1, 0, 1],
    [3, 0, 0, 1, 1, 0, 1, 0xff, 0x61],
    [3, 0, 0, 1, 1, 0, 1, 0x61, 0x61, 0x7b],
    [3, 0, 0, 1, 1, 0, 9, 0x61, 0x61],
    [4, 0, 0, 0, 0],
  ];
  for (const bytes of bad) {
    const socket = new WebSocket(url);
    const code = await new Promise((closed) => {
      socket.on("open", () => socket.send(Uint8Array.from(bytes)));
      socket.on("close", closed);
    });
    expect(code).toBe(1007);
  }
  expect(await ann.channel.track({})).toBe("ok");
});

test("SB1: without an API key the handshake is refused with 401, in JSON", async () => {
  const socket = new WebSocket(`${nodes[0]!.httpUrl!.replace("http", "ws")}/realtime/v1/websocket?vsn=2.0.0`);
  const response = await new Promise<import("node:http").IncomingMessage>((answered) => {
    socket.on("unexpected-response", (_request, answer) => answered(answer));
  });
  expect(response.statusCode).toBe(401);
  expect(response.headers["content-type"]).toContain("json");
  response.destroy();
});

describe("with a secret for tokens", () => {
  const sign = (claims: Record<string, unknown>, seconds: number) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(Math.floor(Date.now() / 1_000) + seconds)
      .sign(new TextEncoder().encode(tokenSecret));

  test("SB5, SB6: tokens are checked when they are shown, renewed, and end the channel when they expire", async () => {
    const apikey = await sign({ role: "anon" }, 600);
    let token = await sign({ sub: "ann" }, 600);
    const client = connect(guarded, current, { params: { apikey }, accessToken: async () => token });
    const states: string[] = [];
    const words: string[] = [];
    const channel = client.channel(room(), { config: { private: true } });
    channel.on("system", {} as never, ({ message }: { message: string }) => void words.push(message));
    channel.subscribe((state) => void states.push(state));
    await eventually(() => expect(states).toEqual(["SUBSCRIBED"]));
    token = await sign({ sub: "ann", n: 2 }, 600);
    await client.setAuth();
    expect(await channel.track({})).toBe("ok");
    token = await sign({ sub: "ann" }, 2);
    await client.setAuth();
    await eventually(() => expect(states).toContain("CLOSED"));
    expect(words).toEqual([expect.stringContaining("InvalidJWTToken")]);
  });

  test("SB16: nothing is sent over HTTP without a valid token", async () => {
    const apikey = await sign({ role: "anon" }, 600);
    const name = room();
    const bob = await listen(connect(guarded, current, { params: { apikey } }), name);
    const post = (bearer: string) =>
      fetch(`${guarded.httpUrl}/realtime/v1/api/broadcast`, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ topic: name, event: "x", payload: { by: bearer === apikey } }] }),
      });
    expect((await post("nonsense")).status).toBe(401);
    expect((await post(apikey)).status).toBe(202);
    await eventually(() => expect(bob.heard).toEqual([["x", { by: true }]]));
  });
});
