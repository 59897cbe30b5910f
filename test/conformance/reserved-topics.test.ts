/** What drop-ins keep on topics of their own is no room for clients, by whichever protocol they come. */
import { readFileSync } from "node:fs";
import { serveEndpoint as serveCable, signStream } from "@presently/anycable";
import { PhoenixSocket } from "@presently/phoenix";
import faye from "faye";
import type { Channel, Socket } from "phoenix";
import { createAccess, createApiToken, createNode, hashApiToken, type PresentlyNode } from "presently";
import { RESERVED_TOPICS, SOCKETCLUSTER_TOPICS, WEBHOOKS_TOPIC } from "presently/drop-in";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { send } from "../helpers/http.ts";
import { connectClient as connectCable } from "./anycable-client.ts";
import { FayeNode } from "./faye-client.ts";
import { connectClient as connectPhoenix, join } from "./phoenix-client.ts";
import { Sites } from "./socketcluster-cluster.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const secret = "a secret that only these tests share";
/** One for each row of the table. */
const topics = RESERVED_TOPICS.map(({ pattern }) => pattern.replace(/\*$/, "anything"));
const sockets = `${SOCKETCLUSTER_TOPICS}_SCPRESENCE`;

let node: PresentlyNode;
let phoenix: PhoenixSocket;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  node = await createNode({ name: "a", http: { port: 0 }, logLevel: "silent" });
  ends.push(() => node.stop({ handoffMs: 0 }));
  phoenix = new PhoenixSocket(node);
  // Not restricted: this is the server.
  for (const topic of topics) node.session().track(topic, "secret", { token: "secret" });
});

afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** The reason of a join that was refused; `joined` if it was not. */
function reasonOf(client: Socket, topic: string): Promise<string> {
  return new Promise((settle) => {
    const channel: Channel = client.channel(topic);
    channel
      .join()
      .receive("ok", () => settle("joined"))
      .receive("error", ({ reason }: { reason: string }) => {
        channel.leave();
        settle(reason);
      });
  });
}

describe("phoenix", () => {
  test("a pattern does not serve them, and a channel of just that name does", async () => {
    const named = topics[0]!;
    phoenix.channel(named, { presence: false }).channel("*");
    phoenix.attach(node.httpServer!);
    const client = connectPhoenix(`${node.httpUrl!.replace("http", "ws")}/socket`);
    ends.push(() => client.disconnect());
    for (const topic of topics.slice(1))
      expect([topic, await reasonOf(client, topic)]).toEqual([topic, "unauthorized"]);
    expect(await reasonOf(client, named)).toBe("joined");
    await join(client, "room");
  });

  test("a name that the option roster makes one of them is refused", async () => {
    const mapped = new PhoenixSocket(node, {
      roster: { topics: { prefix: "x:", inCluster: SOCKETCLUSTER_TOPICS } },
    });
    mapped.channel("*").attach(node.httpServer!, "/mapped");
    const client = connectPhoenix(`${node.httpUrl!.replace("http", "ws")}/mapped`);
    ends.push(() => client.disconnect());
    expect(await reasonOf(client, "x:_SCPRESENCE")).toBe("unauthorized");
  });
});

test("anycable: a client may not choose them, and whoever signs may", async () => {
  serveCable(node, { secret, publicStreams: true });
  const client = connectCable(`${node.httpUrl!.replace("http", "ws")}/cable`);
  ends.push(() => client.disconnect());
  for (const topic of topics)
    await expect(client.streamFrom(topic).ensureSubscribed(), topic).rejects.toThrow(/rejected/i);
  await client.streamFromSigned(signStream(secret, sockets)).ensureSubscribed();
  await client.streamFrom("room").ensureSubscribed();
});

test("faye: a channel that stands for one of them is forbidden", async () => {
  const roster = { topics: { prefix: "/presence/", inCluster: "" } };
  const site = await FayeNode.start({ name: "faye", http: { port: 0 } }, { setup: { roster } });
  const client = new faye.Client(site.url);
  ends.push(
    () => site.stop(),
    () => client.disconnect(),
  );
  client.addExtension({
    outgoing: (message, callback) => {
      if (message.channel === "/meta/subscribe") message.ext = { presence: { id: "alice" } };
      callback(message);
    },
  });
  const subscribe = async (channel: string) => await client.subscribe(channel, () => undefined);
  await expect(subscribe("/presence/_SCPRESENCE/room")).rejects.toMatchObject({ code: 403 });
  await subscribe("/presence/room");
  expect(site.node.list("room").map(({ key }) => key)).toEqual(["alice"]);
});

test("socketcluster: they are refused as channels, and so are their rosters", async () => {
  const sites = new Sites();
  ends.push(() => sites.stop());
  const [site] = await sites.start(["socketcluster"]);
  const client = await sites.connect(site!);
  for (const channel of [sockets, `_SCPRESENCE/${sockets}`, WEBHOOKS_TOPIC]) {
    const subscribed = client.subscribe(channel);
    const { error } = (await subscribed.listener("subscribeFail").once()) as { error: Error };
    expect(error.message).toBe(`You may not subscribe to ${channel}`);
    client.unsubscribe(channel);
  }
  await client.subscribe("_SCPRESENCE/room").listener("subscribe").once();
});

test("http: nobody is present there, and only who may see all topics reads them", async () => {
  const [watcher, operator] = [createApiToken(), createApiToken()];
  const access = createAccess({
    tokens: [
      { id: "watcher", hash: hashApiToken(watcher), scopes: ["watch:*", "track-any:*"] },
      { id: "operator", hash: hashApiToken(operator), scopes: ["watch:*", "inspect:topics"] },
    ],
  });
  const guarded = await createNode({ name: "http", http: { port: 0 }, logLevel: "silent", access });
  ends.push(() => guarded.stop({ handoffMs: 0 }));
  const statusOf = async (url: string, path: string, method: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await send(url, path, { method, headers })).status;
  };
  for (const topic of topics) {
    const path = `/api/topics/${encodeURIComponent(topic)}`;
    expect(await statusOf(guarded.httpUrl!, path, "GET", watcher)).toBe(403);
    expect(await statusOf(guarded.httpUrl!, `${path}/events`, "GET", watcher)).toBe(403);
    expect(await statusOf(guarded.httpUrl!, `${path}/events?key=watcher`, "GET", watcher)).toBe(403);
    expect(await statusOf(guarded.httpUrl!, `${path}/presences/watcher`, "PUT", watcher)).toBe(403);
    expect(await statusOf(guarded.httpUrl!, path, "GET", operator)).toBe(200);
    // Without access, who is on this machine is the operator.
    expect(await statusOf(node.httpUrl!, path, "GET")).toBe(200);
    expect(await statusOf(node.httpUrl!, `${path}/presences/me`, "PUT")).toBe(403);
  }
  expect(await statusOf(guarded.httpUrl!, "/api/topics/room", "GET", watcher)).toBe(200);
});

test("the page about security names each of them", () => {
  const page = readFileSync(new URL("../../packages/presently/docs/security.md", import.meta.url), "utf8");
  for (const { pattern } of RESERVED_TOPICS) expect(page).toContain(`| \`${pattern}\` |`);
});
