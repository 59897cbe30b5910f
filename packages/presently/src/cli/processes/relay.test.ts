import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../../../../../test/helpers/eventually.ts";
import { send } from "../../../../../test/helpers/http.ts";
import { Relay } from "./relay.ts";

let directory = "";
const ending: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "presently-"));
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
  rmSync(directory, { recursive: true });
});

/** A process of the group: with a server, and with what came to it from another one. */
async function member(slot: number): Promise<{ relay: Relay; server: Server; url: string; port: number }> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const relay = new Relay({ directory, slot, server: () => server, answer: () => Promise.resolve([slot]) });
  await relay.listen();
  ending.push(() => relay.close());
  ending.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { relay, server, url: `http://127.0.0.1:${port}`, port };
}

/** The first of two hands all on to the second. */
async function pair() {
  const [outer, inner] = [await member(1), await member(2)];
  outer.server.on("request", (request, response) => outer.relay.relay(2, request, response));
  outer.server.on("upgrade", (request, stream, head) => outer.relay.relayUpgrade(2, request, stream, head));
  return { outer, inner };
}

const lines = async (stream: AsyncIterable<Buffer>): Promise<string> => {
  let text = "";
  for await (const chunk of stream) text += chunk.toString("latin1");
  return text;
};

describe("a request that is handed on", () => {
  test("arrives as it was sent, with the client's address, and so does the answer", async () => {
    const { outer, inner } = await pair();
    let got: Pick<IncomingMessage, "method" | "url" | "headers"> & {
      body?: string;
      from?: string | undefined;
    };
    inner.server.on("request", async (request, response) => {
      const { method, url, headers } = request;
      expect(inner.relay.isRelayed(request)).toBe(true);
      got = { method, url, headers, from: request.socket.remoteAddress, body: await lines(request) };
      response.writeHead(207, { "x-answer": "yes", "set-cookie": ["a=1", "b=2"] });
      response.end("hello");
    });
    const headers = { "x-forwarded-for": "10.0.0.1", "content-type": "text/plain", te: "trailers" };
    const answer = await send(outer.url, "/a%2Fb?c=d%20e", { method: "POST", headers, body: "ünïcode" });
    expect(answer).toMatchObject({ status: 207, text: "hello", headers: { "x-answer": "yes" } });
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(got!).toMatchObject({ method: "POST", url: "/a%2Fb?c=d%20e", from: "127.0.0.1" });
    expect(got!.headers).toMatchObject({ "x-forwarded-for": "10.0.0.1", host: new URL(outer.url).host });
    expect(Buffer.from(got!.body!, "latin1").toString("utf8")).toBe("ünïcode");
  });

  test("says nothing that only processes of the group may say, whatever a client sends", async () => {
    const { outer, inner } = await pair();
    const from: unknown[] = [];
    inner.server.on("request", (request, response) => {
      from.push(request.socket.remoteAddress, request.headers["x-presently-relayed-for"]);
      response.end();
    });
    const headers = { "x-presently-relayed-for": "6.6.6.6", "x-presently-relay-ask": "1" };
    const { text } = await send(outer.url, "/", { headers });
    expect([text, ...from]).toEqual(["", "127.0.0.1", undefined]);
    // Sent straight to the port, it is no more than a header field.
    outer.server.removeAllListeners("request");
    outer.server.on("request", (request, response) => {
      response.end(`${outer.relay.isRelayed(request)} ${request.socket.remoteAddress}`);
    });
    expect((await send(outer.url, "/", { headers })).text).toBe("false 127.0.0.1");
  });

  test("is given up there when the client gives up", async () => {
    const { outer, inner } = await pair();
    let gone = false;
    let arrived = false;
    inner.server.on("request", (_request, response) => {
      arrived = true;
      response.on("close", () => {
        gone = true;
      });
    });
    const client = connect(outer.port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await eventually(() => expect(arrived).toBe(true));
    client.destroy();
    await eventually(() => expect(gone).toBe(true));
  });

  test("breaks off when the answer breaks off, and does not end as if that were all", async () => {
    const { outer, inner } = await pair();
    inner.server.on("request", (_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.destroy());
    });
    await expect(send(outer.url, "/")).rejects.toThrow();
  });

  test("is answered by 503 when the other process does not run", async () => {
    const alone = await member(1);
    alone.server.on("request", (request, response) => alone.relay.relay(2, request, response));
    const { status, headers, body } = await send(alone.url, "/", { method: "PUT", body: "x" });
    expect([status, headers["retry-after"], body.error.code]).toEqual([503, "1", "NOT_READY"]);
  });
});

