/** One secret of the application, as with `anycable-go --secret`: tokens, signed streams, Turbo's streams. */
import { type EndpointOptions, serveEndpoint, signStream } from "@presently/anycable";
import { createNode, type NodeOptions } from "presently";
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { handmadeToken, secondsFromNow } from "../helpers/hostile.ts";
import { accessByToken, tokenOf } from "../helpers/tokens.ts";
import { connectClient } from "./anycable-client.ts";
import { Wire } from "./anycable-wire.ts";

vi.setConfig({ testTimeout: 60_000 });

const secret = "s3Krit";
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: EndpointOptions = {}, more: Partial<NodeOptions> = {}) {
  const node = await createNode({ name: "a", http: { port: 0 }, ...more });
  ends.push(() => node.stop());
  const cable = serveEndpoint(node, { secret, ...options });
  return { cable, url: `${node.httpUrl!.replace("http", "ws")}/cable` };
}

async function open(url: string, options?: Parameters<typeof Wire.open>[1]): Promise<Wire> {
  const wire = await Wire.open(url, options);
  ends.push(() => wire.close());
  return wire;
}

const claims = { ext: '{"user":7}', exp: secondsFromNow(600) };
const good = handmadeToken(claims, secret);
const expired = handmadeToken({ ...claims, exp: secondsFromNow(-1) }, secret);
const bad: [string, string][] = [
  ["signed by another", handmadeToken(claims, "another")],
  ["without a signature", handmadeToken(claims, undefined)],
  ["of no algorithm", handmadeToken(claims, secret, { alg: "none" })],
  ["that has expired and is signed by another", handmadeToken({ ...claims, exp: 1 }, "another")],
  ["without identifiers", handmadeToken({ exp: claims.exp }, secret)],
  ["that is none", "x"],
];
const refused = (reason: string) => [{ type: "disconnect", reason, reconnect: false }];

describe("where there is a secret and nothing else", () => {
  test.each<[string, (jid: string) => Parameters<typeof Wire.open>[1]]>([
    ["as a parameter", (jid) => ({ query: { jid } })],
    ["in a header", (jid) => ({ headers: { "x-jid": jid } })],
    ["as a subprotocol", (jid) => ({ protocols: ["actioncable-v1-json", `anycable-token.${jid}`] })],
  ])("a client needs a token, %s", async (_, shown) => {
    const { url, cable } = await start();
    expect((await open(url)).frames).toEqual(refused("unauthorized"));
    expect((await open(url, shown(expired))).frames).toEqual(refused("token_expired"));
    for (const [what, jid] of bad)
      expect((await open(url, shown(jid))).frames, what).toEqual(refused("unauthorized"));
    expect((await open(url, shown(good))).frames[0]).toMatchObject({ type: "welcome" });
    await eventually(() => expect(cable.connections).toBe(1));
  });

  test("Turbo's streams are those that it has signed", async () => {
    const { cable, url } = await start();
    const wire = await open(url, { query: { jid: good } });
    const signed = signStream(secret, "Z2lkOi8vYXBwL1Jvb20vMQ:messages");
    for (const [name, type] of [
      [signed, "confirm_subscription"],
      [`${signed}0`, "reject_subscription"],
      [signStream("another", "a"), "reject_subscription"],
      [undefined, "reject_subscription"],
    ] as const) {
      const params = name === undefined ? { stream_name: "a" } : { signed_stream_name: name };
      const identifier = JSON.stringify({ channel: "Turbo::StreamsChannel", ...params });
      const before = wire.frames.length;
      wire.send({ command: "subscribe", identifier });
      await wire.until(before + 1);
      expect(wire.frames[before]).toEqual({ type, identifier });
    }
    await cable.broadcast("Z2lkOi8vYXBwL1Jvb20vMQ:messages", "<turbo-stream></turbo-stream>");
    await eventually(() => expect(JSON.stringify(wire.frames)).toContain("<turbo-stream>"));
  });

  test("an application may say itself what Turbo's streams are", async () => {
    const { cable, url } = await start();
    cable.channel("Turbo::StreamsChannel", { subscribe: () => undefined });
    const wire = await open(url, { query: { jid: good } });
    wire.send({ command: "subscribe", identifier: JSON.stringify({ channel: "Turbo::StreamsChannel" }) });
    await wire.until(2);
    expect(wire.frames[1].type).toBe("confirm_subscription");
  });
});

test.each<[string, EndpointOptions]>([
  ["noauth", { noauth: true }],
  ["publicStreams", { publicStreams: true }],
])("%s lets those in who show no token, and nobody with a bad one", async (_, options) => {
  const { url } = await start(options);
  expect((await open(url)).frames[0]).toMatchObject({ type: "welcome" });
  expect((await open(url, { query: { jid: good } })).frames[0]).toMatchObject({ type: "welcome" });
  expect((await open(url, { query: { jid: expired } })).frames).toEqual(refused("token_expired"));
  for (const [what, jid] of bad)
    expect((await open(url, { query: { jid } })).frames, what).toEqual(refused("unauthorized"));
});

test("the node's access, or a secret of its own, takes the secret's place for tokens", async () => {
  const byAccess = await start({}, { access: accessByToken() });
  expect((await open(byAccess.url, { query: { jid: tokenOf("ann") } })).frames[0]).toMatchObject({
    type: "welcome",
  });
  for (const query of [{}, { jid: good }])
    expect((await open(byAccess.url, { query })).frames).toEqual(refused("unauthorized"));
  const jwtSecret = "0123456789abcdef0123456789abcdef";
  const byJwt = await start({ jwtSecret, publicStreams: true });
  const token = handmadeToken(claims, jwtSecret);
  expect((await open(byJwt.url, { query: { jid: token } })).frames[0]).toMatchObject({ type: "welcome" });
  for (const query of [{}, { jid: good }])
    expect((await open(byJwt.url, { query })).frames).toEqual(refused("unauthorized"));
});

test("short secrets, and public keys, are refused where they would be guessed or known", async () => {
  const pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
  await expect(start({ jwtSecret: "0123456789abcdef0123456789abcde" })).rejects.toThrow(/32 bytes/);
  for (const name of ["secret", "streamsSecret", "apiSecret", "jwtSecret"])
    await expect(start({ [name]: ` ${pem}` })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const beyond = { http: { port: 0, host: "0.0.0.0", open: true } };
  await expect(start({}, beyond)).rejects.toThrow(/^secret must have at least 32 bytes/);
  await start({ secret: "0123456789abcdef0123456789abcdef" }, beyond);
});

describe("npm's client with a token that has expired", () => {
  test("stops, and asks for another token once", async () => {
    const { url } = await start();
    let refreshed = 0;
    const closed: unknown[] = [];
    const client = connectClient(url, {
      auth: { token: expired },
      tokenRefresher: async () => {
        refreshed++;
      },
      reconnectStrategy: () => 0,
    } as object);
    ends.push(() => client.disconnect());
    client.on("close", (event) => closed.push(event?.reason));
    await client.connect().catch(() => undefined);
    await eventually(() => expect(closed).toEqual(["token_expired", "token_expired"]));
    expect(client.state).toBe("closed");
    // It has no timer left that would try again.
    expect(
      (client as unknown as { monitor: { state: string; reconnnectId?: unknown } }).monitor,
    ).toMatchObject({
      state: "closed",
    });
    expect(refreshed).toBe(1);
  });
});
