/** What Socket.IO's own adapters promise, on three servers; each row of the acceptance list by its number. */
import { once } from "node:events";
import { presently } from "@presently/socket.io";
import { Packet } from "presently";
import type { Server, Socket } from "socket.io";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { type Client, hear, type Site, Sites } from "./socketio-sites.ts";

/** Where the servers of the main namespace talk. */
const CHANNEL = "socket.io:channel:default:/";

const sites = new Sites();
let all: Site[];
let [a, b, c] = [] as unknown as [Site, Site, Site];
let clients: Client[];
let sockets: Socket[];

beforeAll(async () => {
  all = await sites.start(["a", "b", "c"]);
  [a, b, c] = all as [Site, Site, Site];
});
beforeEach(async () => {
  const connected = await Promise.all(all.map((site) => sites.connect(site)));
  clients = connected.map(({ client }) => client);
  sockets = connected.map(({ socket }) => socket);
  await eventually(async () => expect((await a.io.allSockets()).size).toBe(3));
});
afterEach(async () => {
  sites.disconnectAll();
  for (const { io } of all) {
    io.removeAllListeners();
    await eventually(async () => expect((await io.allSockets()).size).toBe(0));
  }
});
afterAll(() => sites.stop());

/** Settles once everything that was said before has arrived everywhere: messages keep their order. */
async function settled(...senders: Server[]): Promise<void> {
  for (const io of senders) {
    const ends = clients.map((client) => once(client as never, "the end"));
    io.emit("the end");
    await Promise.all(ends);
  }
}

describe("SIO1: namespaces", () => {
  test("a static one, one that is made later, and one by a pattern are the same on all servers", async () => {
    for (const { io } of all) {
      io.of("/static");
      io.of(/^\/dynamic-\d+$/);
    }
    for (const namespace of ["/static", "/dynamic-101"]) {
      const here = await sites.connect(a, namespace);
      const there = await sites.connect(b, namespace);
      const heard = [hear(here.client, "hello"), hear(there.client, "hello")];
      a.io.of(namespace).emit("hello", namespace);
      await eventually(() => expect(heard).toEqual([[[namespace]], [[namespace]]]));
    }
    expect(clients.every((client) => client.connected)).toBe(true);
  });

  test("one of the same name may be opened again after it was cleaned up", async () => {
    const own = new Sites();
    try {
      const [x, y] = await own.start(["x", "y"], { server: { cleanupEmptyChildNamespaces: true } });
      for (const { io } of [x!, y!]) io.of(/^\/room-\d+$/);
      for (let round = 0; round < 3; round++) {
        const here = await own.connect(x!, "/room-1");
        const there = await own.connect(y!, "/room-1");
        const heard = hear(there.client, "hello");
        x!.io.of("/room-1").emit("hello", round);
        await eventually(() => expect(heard).toEqual([[round]]));
        here.client.disconnect();
        there.client.disconnect();
        await eventually(() => expect(x!.io._nsps.has("/room-1") || y!.io._nsps.has("/room-1")).toBe(false));
      }
    } finally {
      await own.stop();
    }
  });
});

test("SIO2: rooms and sockets tell of themselves by events, locally and once", async () => {
  const told: unknown[][] = [];
  const { adapter } = a.io.of("/");
  const events = ["create-room", "join-room", "leave-room", "delete-room"];
  for (const event of events) adapter.on(event, (...args) => told.push([event, ...args]));
  const { id } = sockets[0]!;
  await sockets[0]!.join("r");
  await sockets[0]!.join("r");
  await sockets[1]!.join("elsewhere");
  sockets[0]!.leave("r");
  sockets[0]!.leave("r");
  for (const event of events) adapter.removeAllListeners(event);
  expect(told).toEqual([
    ["create-room", "r"],
    ["join-room", "r", id],
    ["leave-room", "r", id],
    ["delete-room", "r"],
  ]);
});

