/** The node's `access`, as Phoenix's clients meet it: who is let in, what each may do, and what happens when a token expires. */
import { type PhoenixNotice, PhoenixSocket, serveEndpoint } from "@presently/phoenix";
import { LongPoll, type Presence, type Socket } from "phoenix";
import { createAccess, createNode, type PresentlyNode } from "presently";
import { Gate } from "presently/drop-in";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { endHostiles, handmadeToken, RawClient, secondsFromNow } from "../helpers/hostile.ts";
import { send } from "../helpers/http.ts";
import { type Access, accessByToken, TOKEN_SECRET, tokenOf } from "../helpers/tokens.ts";
import { connectClient, countsOf, join, push } from "./phoenix-client.ts";

vi.setConfig({ testTimeout: 60_000 });

const clients: Socket[] = [];
const nodes: PresentlyNode[] = [];
afterEach(async () => {
  endHostiles();
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function start(access: Access): Promise<PresentlyNode> {
  const node = await createNode({ name: "a", http: { port: 0 }, access });
  nodes.push(node);
  return node;
}

/** A node with the ready-made socket. */
async function serve(access: Access = accessByToken(), options: Parameters<typeof serveEndpoint>[1] = {}) {
  const node = await start(access);
  const socket = serveEndpoint(node, options);
  return { node, socket, url: `${node.httpUrl!.replace("http", "ws")}/socket` };
}

function client(url: string, options: Parameters<typeof connectClient>[1]): Socket {
  const socket = connectClient(url, options);
  clients.push(socket);
  return socket;
}

/** Joins as whoever the token says. */
const joinAs = (url: string, token: string, topic = "room:1") =>
  join(client(url, { authToken: token }), topic);

/** Of an upgrade. */
async function statusOf(url: string, query = "", headers: Readonly<Record<string, string>> = {}) {
  const raw = await RawClient.upgrade(`${url.replace("ws", "http")}/websocket`, {
    query: `vsn=2.0.0&${query}`,
    headers,
  });
  const { status } = raw;
  raw.destroy();
  return status;
}

describe("who connects", () => {
  test("is who the token says, by whichever way it comes", async () => {
    const { node, url } = await serve();
    await joinAs(url, tokenOf("by subprotocol"));
    await join(client(url, { params: { token: tokenOf("by parameter"), user_id: "mallory" } }), "room:1");
    const polling = { transport: LongPoll };
    await join(client(url, { authToken: tokenOf("by header"), ...polling }), "room:1");
    // The client puts the token of its session behind this one.
    await join(client(url, { params: { token: tokenOf("by polling") }, ...polling }), "room:1");
    const headers = { authorization: `Bearer ${tokenOf("a program")}` };
    expect(await statusOf(url, "", headers)).toBe(101);
    await eventually(() =>
      expect(
        node
          .list("room:1")
          .map(({ key }) => key)
          .sort(),
      ).toEqual(["by header", "by parameter", "by polling", "by subprotocol"]),
    );
  });

  test("without a token that counts is refused with 403, over both transports", async () => {
    const { node, url } = await serve();
    const claims = { sub: "mallory", presently: ["*"], exp: secondsFromNow(3_600) };
    const refused = [
      "",
      "x",
      "a.b.c",
      handmadeToken(claims, undefined),
      handmadeToken(claims, TOKEN_SECRET, { alg: "none" }),
      handmadeToken(claims, TOKEN_SECRET, { alg: "HS512" }),
      handmadeToken(claims, TOKEN_SECRET, { alg: "RS256" }),
      handmadeToken(claims, "another secret"),
      handmadeToken({ ...claims, exp: secondsFromNow(-1) }, TOKEN_SECRET),
      handmadeToken({ ...claims, nbf: secondsFromNow(3_600) }, TOKEN_SECRET),
      handmadeToken({ ...claims, exp: undefined }, TOKEN_SECRET),
      handmadeToken({ ...claims, sub: "" }, TOKEN_SECRET),
      handmadeToken({ ...claims, sub: { toString: 1 } }, TOKEN_SECRET),
      `${tokenOf("alice")}x`,
      "x".repeat(10_000),
    ];
    for (const token of refused) {
      expect([token.slice(0, 40), await statusOf(url, `token=${token}`)]).toEqual([token.slice(0, 40), 403]);
      const polled = await send(node.httpUrl!, `/socket/longpoll?vsn=2.0.0&token=${token}`);
      expect(polled.body).toEqual({ status: 403 });
    }
    const { presence } = await joinAs(url, tokenOf("alice"));
    await eventually(() => expect(countsOf(presence)).toEqual({ alice: 1 }));
  });

  test("with a token that is good for one connection is let in once", async () => {
    const { url } = await serve(createAccess({ jwt: { secret: TOKEN_SECRET, singleUse: true } }));
    const claims = { sub: "alice", presently: ["*"], exp: secondsFromNow(60), jti: "1" };
    const token = handmadeToken(claims, TOKEN_SECRET);
    expect(await statusOf(url, `token=${token}`)).toBe(101);
    expect(await statusOf(url, `token=${token}`)).toBe(403);
    expect(await statusOf(url, `token=${handmadeToken({ ...claims, jti: "2" }, TOKEN_SECRET)}`)).toBe(101);
  });

  test("is refused with 500 while the hook fails or hangs, and the operator learns of it", async () => {
    const notices: PhoenixNotice[] = [];
    let answer: () => never | Promise<never> = () => {
      throw new Error("the database is away");
    };
    const access: Access = { authenticate: () => answer(), authorize: () => true };
    const { url } = await serve(access, {
      limits: { hookTimeoutMs: 50 },
      onNotice: (notice) => void notices.push(notice),
    });
    expect(await statusOf(url)).toBe(500);
    answer = () => new Promise(() => undefined);
    expect(await statusOf(url)).toBe(500);
    expect(notices.map(({ type, level }) => `${type} ${level}`)).toEqual(Array(2).fill("access-failed warn"));
  });

  test("too often from one address is refused with 429, and a handshake that fails uses nothing up", async () => {
    const limits = { connectionsPerAddressMax: 2, connectsPerAddressPerSecondMax: 1_000 };
    const { url, socket } = await serve(accessByToken(), { limits });
    const token = `token=${tokenOf("alice")}`;
    // A handshake that is none is refused when the client is let in already.
    for (let number = 0; number < 5; number++)
      expect(await statusOf(url, token, { "sec-websocket-key": "short" })).toBe(400);
    const alice = await joinAs(url, tokenOf("alice"));
    await joinAs(url, tokenOf("bob"));
    expect(await statusOf(url, token)).toBe(429);
    const polled = await send(
      url.replace("ws", "http").replace("/socket", ""),
      `/socket/longpoll?vsn=2.0.0&${token}`,
    );
    expect(polled.body).toEqual({ status: 500 });
    expect(countsOf(alice.presence)).toEqual({ alice: 1, bob: 1 });
    clients.pop()!.disconnect();
    await eventually(() => expect(socket.connections).toBe(1));
    await eventually(async () => expect(await statusOf(url, token)).toBe(101));
  });
});

describe("who is in", () => {
  test("joins the topics that they may watch; others are answered unauthorized, and tell nothing", async () => {
    const { node, url } = await serve();
    const alice = await joinAs(url, tokenOf("alice"), "room:secret");
    const bob = client(url, { authToken: tokenOf("bob", ["track:*", "watch:room:1", "publish:*"]) });
    const heard: unknown[] = [];
    bob.onMessage((message) => void heard.push(message));
    await expect(join(bob, "room:secret")).rejects.toThrow('{"reason":"unauthorized"}');
    await push(alice.channel, "hello", { secret: 7 });
    await join(bob, "room:1");
    expect(JSON.stringify(heard)).not.toMatch(/alice|secret":7/);
    expect(node.list("room:secret").map(({ key }) => key)).toEqual(["alice"]);
    expect(node.list("room:1").map(({ key }) => key)).toEqual(["bob"]);
  });

  test("without leave to be present only watches", async () => {
    const { url } = await serve();
    const alice = await joinAs(url, tokenOf("alice"));
    const lurker = await joinAs(url, tokenOf("bob", ["watch:*"]));
    await eventually(() => expect(countsOf(lurker.presence)).toEqual({ alice: 1 }));
    const [status] = await push(lurker.channel, "presently_update", { meta: { device: "phone" } });
    expect(status).toBe("error");
    expect(countsOf(alice.presence)).toEqual({ alice: 1 });
  });

  test("without leave to publish is not heard, but may describe themselves anew", async () => {
    const { node, url } = await serve();
    const alice = await joinAs(url, tokenOf("alice"));
    const bob = await joinAs(url, tokenOf("bob", ["track:*", "watch:*"]));
    const heard: unknown[] = [];
    alice.channel.onMessage = (event, payload) => {
      heard.push(event);
      return payload;
    };
    for (const event of ["hello", "presently_message"])
      expect(await push(bob.channel, event)).toEqual(["error", { reason: "unauthorized" }]);
    const [status] = await push(bob.channel, "presently_update", { meta: { device: "phone" } });
    expect(status).toBe("ok");
    await push(alice.channel, "hello");
    await eventually(() => expect(heard).toContain("hello"));
    expect(heard.filter((event) => event === "hello")).toEqual(["hello"]);
    expect(node.get("room:1", "bob")[0]!.meta).toMatchObject({ device: "phone" });
  });

  test("is asked about by the names of the cluster; a channel may ask for itself, and says what publishes", async () => {
    const asked: string[] = [];
    const access: Access = {
      authenticate: () => ({ id: "alice", claims: {} }),
      authorize: (_identity, action) => {
        asked.push(JSON.stringify(action));
        return action.kind !== "publish";
      },
    };
    const node = await start(access);
    const socket = new PhoenixSocket(node, {
      connect: (_params, { identity }) => ({ id: identity?.id }),
      roster: {
        topics: { prefix: "room:", inCluster: "lobby/" },
        ids: { prefix: "", inCluster: "user-" },
      },
    });
    const answers: unknown[] = [];
    socket.channel("room:*", {
      presence: { key: (channel) => channel.assigns.id },
      publishes: (event) => event !== "ask",
      handleIn: {
        say: () => ({ ok: {} }),
        ask: async (_payload, channel) => {
          answers.push(await channel.may("publish"), await channel.may("track", 7));
          return { ok: {} };
        },
      },
    });
    socket.attach(node.httpServer!, "/live");
    const { channel } = await join(client(`${node.httpUrl!.replace("http", "ws")}/live`, {}), "room:1");
    await eventually(() => expect(node.list("lobby/1").map(({ key }) => key)).toEqual(["user-alice"]));
    expect(await push(channel, "say")).toEqual(["error", { reason: "unauthorized" }]);
    expect(await push(channel, "ask")).toEqual(["ok", {}]);
    expect(answers).toEqual([false, true]);
    expect(asked).toEqual([
      '{"kind":"watch","topic":"lobby/1"}',
      '{"kind":"track","topic":"lobby/1","key":"user-alice"}',
      '{"kind":"publish","topic":"lobby/1"}',
      '{"kind":"publish","topic":"lobby/1"}',
      '{"kind":"track","topic":"lobby/1","key":"user-7"}',
    ]);
    // What stands for nothing in the cluster is nobody's.
    await expect(join(clients.at(-1)!, "lobby/1")).rejects.toThrow("unmatched topic");
  });
});

describe("a token that expires", () => {
  /** A token is the time until which it counts. */
  const access: Access = {
    authenticate: ({ token }) => ({ id: "alice", claims: {}, expiresAtMs: Number(token) }),
    authorize: () => true,
  };

  test.each([
    ["WebSocket", {}, 4401],
    ["long-polling", { transport: LongPoll }, 3410],
  ])("ends its connection over %s; the client comes back with the next one", async (_what, options, code) => {
    const { node, url, socket: served } = await serve(access);
    let lives = 500;
    const socket = client(url, { authToken: () => String(Date.now() + lives), ...options });
    const codes: unknown[] = [];
    socket.onClose((event) => void codes.push(event.code));
    const { presence } = await join(socket, "room:1");
    const before = node.list("room:1")[0]?.ref;
    lives = 3_600_000;
    await eventually(() => {
      const [after] = node.list("room:1");
      expect(after!.ref).not.toBe(before);
      expect(countsOf(presence)).toEqual({ alice: 1 });
    });
    expect(codes).toContain(code);
    await eventually(() => expect(served.connections).toBe(1));
  });

  test("keeps its client out, and gone, until there is another", async () => {
    const { node, url } = await serve(access);
    const token = String(Date.now() + 400);
    const socket = client(url, { authToken: () => token });
    let refusals = 0;
    socket.onError(() => void refusals++);
    socket.channel("room:1").join();
    await eventually(() => expect(refusals).toBeGreaterThan(2));
    expect(node.list("room:1")).toEqual([]);
  });

  test("is no leave for the others where presences linger", async () => {
    const expire: (() => void)[] = [];
    const spy = vi.spyOn(Gate.prototype, "onExpire").mockImplementation((_identity, callback) => {
      expire.push(callback);
      return () => undefined;
    });
    const node = await start(access);
    const reasons: string[] = [];
    const socket = new PhoenixSocket(node, {});
    socket.channel("room:*", {
      presence: { key: (channel) => channel.info.identity!.id, lingerMs: 30_000 },
      terminate: (reason) => void reasons.push(reason),
    });
    socket.attach(node.httpServer!, "/live");
    const changes: string[] = [];
    node.watch("room:1", (change) => {
      if (change.type !== "diff") return;
      for (const { key } of change.joins) changes.push(`+${key}`);
      for (const { presence } of change.leaves) changes.push(`-${presence.key}`);
    });
    const url = `${node.httpUrl!.replace("http", "ws")}/live`;
    const alice = client(url, { authToken: String(Date.now() + 3_600_000) });
    let joins = 0;
    const channel = alice.channel("room:1");
    channel.join().receive("ok", () => void joins++);
    await eventually(() => expect([joins, changes]).toEqual([1, ["+alice"]]));
    expire[0]!();
    await eventually(() => expect(joins).toBe(2));
    expect(reasons).toEqual(["expired"]);
    expect(changes).toEqual(["+alice"]);
    spy.mockRestore();
  });
});

test("without access everybody is who they say, and may do everything", async () => {
  const node = await createNode({ name: "a", http: { port: 0 } });
  nodes.push(node);
  serveEndpoint(node);
  const url = `${node.httpUrl!.replace("http", "ws")}/socket`;
  const joined: { presence: Presence }[] = [];
  for (const name of ["alice", "bob"])
    joined.push(await join(client(url, { params: { user_id: name } }), "room:1"));
  for (const { presence } of joined)
    await eventually(() => expect(countsOf(presence)).toEqual({ alice: 1, bob: 1 }));
});
