/** Whatever one client of the HTTP API sends, nothing changes for the others: not who is here, not what they hear. */
import { createHmac } from "node:crypto";
import { createAccess, createNode, type HttpOptions, type NodeNotice, type PresentlyNode } from "presently";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import {
  deepJson,
  endHostiles,
  handmadeToken,
  POISON,
  POLLUTING_JSON,
  pollution,
  RawClient,
  secondsFromNow,
  stuckPost,
} from "../helpers/hostile.ts";
import { openEvents, send, type TestStream, topicPath } from "../helpers/http.ts";

vi.setConfig({ testTimeout: 60_000 });

const secret = "a secret of signer and server, long enough";
const topic = "room:1";
const client = "192.0.2.1";

/** A token that is good for everything, unless it is said otherwise. */
const token = (claims: object = {}) =>
  handmadeToken({ sub: "good", exp: secondsFromNow(600), presently: ["*"], ...claims }, secret);
const authorization = () => ({ authorization: `Bearer ${token()}` });

/** Somebody who does nothing wrong: is here, listens, and has a friend who changes now and then. */
class WellBehaved {
  readonly #url: string;
  readonly #stream: TestStream;
  #heard = 0;

  static async at(url: string): Promise<WellBehaved> {
    const stream = await openEvents(url, topic, { key: "good", access_token: token() });
    await stream.at(0);
    return new WellBehaved(url, stream);
  }

  private constructor(url: string, stream: TestStream) {
    this.#url = url;
    this.#stream = stream;
  }