describe("SIO3: a broadcast goes", () => {
  test("to all sockets of all servers", async () => {
    const heard = clients.map((client) => hear(client, "e"));
    a.io.emit("e", 1, "2", { three: [4] });
    await settled(a.io);
    expect(heard).toEqual([
      [[1, "2", { three: [4] }]],
      [[1, "2", { three: [4] }]],
      [[1, "2", { three: [4] }]],
    ]);
  });

  test("to a room, and to the union of rooms once", async () => {
    await sockets[1]!.join(["r1", "r2"]);
    await sockets[2]!.join("r2");
    const heard = clients.map((client) => hear(client, "e"));
    a.io.to("r1").emit("e", "one");
    a.io.to(["r1", "r2"]).emit("e", "both");
    await settled(a.io);
    expect(heard).toEqual([[], [["one"], ["both"]], [["both"]]]);
  });

  test("to a socket by its id, from another server", async () => {
    const heard = clients.map((client) => hear(client, "e"));
    a.io.to(sockets[1]!.id).emit("e");
    await settled(a.io);
    expect(heard).toEqual([[], [[]], []]);
  });

  test("to the sockets of one server with local", async () => {
    const heard = clients.map((client) => hear(client, "e"));
    a.io.local.emit("e");
    await settled(a.io);
    expect(heard).toEqual([[[]], [], []]);
  });

  test("to a room that is a number, and not to the one that is its text", async () => {
    await sockets[1]!.join(123 as unknown as string);
    await sockets[2]!.join("123");
    const heard = clients.map((client) => hear(client, "e"));
    a.io.to(123 as unknown as string).emit("e");
    await settled(a.io);
    expect(heard).toEqual([[], [[]], []]);
  });

  test.each([
    ["of 300 bytes", "ü".repeat(150)],
    ["that is half a character", "\ud800"],
    ["that is empty", ""],
  ])("to a room %s, which is listed by its name", async (_, room) => {
    await sockets[1]!.join(room);
    const heard = clients.map((client) => hear(client, "e"));
    a.io.to(room).emit("e");
    await settled(a.io);
    expect(heard).toEqual([[], [[]], []]);
    const [found] = await a.io.in(room).fetchSockets();
    expect([...found!.rooms]).toEqual([sockets[1]!.id, room]);
  });
});

test("SIO4: except holds on every server", async () => {
  await sockets[1]!.join(["r", "not"]);
  await sockets[2]!.join("r");
  const heard = clients.map((client) => hear(client, "e"));
  a.io.to("r").except("not").emit("e", 1);
  a.io.except(sockets[2]!.id).emit("e", 2);
  sockets[0]!.broadcast.emit("e", 3);
  await settled(a.io);
  expect(heard).toEqual([[[2]], [[2], [3]], [[1], [3]]]);
});

describe("SIO7 to SIO9: order", () => {
  test("2,000 emits of one server arrive in order, and what is emitted to one socket after them", async () => {
    const heard = clients.map((client) => hear(client, "e"));
    const numbers = Array.from({ length: 2_000 }, (_, index) => [index]);
    for (const [number] of numbers) a.io.emit("e", number);
    sockets[0]!.emit("e", 2_000);
    await settled(a.io);
    expect(heard).toEqual([[...numbers, [2_000]], numbers, numbers]);
  });

  test("an event is there before the disconnect that follows it", async () => {
    const told: string[] = [];
    clients[1]!.on("e", () => told.push("e"));
    clients[1]!.on("disconnect", (reason) => told.push(reason));
    a.io.emit("e");
    a.io.disconnectSockets();
    await eventually(() => expect(told).toEqual(["e", "io server disconnect"]));
  });

  test.each(["auto", "rooms"] as const)(
    "socketsJoin, then emit: reaches those who joined (%s)",
    async (routing) => {
      const own = new Sites();
      try {
        const [x, y] = await own.start(["x", "y"], { adapter: { routing } });
        const { client } = await own.connect(y!);
        await eventually(async () => expect((await x!.io.allSockets()).size).toBe(1));
        const heard = hear(client, "e");
        for (let round = 0; round < 20; round++) {
          x!.io.socketsJoin(`r${round}`);
          x!.io.to(`r${round}`).emit("e", round);
        }
        await eventually(() => expect(heard).toEqual(Array.from({ length: 20 }, (_, index) => [index])));
      } finally {
        await own.stop();
      }
    },
  );
});

