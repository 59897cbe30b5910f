/** Every resource of the HTTP API asks who it is and whether they may, and nothing else decides. */
import {
  createAccess,
  createApiToken,
  createNode,
  hashApiToken,
  type Identity,
  type NodeNotice,
  type PresentlyNode,
} from "presently";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { handmadeToken, RawClient, secondsFromNow } from "../helpers/hostile.ts";
import { openEvents, send, type TestRequest, topicPath } from "../helpers/http.ts";

vi.setConfig({ testTimeout: 60_000 });

const secret = "a secret of signer and server, long enough";
const operator = createApiToken();
const reader = createApiToken();

let node: PresentlyNode;
let url: string;
const lines: string[] = [];

beforeAll(async () => {
  const access = createAccess({
    jwt: { secret, clockToleranceMs: 0 },
    tokens: [
      { id: "ops", hash: hashApiToken(operator), scopes: ["*"] },
      { id: "prometheus", hash: hashApiToken(reader), scopes: ["inspect:metrics"] },
    ],
  });
  const write = (facts: object, message: string) => void lines.push(`${JSON.stringify(facts)} ${message}`);
  const log = { debug: write, info: write, warn: write, error: write };
  node = await createNode({ name: "a", http: { port: 0 }, access, log });
  url = node.httpUrl!;
});
afterAll(() => node.stop());

function connectionsOf({ httpServer }: PresentlyNode): Promise<number> {
  return new Promise((resolve, reject) =>
    httpServer!.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}

/** A token of ann's that is good for a minute. */
function annToken(scopes: readonly string[], claims: object = {}): string {
  return handmadeToken({ sub: "ann", exp: secondsFromNow(60), presently: scopes, ...claims }, secret);
}

function ask(path: string, token?: string, options: TestRequest = {}) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return send(url, path, { ...options, headers: { ...headers, ...options.headers } });
}

/** What each resource needs, and nothing less is enough. */
const resources: readonly (readonly [method: string, path: string, scope: string])[] = [
  ["GET", "/metrics", "inspect:metrics"],
  ["GET", "/api/cluster", "inspect:cluster"],
  ["GET", "/api/cluster/peers", "inspect:cluster"],
  ["GET", "/api/topics", "inspect:topics"],
  ["GET", topicPath("room:1"), "watch:room:1"],
  ["HEAD", `${topicPath("room:1")}/events`, "watch:room:1"],
  ["PUT", topicPath("room:1", "ann"), "track:room:1"],
  ["PUT", topicPath("room:1", "ben"), "track-any:room:*"],
  ["DELETE", topicPath("room:1", "ann"), "track:room:1"],
  ["DELETE", `${topicPath("room:1", "ann")}?everywhere=true`, "operate:kick:room:*"],
  ["DELETE", "/api/cluster/replicas/b%401", "operate:evict"],
];

const scopes = [...new Set(resources.map(([, , scope]) => scope)), "publish:*", "inspect:topics"];

