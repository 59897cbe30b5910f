import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LinkProxy } from "./link-proxy.ts";

/** A socket whose received text and fate can be awaited. */
class Wire {
  readonly socket: Socket;
  received = "";
  ended = false;
  errorCode: string | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      this.received += text;
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code;
    });
  }

  async receives(length: number): Promise<string> {
    while (this.received.length < length) await once(this.socket, "data");
    return this.received;
  }

  async closes(): Promise<void> {
    // Not `once`, which would take the reset that many tests provoke for its own failure.
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once("close", resolve));
  }
}

let target: Server;
let accepted: Wire[];
let dialled: Socket[];
let proxy: LinkProxy;

beforeEach(async () => {
  accepted = [];
  dialled = [];
  target = createServer({ allowHalfOpen: true }, (socket) => accepted.push(new Wire(socket)));
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  proxy = await LinkProxy.listen({ targetPort: (target.address() as AddressInfo).port });
});

afterEach(async () => {
  await proxy.close();
  for (const socket of [...dialled, ...accepted.map((wire) => wire.socket)]) socket.destroy();
  target.close();
});

function dial(port = proxy.port): Wire {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  dialled.push(socket);
  return new Wire(socket);
}

async function dialThrough(): Promise<{ client: Wire; server: Wire }> {
  const arrival = once(target, "connection");
  const client = dial();
  await arrival;
  return { client, server: accepted.at(-1)! };
}

/** Passes once everything already sent over loopback had every chance to arrive: a fresh round trip beside the proxy. */
async function roundTrip(): Promise<void> {
  const arrival = once(target, "connection");
  const probe = dial((target.address() as AddressInfo).port);
  await arrival;
  const server = accepted.pop()!;
  for (let trip = 0; trip < 3; trip++) {
    server.socket.write("x");
    await probe.receives(trip + 1);
    probe.socket.write("x");
    await server.receives(trip + 1);
  }
  probe.socket.destroy();
  server.socket.destroy();
}

describe("an untouched proxy", () => {
  it("carries bytes both ways, in order", async () => {
    const { client, server } = await dialThrough();
    client.socket.write("to the target");
    server.socket.write("and back");
    expect(await server.receives(13)).toBe("to the target");
    expect(await client.receives(8)).toBe("and back");
  });

  it("carries more than it may hold back", async () => {
    const { client, server } = await dialThrough();
    const text = Array.from({ length: 400_000 }, (_, index) => String(index)).join(",");
    client.socket.write(text);
    expect(await server.receives(text.length)).toBe(text);
  });

  it("passes an end on and leaves the other direction open", async () => {
    const { client, server } = await dialThrough();
    client.socket.end("last words");
    await once(server.socket, "end");
    expect(server.received).toBe("last words");
    server.socket.end("answer");
    await client.closes();
    expect(client.received).toBe("answer");
    expect(client.errorCode).toBeUndefined();
  });

  it("passes a reset on", async () => {
    const { client, server } = await dialThrough();
    server.socket.resetAndDestroy();
    await client.closes();
    expect(client.errorCode).toBe("ECONNRESET");
  });

  it("resets a client whose target does not listen", async () => {
    const unused = await LinkProxy.listen({ targetPort: proxy.port });
    const targetPort = unused.port;
    await unused.close();
    const toNowhere = await LinkProxy.listen({ targetPort });
    const client = dial(toNowhere.port);
    await client.closes();
    await toNowhere.close();
    expect(client.errorCode).toBe("ECONNRESET");
  });
});

describe("a cut", () => {
  it("resets open connections at both ends", async () => {
    const { client, server } = await dialThrough();
    proxy.cut();
    await Promise.all([client.closes(), server.closes()]);
    expect([client.errorCode, server.errorCode]).toEqual(["ECONNRESET", "ECONNRESET"]);
  });

  it("lets nobody through until it is restored", async () => {
    proxy.cut();
    const refused = dial();
    await refused.closes();
    expect(accepted).toHaveLength(0);
    proxy.restore();
    const { client, server } = await dialThrough();
    client.socket.write("hello");
    expect(await server.receives(5)).toBe("hello");
  });
});

describe("a stall", () => {
  it("closes nothing, moves nothing, and loses nothing", async () => {
    const { client, server } = await dialThrough();
    proxy.stall();
    client.socket.write("held");
    server.socket.write("back");
    await roundTrip();
    expect([client.received, server.received]).toEqual(["", ""]);
    expect([client.socket.closed, server.socket.closed]).toEqual([false, false]);
    proxy.restore();
    expect(await server.receives(4)).toBe("held");
    expect(await client.receives(4)).toBe("back");
  });

  it("accepts a new connection, of which the target hears only after it is restored", async () => {
    proxy.stall();
    const client = dial();
    await once(client.socket, "connect");
    client.socket.write("early");
    await roundTrip();
    expect(accepted).toHaveLength(0);
    const arrival = once(target, "connection");
    proxy.restore();
    await arrival;
    expect(await accepted.at(-1)!.receives(5)).toBe("early");
  });

  it("keeps the news of an end until it is restored", async () => {
    const { client, server } = await dialThrough();
    proxy.stall();
    client.socket.end("bye");
    await roundTrip();
    expect(server.ended).toBe(false);
    const end = once(server.socket, "end");
    proxy.restore();
    await end;
    expect(server.received).toBe("bye");
  });

  it("of one direction leaves the other alone", async () => {
    const { client, server } = await dialThrough();
    proxy.stall("forward");
    client.socket.write("held");
    server.socket.write("through");
    expect(await client.receives(7)).toBe("through");
    await roundTrip();
    expect(server.received).toBe("");
    proxy.restore();
    expect(await server.receives(4)).toBe("held");
  });
});

describe("a delay", () => {
  it("is at least as long as asked, and keeps the order", async () => {
    const { client, server } = await dialThrough();
    proxy.delay(40);
    const sentMs = performance.now();
    client.socket.write("one");
    client.socket.write("two");
    expect(await server.receives(6)).toBe("onetwo");
    expect(performance.now() - sentMs).toBeGreaterThanOrEqual(39);
  });

  it("does not let a later byte overtake an earlier one when it ends", async () => {
    const { client, server } = await dialThrough();
    proxy.delay(40);
    client.socket.write("late");
    await roundTrip();
    proxy.restore();
    client.socket.write("soon");
    expect(await server.receives(8)).toBe("latesoon");
  });
});

describe("close", () => {
  it("ends every connection and frees the port", async () => {
    const { client } = await dialThrough();
    const { port } = proxy;
    await proxy.close();
    await client.closes();
    expect(proxy.connections).toBe(0);
    const again = await LinkProxy.listen({ targetPort: port, port });
    expect(again.port).toBe(port);
    await again.close();
  });

  it("may be called twice", async () => {
    await proxy.close();
    await proxy.close();
  });
});

it("counts the connections that are open", async () => {
  const { client } = await dialThrough();
  expect(proxy.connections).toBe(1);
  proxy.cut();
  await client.closes();
  while (proxy.connections > 0) await roundTrip();
});