test("SIO10: an un-awaited join reaches the emits of a small cluster", async () => {
  const heard = hear(clients[1]!, "e");
  for (let round = 0; round < 50; round++) {
    void sockets[1]!.join(`r${round}`);
    a.io.to(`r${round}`).emit("e", round);
  }
  await settled(a.io);
  expect(heard).toHaveLength(50);
});

describe("SIO10 and SIO11: with routing by rooms", () => {
  const own = new Sites();
  let routed: Site[];
  beforeAll(async () => {
    routed = await own.start(["x", "y", "z"], { adapter: { routing: "rooms" } });
  });
  afterAll(() => own.stop());

  test("after an awaited join every server's emits arrive", async () => {
    const [x, y, z] = routed as [Site, Site, Site];
    const { client, socket } = await own.connect(y);
    const heard = hear(client, "e");
    for (let round = 0; round < 50; round++) {
      await socket.join(`r${round}`);
      x.io.to(`r${round}`).emit("e", round);
      z.io.to(`r${round}`).emit("e", round);
    }
    await eventually(() => expect(heard).toHaveLength(100));
  });

  test("a server without a socket in the rooms gets nothing", async () => {
    const [x, y, z] = routed as [Site, Site, Site];
    const { client, socket } = await own.connect(y);
    await own.connect(z);
    await socket.join("r");
    await eventually(async () => expect((await x.io.allSockets()).size).toBeGreaterThanOrEqual(2));
    const heard = hear(client, "e");
    const received: unknown[] = [];
    const end = z.node.onBroadcast(CHANNEL, (payload) => received.push(payload));
    for (let round = 0; round < 50; round++) x.io.to("r").to(socket.id).emit("e", round);
    await eventually(() => expect(heard).toHaveLength(50));
    x.io.emit("the end");
    await eventually(() => expect(received).toHaveLength(1));
    end();
  });
});

describe("SIO12 to SIO14: acknowledgements", () => {
  test("come from all clients of all servers, with their values", async () => {
    clients.forEach((client, index) => {
      client.on("q", (ack: (value: unknown) => void) => ack(index === 2 ? Buffer.from([1, 2]) : index));
    });
    const answers = (await a.io.timeout(5_000).emitWithAck("q")) as unknown[];
    expect(answers).toHaveLength(3);
    expect(answers).toEqual(expect.arrayContaining([0, 1, Buffer.from([1, 2])]));
    expect(openAcks(a)).toBe(0);
  });

  test("are none where nobody is", async () => {
    expect(await a.io.to("nobody").timeout(5_000).emitWithAck("q")).toEqual([]);
    expect(openAcks(a)).toBe(0);
  });

  test("that are missing at the time-out are an error, with those that came", async () => {
    clients[0]!.on("q", (ack: (value: unknown) => void) => ack("here"));
    clients[1]!.on("q", (ack: (value: unknown) => void) => ack("there"));
    clients[2]!.on("q", () => undefined);
    const error = await a.io
      .timeout(200)
      .emitWithAck("q")
      .catch((reason: unknown) => reason as Error & { responses: unknown[] });
    expect(error).toMatchObject({ message: "operation has timed out" });
    expect([...(error as { responses: string[] }).responses].sort()).toEqual(["here", "there"]);
    await eventually(() => expect(openAcks(a)).toBe(0));
    // What was waited for at the other server is forgotten too.
    await eventually(() =>
      expect((sockets[2]! as unknown as { acks: Map<number, unknown> }).acks.size).toBe(0),
    );
  });

  test("of one remote socket are one value", async () => {
    clients[1]!.on("q", (ack: (value: unknown) => void) => ack("there"));
    const [remote] = await a.io.in(sockets[1]!.id).fetchSockets();
    expect(await remote!.timeout(5_000).emitWithAck("q")).toBe("there");
  });
});