describe("an upgrade that is handed on", () => {
  const upgrade =
    "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Odd: \xe9\r\n";

  test("joins the two ends, and what is sent before the answer is not lost", async () => {
    const { outer, inner } = await pair();
    let got: Record<string, unknown> = {};
    inner.server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      got = {
        url: request.url,
        from: request.socket.remoteAddress,
        odd: request.headers["x-odd"],
        ours: inner.relay.isRelayed(request),
      };
      stream.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
      stream.write(head);
      stream.on("data", (chunk) => stream.write(chunk));
      stream.on("end", () => stream.end());
    });
    const client = connect(outer.port, "127.0.0.1");
    let heard = "";
    client.on("data", (chunk) => {
      heard += chunk.toString();
    });
    client.write(`${upgrade}X-Presently-Relayed-For: 6.6.6.6\r\n\r\nearly `, "latin1");
    await eventually(() => expect(heard).toMatch(/\r\n\r\nearly $/));
    client.write("late");
    await eventually(() => expect(heard).toMatch(/early late$/));
    expect(got).toEqual({ url: "/socket", from: "127.0.0.1", odd: "é", ours: true });
    client.destroy();
  });

  test("ends for the client when the other process ends it, and the other way round", async () => {
    const { outer, inner } = await pair();
    const streams: Duplex[] = [];
    inner.server.on("upgrade", (_request: IncomingMessage, stream: Duplex) => {
      stream.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
      stream.resume();
      // As every WebSocket server does.
      stream.on("end", () => stream.end());
      streams.push(stream);
    });
    const clients = [1, 2].map(() => connect(outer.port, "127.0.0.1"));
    for (const client of clients) {
      client.on("error", () => undefined);
      client.resume();
      client.write(`${upgrade}\r\n`, "latin1");
    }
    await eventually(() => expect(streams).toHaveLength(2));
    for (const client of clients) if (client === clients[0]) client.destroy();
    await eventually(() => expect(streams.filter(({ destroyed }) => destroyed)).toHaveLength(1));
    for (const stream of streams) stream.destroy();
    await eventually(() => expect(clients[1]!.closed).toBe(true));
  });

  test("is refused by 503 when the other process does not run", async () => {
    const alone = await member(1);
    alone.server.on("upgrade", (request, stream, head) => alone.relay.relayUpgrade(2, request, stream, head));
    const client = connect(alone.port, "127.0.0.1");
    client.write(`${upgrade}\r\n`, "latin1");
    expect(await lines(client)).toMatch(/^HTTP\/1.1 503 /);
  });
});

test("a process is asked by the others, and one that does not run has no answer", async () => {
  const { outer } = await pair();
  expect(await outer.relay.ask(2)).toEqual([2]);
  expect(await outer.relay.ask(3)).toBeUndefined();
});

test("a process takes the place of one that crashed, whose socket is still there", async () => {
  const { outer } = await pair();
  const again = new Relay({
    directory,
    slot: 2,
    server: () => undefined,
    answer: () => Promise.resolve("anew"),
  });
  await again.listen();
  ending.push(() => again.close());
  expect(await outer.relay.ask(2)).toBe("anew");
});