describe.each(resources)("%s %s", (method, path, needed) => {
  test("is for nobody without a token", async () => {
    const { status, headers, body } = await ask(path, undefined, { method });
    expect(status).toBe(401);
    expect(headers["www-authenticate"]).toBe('Bearer realm="presently"');
    if (method !== "HEAD") expect(body.error).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test(`is for ${needed} and for who may do everything`, async () => {
    for (const token of [annToken([needed]), annToken(["*"]), operator])
      expect([200, 201, 204, 404]).toContain((await ask(path, token, { method })).status);
  });

  test("is not for any other scope", async () => {
    const covering = path === topicPath("room:1", "ann") ? ["track-any:room:*"] : [];
    const others = scopes.filter((scope) => scope !== needed && !covering.includes(scope));
    const { status, body } = await ask(path, annToken(others), { method });
    expect(status).toBe(403);
    if (method !== "HEAD") expect(body.error).toMatchObject({ code: "FORBIDDEN" });
  });
});

test("the probes and the page ask nobody", async () => {
  for (const path of ["/healthz", "/readyz", "/", "/page/main.js"])
    expect((await ask(path)).status).toBe(200);
});

describe("a token", () => {
  const good = () => annToken(["inspect"]);

  test.each([
    ["that has expired", () => annToken(["inspect"], { exp: secondsFromNow(-1) })],
    ["that does not count yet", () => annToken(["inspect"], { nbf: secondsFromNow(60) })],
    ["signed by another", () => handmadeToken({ sub: "ann", exp: secondsFromNow(60) }, "another secret")],
    ["that is not signed", () => handmadeToken({ sub: "ann", exp: secondsFromNow(60) }, undefined)],
    ["of another algorithm", () => handmadeToken({ sub: "ann" }, secret, { alg: "HS512" })],
    ["that nobody knows", () => createApiToken()],
  ])("%s is refused, and is not taken for none", async (_, token) => {
    const { status, headers } = await ask("/api/topics", token());
    expect(status).toBe(401);
    expect(headers["www-authenticate"]).toBe('Bearer realm="presently", error="invalid_token"');
  });

  test("may stand in the query of what is read, for those who cannot set header fields", async () => {
    expect((await ask(`/api/topics?access_token=${good()}&limit=5`)).status).toBe(200);
    expect((await ask(`/api/topics?limit=5&access_token=${good()}`)).status).toBe(200);
    const stream = await openEvents(url, "room:q", { access_token: annToken(["watch:room:q"]) });
    expect(await stream.at(0)).toMatchObject({ event: "state" });
    stream.close();
  });

  test("in the query is none for what changes something", async () => {
    const path = `${topicPath("room:1", "ann")}?access_token=${annToken(["*"])}`;
    expect((await ask(path, undefined, { method: "PUT" })).status).toBe(401);
    const { status, body } = await ask(path, operator, { method: "PUT" });
    expect([status, body.error.code]).toEqual([400, "INVALID_ARGUMENT"]);
  });

  test("must be one", async () => {
    const { status, body } = await ask(`/api/topics?access_token=${good()}`, good());
    expect([status, body.error.code]).toEqual([400, "SEVERAL_TOKENS"]);
    expect((await ask(`/api/topics?access_token=${good()}&access_token=x`)).status).toBe(400);
  });

  test("of another scheme is a bad one", async () => {
    const { status } = await ask("/api/topics", undefined, { headers: { authorization: "Basic YTpi" } });
    expect(status).toBe(401);
  });

  test("is in no line of the log and in no answer", async () => {
    const token = annToken([], { jti: "never-to-be-seen" });
    const answers = await Promise.all([
      ask(`/api/topics?access_token=${token}`),
      ask(`/api/topics?access_token=${token}&nonsense=1`),
      ask(`/api/topics?access_token=${token}%zz`),
      ask("/api/topics", `${token}x`),
      ask(topicPath("room:1", "ann"), token, { method: "PUT", body: "{" }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 400, 401, 403]);
    const written = [...lines, ...answers.map(({ text, headers }) => text + JSON.stringify(headers))].join(
      "\n",
    );
    expect(lines.length).toBeGreaterThan(0);
    expect(written).not.toContain(token.slice(0, 60));
  });
});

describe("an event stream", () => {
  test("needs the right to watch, and with a key that to be present under it", async () => {
    const open = (key: string, ...granted: string[]) =>
      openEvents(url, "room:s", { key, access_token: annToken(granted) });
    for (const [key, ...granted] of [
      ["ann", "watch:room:s"],
      ["ann", "track:room:s"],
      ["ben", "watch:room:s", "track:room:s"],
    ] as const) {
      const stream = await open(key, ...granted);
      expect(stream.status).toBe(403);
      stream.close();
    }
    expect(node.count("room:s").entries).toBe(0);
    const stream = await open("ann", "watch:room:s", "track:room:s");
    expect((await stream.at(0)).data.presences).toHaveProperty("ann");
    stream.close();
    await eventually(() => expect(node.count("room:s").entries).toBe(0));
  });

  test("ends when its token expires, and takes the presence with it", async () => {
    const token = annToken(["watch:*", "track:*"], { exp: secondsFromNow(2) });
    const stream = await openEvents(url, "room:x", { key: "ann", access_token: token });
    expect(stream.status).toBe(200);
    await eventually(() => expect(stream.ended).toBe(true), { timeoutMs: 20_000 });
    expect(stream.events.at(-1)).toMatchObject({
      event: "error",
      data: { error: { code: "TOKEN_EXPIRED" } },
    });
    await eventually(() => expect(node.count("room:x").entries).toBe(0));
  });
});

test("hooks of one's own are asked with everything that is known, and what they throw refuses", async () => {
  const asked: unknown[] = [];
  const notices: NodeNotice[] = [];
  const access = {
    authenticate(credentials: unknown) {
      asked.push(credentials);
      if (asked.length > 1) throw new Error("the database is gone");
      return { id: "ann", claims: {} };
    },
    authorize: () => true,
  };
  const own = await createNode({
    name: "b",
    http: { port: 0 },
    access,
    onNotice: (notice) => void notices.push(notice),
    logLevel: "silent",
  });
  try {
    const headers = { "x-mine": "1" };
    const first = await send(own.httpUrl!, "/api/topics?access_token=t&prefix=a", { headers });
    expect(first.status).toBe(200);
    expect(asked[0]).toMatchObject({ protocol: "http", token: "t", headers, address: "127.0.0.1" });
    // Parameters are what applications log: the token is not among them.
    expect(asked[0]).toHaveProperty("params", { prefix: "a" });
    const { status, body } = await send(own.httpUrl!, "/api/topics");
    expect([status, body.error.code]).toEqual([503, "ACCESS_FAILED"]);
    expect(notices).toContainEqual(expect.objectContaining({ type: "access-failed", protocol: "http" }));
  } finally {
    await own.stop();
  }
});

test("a client that goes away while a hook is asked leaves neither a stream nor a presence", async () => {
  const answers: (() => void)[] = [];
  const access = {
    authenticate: () =>
      new Promise<Identity>((resolve) => answers.push(() => resolve({ id: "ann", claims: {} }))),
    authorize: () => true,
  };
  const slow = await createNode({ name: "b", http: { port: 0 }, access, logLevel: "silent" });
  try {
    const tracked = vi.spyOn(slow, "session");
    const gone = await RawClient.open(slow.httpUrl!);
    gone.send(`GET ${topicPath("t")}/events?key=ann HTTP/1.1\r\nhost: a\r\n\r\n`);
    gone.send(`PUT ${topicPath("t", "ben")} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n{`);
    await eventually(() => expect(answers).toHaveLength(2));
    expect(await connectionsOf(slow)).toBe(1);
    gone.destroy();
    await eventually(async () => expect(await connectionsOf(slow)).toBe(0));
    for (const answer of answers) answer();
    // Whoever comes later is served, and by then the answer has had its effect.
    const later = send(slow.httpUrl!, topicPath("t"));
    await eventually(() => expect(answers).toHaveLength(3));
    for (const answer of answers) answer();
    expect((await later).body).toMatchObject({ entries: 0 });
    expect(tracked).not.toHaveBeenCalled();
  } finally {
    await slow.stop();
  }
});

test("refused requests are among the metrics", async () => {
  await ask("/api/topics");
  await ask("/api/topics", annToken([]));
  const { text } = await ask("/metrics", reader);
  for (const reason of ["unauthenticated", "forbidden"])
    expect(text).toMatch(
      new RegExp(`presently_http_requests_refused_total\\{reason="${reason}"[^}]*\\} [1-9]`),
    );
});

describe("a node without access", () => {
  test("does not start where other machines reach it, unless it is open on purpose", async () => {
    const start = (http: object) => createNode({ name: "c", http: { port: 0, ...http } });
    await expect(start({ host: "0.0.0.0" })).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining("http.host 0.0.0.0 can be reached by other machines"),
    });
    await expect(start({ trustedProxies: ["127.0.0.1"] })).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
    });
    const open = await start({ host: "0.0.0.0", open: true });
    await open.stop();
  });

  test("answers under names of its own machine only", async () => {
    const local = await createNode({ name: "c", http: { port: 0 } });
    try {
      const withHost = (host: string) => send(local.httpUrl!, "/api/topics", { headers: { host } });
      for (const host of ["localhost:4001", "127.0.0.1", "[::1]:4001", "a.localhost"])
        expect((await withHost(host)).status).toBe(200);
      for (const host of [
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "localhost.evil.example",
        "[",
      ]) {
        const { status, body } = await withHost(host);
        expect([status, body.error.code]).toEqual([403, "HOST_REFUSED"]);
      }
    } finally {
      await local.stop();
    }
  });
});