test("SIO15: onAnyOutgoing sees what other servers broadcast", async () => {
  const seen = vi.fn();
  sockets[1]!.onAnyOutgoing(seen);
  a.io.emit("e", Buffer.from([1]), "x");
  await settled(a.io);
  expect(seen.mock.calls[0]).toEqual(["e", Buffer.from([1]), "x"]);
});

test("SIO16: volatile and compress travel", async () => {
  const written: unknown[] = [];
  const { client } = sockets[1]! as unknown as {
    client: { writeToEngine(packets: unknown, options: object): void };
  };
  const original = client.writeToEngine.bind(client);
  client.writeToEngine = (packets, options) => {
    written.push(options);
    original(packets, options);
  };
  a.io.volatile.compress(false).emit("e");
  await settled(a.io);
  expect(written[0]).toMatchObject({ volatile: true, compress: false });
});

describe("SIO17 to SIO22: fetchSockets", () => {
  test("gives ids, rooms, handshake and data of all servers", async () => {
    await sockets[1]!.join("r");
    sockets[1]!.data.name = "ann";
    const found = await a.io.fetchSockets();
    expect(found.map(({ id }) => id).sort()).toEqual(sockets.map(({ id }) => id).sort());
    const remote = found.find(({ id }) => id === sockets[1]!.id)!;
    expect(remote.handshake).toEqual(sockets[1]!.handshake);
    expect([...remote.rooms]).toEqual([remote.id, "r"]);
    // It was set in the turn of the question.
    expect(remote.data).toEqual({ name: "ann" });
    expect((await a.io.local.fetchSockets()).map(({ id }) => id)).toEqual([sockets[0]!.id]);
    expect((await a.io.except("r").fetchSockets()).map(({ id }) => id)).not.toContain(remote.id);
  });

  test("remote sockets can be spoken to, moved and sent away", async () => {
    const heard = hear(clients[1]!, "e");
    const [remote] = await a.io.in(sockets[1]!.id).fetchSockets();
    remote!.emit("e", 1);
    remote!.join("r");
    await eventually(() => expect(sockets[1]!.rooms.has("r")).toBe(true));
    remote!.leave("r");
    await eventually(() => expect(sockets[1]!.rooms.has("r")).toBe(false));
    remote!.disconnect();
    await eventually(() => expect(clients[1]!.connected).toBe(false));
    expect(heard).toEqual([[1]]);
  });

  test("data that cannot be encoded costs that data only", async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    sockets[1]!.data = circle;
    Object.defineProperty(sockets[2]!.data, "broken", {
      enumerable: true,
      get: () => {
        throw new Error("not now");
      },
    });
    const found = await a.io.fetchSockets();
    expect(found).toHaveLength(3);
    for (const { id, handshake, data } of found.filter(({ id }) => id !== sockets[0]!.id)) {
      expect(handshake.address).toBe(sockets.find((socket) => socket.id === id)!.handshake.address);
      expect(data).toEqual({});
    }
  });

  test("allSockets gives the ids of all servers", async () => {
    await sockets[1]!.join("r");
    await sockets[2]!.join("r");
    await eventually(async () => {
      expect([...(await a.io.in("r").allSockets())].sort()).toEqual([sockets[1]!.id, sockets[2]!.id].sort());
    });
  });

  test("a namespace that other servers do not have is not asked for there", async () => {
    a.io.of("/only-here");
    const { socket } = await sites.connect(a, "/only-here");
    const found = await a.io.of("/only-here").fetchSockets();
    expect(found.map(({ id }) => id)).toEqual([socket.id]);
    expect(await a.io.of("/only-here").adapter.serverCount()).toBe(1);
    expect(await a.io.of("/").adapter.serverCount()).toBe(3);
  });
});

