import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { openEvents, send, topicPath } from "../../../../test/helpers/http.ts";
import { createNode, type PresentlyNode } from "../node.ts";
import type { HttpOptions } from "../node-options.ts";

let node: PresentlyNode | undefined;
afterEach(() => node?.stop());

async function startWith(http: Partial<HttpOptions> = {}): Promise<string> {
  node = await createNode({ name: "a", http: { port: 0, ...http }, logLevel: "silent" });
  return node.httpUrl!;
}

/** A raw connection, for requests that no proper client would send. */
async function connectTo(url: string): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  return { socket, received: () => text };
}

describe("the HTTP server", () => {
  test("refuses what is not HTTP, and goes on", async () => {
    const url = await startWith();
    const { socket, received } = await connectTo(url);
    socket.write("\u0016\u0003 hello?\r\n\r\n");
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 400 [\s\S]*"BAD_REQUEST"/));
    expect((await send(url, "/healthz")).status).toBe(200);
  });

  test("refuses header fields without end", async () => {
    const url = await startWith();
    const { status, body } = await send(url, `/healthz?${"x".repeat(60_000)}`);
    expect([status, body.error.code]).toEqual([431, "HEADER_TOO_LARGE"]);
  });

  test.each([
    ["a header that never ends", "GET /healthz HTTP/1.1\r\nhost: localhost\r\n"],
    [
      "a body that never comes",
      `PUT ${topicPath("t", "k")} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{`,
    ],
  ])("gives up on %s", async (_, text) => {
    const url = await startWith({ requestTimeoutMs: 200 });
    const { socket, received } = await connectTo(url);
    const closed = once(socket, "close");
    socket.write(text);
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 408 [\s\S]*"REQUEST_TIMEOUT"/));
    await closed;
  });

  test("forgets a stream that never began because another one was before it on its connection", async () => {
    const url = await startWith();
    const { socket, received } = await connectTo(url);
    const get = (key: string) =>
      `GET ${topicPath("t")}/events?key=${key} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    socket.write(get("first") + get("second"));
    await eventually(() => expect(received()).toContain("first"));
    socket.destroy();
    await eventually(() => expect(node!.count("t").entries).toBe(0));
  });

  test("leaves a body that was not read for no other request to stumble over", async () => {
    const url = await startWith();
    const { socket, received } = await connectTo(url);
    const closed = once(socket, "close");
    socket.write(
      `POST /nope HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nGET /healthz HTTP/1.1\r\n`,
    );
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 404 [\s\S]*connection: close/i));
    await closed;
    expect(received()).not.toContain("200 OK");
  });

  test("closes connections beyond the bound", async () => {
    const url = await startWith({ connectionsMax: 2 });
    const [one, two] = [await connectTo(url), await connectTo(url)];
    const three = await connectTo(url);
    await once(three.socket, "close");
    one.socket.destroy();
    two.socket.destroy();
    await eventually(async () => expect((await send(url, "/healthz")).status).toBe(200));
  });

  test("ends its streams and is gone when the node stops", async () => {
    const url = await startWith();
    const stream = await openEvents(url, "t", { key: "alice" });
    await stream.at(0);
    await node!.stop();
    await eventually(() => expect(stream.ended).toBe(true));
    await expect(send(url, "/healthz")).rejects.toThrow("ECONNREFUSED");
  });
});

describe("pages of other origins", () => {
  const foreign = { origin: "https://evil.example" };

  test("make nobody present, and learn nothing", async () => {
    const url = await startWith();
    const path = topicPath("t", "k");
    for (const headers of [foreign, { origin: "null" }, { "sec-fetch-site": "cross-site" }]) {
      for (const [target, method] of [
        [path, "PUT"],
        [path, "DELETE"],
        [`${topicPath("t")}/events?key=k`, "GET"],
      ] as const) {
        const answer = await send(url, target, { method, headers });
        expect([answer.status, answer.body.error.code]).toEqual([403, "ORIGIN_REFUSED"]);
        expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
      }
    }
    expect(node!.count("t").entries).toBe(0);
  });

  test("may do as they like once they are allowed", async () => {
    const url = await startWith({ allowedOrigins: [foreign.origin] });
    const preflight = await send(url, topicPath("t", "k"), { method: "OPTIONS", headers: foreign });
    expect(preflight.headers).toMatchObject({
      "access-control-allow-origin": foreign.origin,
      vary: "origin",
    });
    expect((await send(url, topicPath("t", "k"), { method: "PUT", headers: foreign })).status).toBe(201);
    const other = await send(url, topicPath("t"), { headers: { origin: "https://other.example" } });
    expect(other.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("are none of those that the node itself serves", async () => {
    const url = await startWith();
    expect((await send(url, topicPath("t", "k"), { method: "PUT", headers: { origin: url } })).status).toBe(
      201,
    );
  });
});

describe("the page", () => {
  test("is served with all that it refers to, and may load nothing else", async () => {
    const url = await startWith();
    const index = await send(url, "/");
    expect(index.status).toBe(200);
    expect(index.headers["content-security-policy"]).toContain("default-src 'self'");
    const files = [...index.text.matchAll(/(?:href|src)="(\/page\/[^"]+)"/g)].map(([, path]) => path!);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect((await send(url, file)).status, file).toBe(200);
    const again = await send(url, "/", { headers: { "if-none-match": index.headers.etag! } });
    expect([again.status, again.text]).toEqual([304, ""]);
  });

  test.each([
    "/page/",
    "/page/nope.js",
    "/page/../package.json",
    "/page/..%2Fpackage.json",
    "/page/%2e%2e/package.json",
  ])("has no such file: %s", async (path) => {
    const url = await startWith();
    expect((await send(url, path)).status).toBe(404);
  });

  test("can be left out", async () => {
    expect((await send(await startWith({ page: false }), "/")).status).toBe(404);
  });

  test("is told of the demo's control server, and may call it, in a demo only", async () => {
    const url = await startWith({ demoControl: "http://127.0.0.1:4000" });
    expect((await send(url, "/demo.json")).body).toEqual({ control: "http://127.0.0.1:4000" });
    expect((await send(url, "/")).headers["content-security-policy"]).toContain(
      "connect-src 'self' http://127.0.0.1:4000;",
    );
    await node!.stop();
    expect((await send(await startWith(), "/demo.json")).body).toEqual({});
  });
});