  /** Fails unless they are here, may make a change, hear of it, and are told of nothing else. */
  async isServed(): Promise<void> {
    const headers = { ...authorization(), "x-forwarded-for": client };
    const meta = { heard: ++this.#heard };
    await eventually(async () => {
      // A machine that is busy may take longer than a short time-out; whoever asks again gets through.
      const { status } = await send(this.#url, topicPath(topic, "friend"), {
        method: "PUT",
        headers,
        body: { meta },
      });
      expect([200, 201]).toContain(status);
    });
    await eventually(() => {
      const { data } = this.#stream.events.at(-1)!;
      const changed = [...data.joins, ...data.updates.map(({ after }: { after: unknown }) => after)];
      expect(changed).toMatchObject([{ key: "friend", meta }]);
    });
    expect(this.#stream.events.every(({ event }) => event === "state" || event === "diff")).toBe(true);
    expect(this.#stream.ended).toBe(false);
    const { body } = await send(this.#url, topicPath(topic), { headers });
    expect(Object.keys(body.presences).sort()).toEqual(["friend", "good"]);
  }

  leave(): void {
    this.#stream.close();
  }
}

let node: PresentlyNode;
let url: string;
let notices: NodeNotice[];
let others: WellBehaved;
let attacker = "";
let attackers = 0;

function startNode(name: string, http: Partial<HttpOptions>): Promise<PresentlyNode> {
  return createNode({
    name,
    http: { port: 0, bodyBytesMax: 20_000, trustedProxies: ["127.0.0.1"], ...http },
    metaBytesMax: 5_000,
    access: createAccess({ jwt: { secret, clockToleranceMs: 0 } }),
    onNotice: (notice) => void notices.push(notice),
    logLevel: "silent",
  });
}

beforeAll(async () => {
  notices = [];
  node = await startNode("a", {
    connectionsPerAddressMax: 20,
    requestsPerAddressPerSecondMax: 400,
    requestsPerConnectionPerSecondMax: 100,
  });
  url = node.httpUrl!;
  others = await WellBehaved.at(url);
});
afterAll(async () => {
  others.leave();
  await node.stop();
});

// Each attack comes from an address of its own, for what an address may do comes back by and by only.
beforeEach(() => {
  attacker = `203.0.113.${++attackers}`;
});
afterEach(() => {
  endHostiles();
  expect(pollution()).toBeUndefined();
});

/** A request of the attacker, whose token is as good as any. */
const attack = (
  path: string,
  options: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
) =>
  send(url, path, {
    ...options,
    headers: { ...authorization(), "x-forwarded-for": attacker, ...options.headers },
  });

const text = (length: number) => "x".repeat(length);

test("what is too large is refused, whatever part of the request it is", async () => {
  const put = (body: string) => attack(topicPath("t", "k"), { method: "PUT", body });
  expect((await put(`{"meta":{"text":"${text(6_000)}"}}`)).status).toBe(413);
  expect((await put(text(21_000))).status).toBe(413);
  expect((await attack(topicPath(text(5_000)))).status).toBe(400);
  expect((await attack(topicPath("t", text(5_000)), { method: "PUT" })).status).toBe(400);
  expect((await attack(`/api/topics?prefix=${text(100_000)}`)).status).toBe(431);
  expect((await attack("/api/topics", { headers: { "x-large": text(100_000) } })).status).toBe(431);
  expect((await attack("/api/topics", { headers: { authorization: `Bearer ${text(17_000)}` } })).status).toBe(
    401,
  );
  const announced = await RawClient.open(url);
  announced.send(
    `PUT ${topicPath("t", "k")} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token()}\r\ncontent-length: 99999999999\r\n\r\n{`,
  );
  await announced.untilClosed();
  expect(announced.status).toBe(413);
  expect(node.count("t").entries).toBe(0);
  await others.isServed();
});

test.each([
  ["no JSON", "{"],
  ["nothing but brackets", "[".repeat(9_000)],
  ["another kind of JSON", "[]"],
  ["a meta of another kind", '{"meta":7}'],
  ["depth", `{"meta":${deepJson(1_000)}}`],
  ["depth under another name", deepJson(2_000)],
  ["bytes that are no text", "\ud800"],
  ["names of an object's own", '{"__proto__":{"meta":{}}}'],
  ["a constructor", '{"constructor":{"prototype":{"polluted":1}}}'],
])("a body of %s changes nothing", async (_, body) => {
  const answer = await attack(topicPath(topic, "evil"), { method: "PUT", body });
  expect([answer.status, answer.body.error.code]).toEqual([400, "INVALID_ARGUMENT"]);
  await others.isServed();
});

test.each([
  ["no JSON", "{"],
  ["another kind", "[]"],
  ["depth", deepJson(500)],
  ["a prototype", POLLUTING_JSON],
])("a meta in a query that is %s makes nobody present", async (_, meta) => {
  const query = new URLSearchParams({ key: "evil", meta }).toString();
  const { status, body } = await attack(`${topicPath(topic)}/events?${query}`);
  expect([status, body.error.code]).toEqual([400, "INVALID_ARGUMENT"]);
  await others.isServed();
});

test("a meta may have names of an object's own but the prototype, and they are names and no more", async () => {
  const meta = { constructor: { prototype: { polluted: 1 } }, toString: 1, hasOwnProperty: "x" };
  const put = await attack(topicPath("t", "k"), { method: "PUT", body: { meta } });
  expect(put.status).toBe(201);
  expect((await attack(topicPath("t"))).body.presences.k.metas).toMatchObject([{ meta }]);
  const polluting = { method: "PUT", body: `{"meta":${POLLUTING_JSON}}` };
  expect((await attack(topicPath("t", "k"), polluting)).status).toBe(400);
  await others.isServed();
});

test("names of an object's own are topics, keys and parameters like any other, and no more", async () => {
  for (const name of POISON) {
    expect((await attack(topicPath(name, name), { method: "PUT" })).status).toBe(201);
    const { text: shown } = await attack(topicPath(name));
    expect(shown).toContain(`"presences":{"${name}":{"metas":[{`);
    expect((await attack(`/api/topics?${name}=1`)).status).toBe(400);
    expect((await attack(`/api/cluster/replicas/${name}`, { method: "DELETE" })).status).toBe(404);
    expect((await attack(`/${name}`)).status).toBe(404);
    expect((await attack(`/page/${name}`)).status).toBe(404);
  }
  const { text: listed } = await attack("/api/topics");
  for (const name of POISON) expect(listed).toContain(`"topic":"${name}"`);
  expect(pollution()).toBeUndefined();
  await others.isServed();
});

test("names of an object's own among the claims make nobody anything", async () => {
  const claims = { sub: "evil", exp: secondsFromNow(60) };
  for (const polluted of ['{"presently":["*"]}', '{"scope":"operate"}']) {
    const json = JSON.stringify({ ...claims, marker: 0 }).replace('"marker":0', `"__proto__":${polluted}`);
    const part = (value: string) => Buffer.from(value).toString("base64url");
    const signed = handmadeToken({}, secret).split(".");
    // Signed anew: the claims are genuine, and hold what no object literal can.
    const content = `${signed[0]}.${part(json)}`;
    const forged = `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
    expect((await attack("/api/topics", { headers: { authorization: `Bearer ${forged}` } })).status).toBe(
      403,
    );
  }
  await others.isServed();
});

test.each<[string, () => string, number]>([
  ["has expired", () => token({ exp: secondsFromNow(-1) }), 401],
  ["does not count yet", () => token({ nbf: secondsFromNow(60) }), 401],
  ["never expires", () => token({ exp: undefined }), 401],
  [
    "is not signed",
    () => handmadeToken({ sub: "good", presently: ["*"], exp: secondsFromNow(60) }, undefined),
    401,
  ],
  ["says none in another way", () => `${Buffer.from('{"alg":"nOnE"}').toString("base64url")}.e30.`, 401],
  [
    "is signed by another",
    () => handmadeToken({ sub: "good", exp: secondsFromNow(60) }, "not the secret"),
    401,
  ],
  ["claims another algorithm", () => handmadeToken({ sub: "good" }, secret, { alg: "HS512" }), 401],
  ["claims a public key's", () => handmadeToken({ sub: "good" }, secret, { alg: "RS256" }), 401],
  [
    "brings its own key",
    () => handmadeToken({ sub: "good" }, "x", { alg: "HS256", jwk: { kty: "oct", k: "eA" } }),
    401,
  ],
  [
    "must be understood in another way",
    () => handmadeToken({ sub: "good" }, secret, { alg: "HS256", crit: ["b64"], b64: false }),
    401,
  ],
  ["names nobody", () => token({ sub: "" }), 401],
  ["names something else", () => token({ sub: { toString: "good" } }), 401],
  ["has scopes of another shape", () => token({ presently: { "*": true } }), 403],
])("a token that %s opens nothing", async (_, make, status) => {
  const headers = { authorization: `Bearer ${make()}` };
  for (const path of ["/api/topics", topicPath(topic), "/metrics"])
    expect((await attack(path, { headers })).status).toBe(status);
  const put = await attack(topicPath(topic, "evil"), { method: "PUT", headers });
  expect(put.status).toBe(status);
  await others.isServed();
});

test("a token that was used once and is to be used once opens nothing", async () => {
  const once = await createNode({
    name: "b",
    http: { port: 0 },
    access: createAccess({ jwt: { secret, singleUse: true } }),
    logLevel: "silent",
  });
  const ask = (claims: object) =>
    send(once.httpUrl!, "/api/topics", { headers: { authorization: `Bearer ${token(claims)}` } });
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => ask({ jti: "1" })));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
  expect((await ask({ jti: "2" })).status).toBe(200);
  expect((await ask({})).status).toBe(401);
  await once.stop();
});

test("lines that are slipped into a request stay in it", async () => {
  const injected = "a\r\nx-injected: 1\r\n\r\nHTTP/1.1 200 OK";
  const encoded = encodeURIComponent(injected);
  const answers = await Promise.all([
    attack(topicPath(injected)),
    attack(topicPath("t", injected), { method: "PUT" }),
    attack(`/api/topics?prefix=${encoded}&cursor=${encoded}`),
    attack(`/api/topics?${encoded}=1`),
    attack(`/page/${encoded}`),
    attack(`/api/cluster/replicas/${encoded}`, { method: "DELETE" }),
  ]);
  for (const { headers } of answers) expect(headers).not.toHaveProperty("x-injected");
  const origin = await RawClient.open(url);
  origin.send(`GET /api/topics HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a\r\n b\r\n\r\n`);
  await origin.until(() => origin.status !== undefined, "an answer");
  expect(origin.status).toBeGreaterThanOrEqual(400);
  await others.isServed();
});

test.each([
  ["two lengths", "content-length: 4\r\ncontent-length: 40\r\n\r\n{}  "],
  ["a length and chunks", "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["chunks that are none", "transfer-encoding: chunked\r\n\r\nzz\r\n"],
  ["another encoding", "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
  ["a name with a blank", "content-length : 4\r\n\r\n{}  "],
])("a request with %s ends its connection, and none is slipped in behind it", async (_, rest) => {
  const raw = await RawClient.open(url);
  const smuggled = `PUT ${topicPath(topic, "evil")} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token()}\r\ncontent-length: 0\r\n\r\n`;
  raw.send(`PUT ${topicPath("t", "k")} HTTP/1.1\r\nhost: a\r\n${rest}${smuggled}`);
  await raw.untilClosed();
  expect(raw.status).toBe(400);
  await others.isServed();
});

test("what is not HTTP, not at its path or not in its method changes nothing", async () => {
  for (const bytes of ["\r\n\r\n\0\0", "\x16\x03\x01\x02\x00\x01", "A".repeat(100_000)]) {
    const raw = await RawClient.open(url);
    raw.send(bytes);
    await raw.untilClosed();
    raw.destroy();
  }
  for (const path of [
    "/api/topics/../../etc/passwd",
    "/page/..%2f..%2fpackage.json",
    "/page/%00",
    "//",
    "/%zz",
  ])
    expect((await attack(path)).status).toBeGreaterThanOrEqual(400);
  for (const method of ["POST", "PATCH", "TRACE", "CONNECT", "PROPFIND"]) {
    const raw = await RawClient.open(url);
    raw.send(`${method} ${topicPath(topic, "good")} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n`);
    await raw.until(() => raw.closed || (raw.status ?? 0) >= 400, "a refusal");
  }
  await others.isServed();
});

test("whoever sends a byte at a time, or half a request and no more, is cut off", async () => {
  const hasty = await startNode("b", { requestTimeoutMs: 300 });
  const base = hasty.httpUrl!;
  const served = await WellBehaved.at(base);
  const dripping = await RawClient.open(base);
  dripping.send("GET /api/topics HTTP/1.1\r\nhost: a\r\nx-slow: ");
  const drip = setInterval(() => dripping.send("x"), 20);
  const half = await RawClient.open(base);
  half.send("GET");
  const stuck = await stuckPost(`${base}${topicPath(topic, "evil")}`, 1_000, "{", authorization());
  await served.isServed();
  await Promise.all([dripping, half, stuck].map((slow) => slow.untilClosed()));
  clearInterval(drip);
  await served.isServed();
  served.leave();
  await hasty.stop();
});

test("a flood of one address is answered with 429, and no other address pays for it", async () => {
  const flood = async () => {
    const raw = await RawClient.open(url);
    const request = `GET /api/topics HTTP/1.1\r\nhost: a\r\nx-forwarded-for: ${attacker}\r\nauthorization: Bearer ${token()}\r\n\r\n`;
    raw.send(request.repeat(300));
    return raw;
  };
  const raws = await Promise.all([flood(), flood(), flood(), flood(), flood()]);
  await others.isServed();
  for (const raw of raws)
    await raw.until(() => /HTTP\/1.1 429 [\s\S]*?retry-after: \d+\r\n/i.test(raw.text), "a refusal");
  expect(notices).toContainEqual(expect.objectContaining({ type: "address-limit", address: attacker }));
  await eventually(async () => expect((await attack("/api/topics")).status).toBe(200));
  await others.isServed();
});

test("streams that one address opens and never reads are bounded, and leave room for others", async () => {
  const open = async () => {
    const raw = await RawClient.open(url);
    raw.send(
      `GET ${topicPath(topic)}/events?access_token=${token()} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: ${attacker}\r\n\r\n`,
    );
    await raw.until(() => raw.status !== undefined, "an answer");
    raw.stall();
    return raw;
  };
  const raws = await Promise.all(Array.from({ length: 30 }, open));
  expect(raws.filter(({ status }) => status === 200)).toHaveLength(20);
  expect(raws.filter(({ status }) => status === 429)).toHaveLength(10);
  await others.isServed();
});