describe("SIO24 and SIO25: serverSideEmit", () => {
  test("goes to the other servers only, with any values", async () => {
    const heard = all.map(({ io }) => {
      const listener = vi.fn();
      io.on("hello", listener);
      return listener;
    });
    a.io.serverSideEmit("hello", "world", 1, { buffer: Buffer.from([1]) });
    await eventually(() => {
      for (const listener of heard.slice(1))
        expect(listener.mock.calls).toEqual([["world", 1, { buffer: Buffer.from([1]) }]]);
    });
    expect(heard[0]).not.toHaveBeenCalled();
  });

  test("gathers the first answer of each", async () => {
    b.io.on("q", (ack: (value: unknown) => void) => {
      ack("b");
      ack("b again");
    });
    c.io.on("q", (ack: (value: unknown) => void) => ack(Buffer.from("c")));
    const answers = (await a.io.serverSideEmitWithAck("q")) as unknown[];
    expect(answers).toHaveLength(2);
    expect(answers).toEqual(expect.arrayContaining(["b", Buffer.from("c")]));
  });

  test("has none to gather where no other server is", async () => {
    a.io.of("/alone");
    expect(await a.io.of("/alone").serverSideEmitWithAck("q")).toEqual([]);
  });

  test("fails when a server is silent, with what came", async () => {
    const own = new Sites();
    try {
      const [x, y, z] = await own.start(["x", "y", "z"], { adapter: { serverSideEmitTimeoutMs: 200 } });
      y!.io.on("q", (ack: (value: unknown) => void) => ack("y"));
      z!.io.on("q", () => undefined);
      await eventually(async () => expect(await x!.io.of("/").adapter.serverCount()).toBe(3));
      const error = await x!.io.serverSideEmitWithAck("q").catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        message: "timeout reached: only 1 responses received out of 2",
        responses: ["y"],
      });
    } finally {
      await own.stop();
    }
  });

  test("does not wait for a server that goes", async () => {
    const own = new Sites();
    try {
      const [x, y] = await own.start(["x", "y"]);
      const asked = once(y!.io as never, "q");
      await eventually(async () => expect(await x!.io.of("/").adapter.serverCount()).toBe(2));
      const answers = x!.io.serverSideEmitWithAck("q");
      await asked;
      await y!.node.stop({ handoffMs: 0 });
      expect(await answers).toEqual([]);
    } finally {
      await own.stop();
    }
  });
});

test("SIO26: disconnectSockets ends sockets everywhere", async () => {
  const reasons = clients.map(async (client) => (await once(client as never, "disconnect"))[0]);
  a.io.disconnectSockets(true);
  expect(await Promise.all(reasons)).toEqual([
    "io server disconnect",
    "io server disconnect",
    "io server disconnect",
  ]);
});

describe("SIO27 and SIO28", () => {
  test("closing takes everything back; a second adapter closes the first", async () => {
    const own = new Sites();
    try {
      const [x, y] = await own.start(["x", "y"]);
      const { socket } = await own.connect(y!);
      await socket.join("r");
      await eventually(async () => expect((await x!.io.allSockets()).size).toBe(1));
      const first = x!.io.of("/").adapter;
      x!.io.adapter(presently(x!.node));
      expect(await first.fetchSockets({ rooms: new Set() })).toEqual([]);
      expect((await x!.io.fetchSockets()).map(({ id }) => id)).toEqual([socket.id]);
      await y!.io.close();
      await eventually(() => expect(x!.node.topics("socket.io:").map(({ topic }) => topic)).toHaveLength(1));
      expect(await x!.io.of("/").adapter.serverCount()).toBe(1);
    } finally {
      await own.stop();
    }
  });

  test("two servers on one node are refused, or kept apart by their keys", async () => {
    const { Server } = await import("socket.io");
    expect(() => new Server({ adapter: presently(a.node) })).toThrow(/give each its own key/);
    const other = new Server({ adapter: presently(a.node, { key: "other" }) });
    expect(await other.fetchSockets()).toEqual([]);
    await new Promise<void>((resolve) => void resolve(other.of("/").adapter.close() as undefined));
  });
});