describe("too many", () => {
  const limited = (http: object) =>
    createNode({ name: "d", http: { port: 0, open: true, ...http }, logLevel: "silent" });

  test("requests of one address are refused, and those of another behind the same proxy are not", async () => {
    const limits = { requestsPerAddressPerSecondMax: 2, trustedProxies: ["127.0.0.1"] };
    const proxied = await limited(limits);
    try {
      const from = (address: string) =>
        send(proxied.httpUrl!, "/api/topics", { headers: { "x-forwarded-for": address } });
      const answers = await Promise.all([1, 2, 3, 4, 5].map(() => from("192.0.2.1")));
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length).toBeGreaterThan(0);
      expect(refused[0]!.body.error.code).toBe("TOO_MANY_REQUESTS");
      expect(Number(refused[0]!.headers["retry-after"])).toBeGreaterThan(0);
      expect((await from("192.0.2.2")).status).toBe(200);
      // What the client itself claims stands before what the proxy says.
      expect((await from("203.0.113.1, 192.0.2.3")).status).toBe(200);
    } finally {
      await proxied.stop();
    }
  });

  test("requests of one connection are refused, and another connection is not", async () => {
    const one = await limited({ requestsPerConnectionPerSecondMax: 3 });
    try {
      const client = await RawClient.open(one.httpUrl!);
      client.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(40));
      await client.until(() => client.text.includes("HTTP/1.1 429"), "a refusal");
      expect((await send(one.httpUrl!, "/healthz")).status).toBe(200);
      client.destroy();
    } finally {
      await one.stop();
    }
  });

  test("requests that were refused, or answered, are not held against an address", async () => {
    const access = createAccess({ tokens: [{ id: "a", hash: hashApiToken(reader), scopes: ["inspect"] }] });
    const two = await createNode({
      name: "d",
      http: { port: 0, connectionsPerAddressMax: 2, trustedProxies: ["127.0.0.1"] },
      access,
      logLevel: "silent",
    });
    try {
      const headers = { authorization: `Bearer ${reader}`, "x-forwarded-for": "192.0.2.1" };
      const statuses: number[] = [];
      for (const path of [topicPath("t"), topicPath("t"), topicPath("t"), "/api/topics?x=1", "/metrics"])
        statuses.push((await send(two.httpUrl!, path, { headers })).status);
      for (let times = 0; times < 4; times++)
        statuses.push((await send(two.httpUrl!, "/api/topics", { headers })).status);
      expect(statuses).toEqual([403, 403, 403, 400, 200, 200, 200, 200, 200]);
    } finally {
      await two.stop();
    }
  });

  test("connections of one address are refused until one of them closes", async () => {
    const three = await limited({ connectionsPerAddressMax: 3 });
    try {
      const idle = await Promise.all([1, 2, 3].map(() => RawClient.open(three.httpUrl!)));
      const [first] = idle;
      await eventually(async () => {
        const late = await RawClient.open(three.httpUrl!);
        await late.untilClosed();
        expect(late.text).toMatch(/^HTTP\/1\.1 429 [\s\S]*retry-after: 1\r\n[\s\S]*TOO_MANY_REQUESTS/);
      });
      expect(three.refusedRequests["too-many"]).toBeGreaterThan(0);
      first!.destroy();
      await eventually(async () => expect((await send(three.httpUrl!, "/healthz")).status).toBe(200));
      for (const client of idle) client.destroy();
    } finally {
      await three.stop();
    }
  });
});