test("SIO40: what cannot be read is counted, and changes nothing", async () => {
  const heard = clients.map((client) => hear(client, "e"));
  for (const payload of [
    null,
    1,
    "x",
    {},
    { kind: "broadcast" },
    new Uint8Array([1, 2, 3]),
    new Packet([], [Buffer.from('{"kind":"disconnect"}')]),
  ]) {
    a.node.broadcast(CHANNEL, payload);
    a.node.send(b.node.replica, CHANNEL, payload);
    await expect(a.node.request(b.node.replica, CHANNEL, payload)).rejects.toMatchObject({
      code: "REQUEST_FAILED",
    });
  }
  a.io.emit("e");
  await settled(a.io);
  expect(heard).toEqual([[[]], [[]], [[]]]);
  expect((b.io.of("/").adapter as unknown as { malformedMessages: number }).malformedMessages).toBe(21);
  expect(b.notices.map(({ type }) => type)).toEqual(["malformed-message"]);
});

function openAcks({ io }: Site): number {
  return (io.of("/").adapter as unknown as { openAcknowledgements: number }).openAcknowledgements;
}

describe("SIO6: what is large", () => {
  test.each([
    ["an event of 1 MB", "x".repeat(1_000_000)],
    ["an attachment of 10 MB", Buffer.alloc(10_000_000, 7)],
    ["two attachments of 5 MB", [Buffer.alloc(5_000_000, 1), Buffer.alloc(5_000_000, 2)]],
  ])("%s arrives, in order with what is small", async (_, value) => {
    const own = new Sites();
    try {
      const [x, y] = (await own.start(["x", "y"], { server: { maxHttpBufferSize: 2e7 } })) as [Site, Site];
      const { client } = await own.connect(y);
      const heard: unknown[] = [];
      client.on("e", (given: unknown) => heard.push(given));
      x.io.emit("e", "before");
      x.io.emit("e", value);
      x.io.emit("e", "after");
      await eventually(() => expect(heard).toHaveLength(3));
      expect([heard[0], heard[2]]).toEqual(["before", "after"]);
      const size = (given: unknown) =>
        (Array.isArray(given) ? given : [given]).map((part) => Buffer.byteLength(part as Buffer));
      expect(size(heard[1])).toEqual(size(value));
      // Acknowledgements of that size come back too.
      client.on("q", (ack: (answer: unknown) => void) => ack(value));
      const [answer] = (await x.io.timeout(20_000).emitWithAck("q")) as unknown[];
      expect(size(answer)).toEqual(size(value));
      expect(x.node.links()).toHaveLength(1);
    } finally {
      await own.stop();
    }
  });

  test("what is too large fails aloud, reaches nobody, and the servers stay linked", async () => {
    const heard = clients.map((client) => hear(client, "e"));
    expect(() => a.io.emit("e", Buffer.alloc(17_000_000))).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED" }),
    );
    a.io.emit("e", "after");
    await settled(a.io);
    expect(heard).toEqual([[["after"]], [["after"]], [["after"]]]);
  });
});

test("SIO21: 5,000 sockets of one server are all listed, with their data", async () => {
  const own = new Sites();
  try {
    const [x, y] = (await own.start(["x", "y"], { adapter: { askMs: 20_000 } })) as [Site, Site];
    const { adapter } = y.io.of("/");
    await eventually(async () => expect(await x.io.of("/").adapter.serverCount()).toBe(2));
    // Sockets without connections: what is listed does not depend on them.
    for (let index = 0; index < 5_000; index++) {
      const handshake = { headers: { cookie: "c".repeat(600) }, auth: { index } };
      const socket = {
        id: `s${index}`,
        handshake,
        data: { index },
        rooms: new Set(["r"]),
        disconnect: () => undefined,
        _onclose: () => undefined,
      };
      y.io.of("/").sockets.set(socket.id, socket as unknown as Socket);
      void adapter.addAll(socket.id, new Set([socket.id, "r"]));
      // A server whose event loop stands still is taken for a frozen one.
      if (index % 250 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const found = await eventually(async () => {
      const all = await x.io.in("r").fetchSockets();
      expect(all).toHaveLength(5_000);
      return all;
    });
    const isWrong = ({ id, data, handshake }: (typeof found)[number]) =>
      id !== `s${data.index}` || handshake.auth.index !== data.index;
    expect(found.filter(isWrong)).toEqual([]);
  } finally {
    await own.stop();
  }
});
