import { createServer } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { freePort } from "../../../test/helpers/processes.ts";
import { LinkProxy } from "./demo/index.ts";
import { createNode, ListenError, type NodeNotice, type NodeOptions, type PresentlyNode } from "./index.ts";

const nodes: PresentlyNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

async function start(name: string, options: Partial<NodeOptions> = {}): Promise<PresentlyNode> {
  const node = await createNode({ name, logLevel: "silent", ...options });
  nodes.push(node);
  return node;
}

/** Nodes that know of each other, on any ports. */
async function startCluster(...names: readonly string[]): Promise<PresentlyNode[]> {
  const cluster: PresentlyNode[] = [];
  for (const name of names) {
    const peers = cluster.map(({ meshUrl }) => meshUrl!);
    cluster.push(await start(name, { secret: "s3cret", mesh: { port: 0, peers } }));
  }
  await Promise.all(cluster.map((node) => node.whenReady()));
  return cluster;
}

const keysAt = (node: PresentlyNode, topic: string) => node.list(topic).map(({ key }) => key);

describe("a node", () => {
  test("alone is ready at once, and tells who is here", async () => {
    const node = await start("a");
    expect([node.ready, node.meshUrl, node.httpUrl]).toEqual([true, undefined, undefined]);
    const changes: string[] = [];
    const stop = node.watch("room", (change) => changes.push(change.type));
    const session = node.session();
    node.batch(() => {
      session.track("room", "alice", { device: "phone" });
      session.track("room", "bob");
    });
    expect(keysAt(node, "room").sort()).toEqual(["alice", "bob"]);
    expect(node.get("room", "alice")[0]!.meta).toEqual({ device: "phone" });
    expect(node.topics()).toEqual([{ topic: "room", keys: 2, entries: 2 }]);
    expect(node.where(["alice", "nobody"])).toEqual(new Map([["alice", ["room"]]]));
    expect(changes).toEqual(["state", "diff"]);
    stop();
    expect(node.remove("room", "alice")).toBe(1);
    expect(changes).toEqual(["state", "diff"]);
  });

  test("stops when a newer process of its name answers, says where that is, and is not stopped by anything that is only said", async () => {
    const notices: NodeNotice[] = [];
    const quick = { heartbeatIntervalMs: 50, downAfterMs: 150 };
    const hub = await start("hub", { ...quick, mesh: { port: 0 } });
    const mesh = { port: 0, peers: [hub.meshUrl!], peerGossip: false };
    const onNotice = (notice: NodeNotice) => void notices.push(notice);
    const older = await start("a", { ...quick, mesh, incarnation: 2_000, onNotice });
    older.session().track("room", "alice");
    await eventually(() => expect(keysAt(hub, "room")).toEqual(["alice"]));
    // Long enough for what is heard of its name not to be taken for its own earlier life.
    const startedAt = performance.now();
    await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(2 * quick.downAfterMs));
    // Its clock is behind.
    const newer = await start("a", { ...quick, mesh, incarnation: 1_000 });
    expect(await older.whenStopped).toBe("superseded");
    expect(notices.find(({ type }) => type === "name-conflict")).toMatchObject({
      level: "error",
      address: newer.meshUrl,
      message: expect.stringContaining(newer.meshUrl!),
    });
    newer.session().track("room", "bob");
    await eventually(() => expect(keysAt(hub, "room")).toEqual(["bob"]));
    await eventually(() => expect(keysAt(newer, "room")).toEqual(["bob"]));
  });

  test("sends messages, asks and answers over real links, and hears who comes and goes", async () => {
    const [a, b] = (await startCluster("a", "b")) as [PresentlyNode, PresentlyNode];
    const heard: unknown[] = [];
    b.onBroadcast("news", (payload, from) => heard.push([payload, from]));
    b.onMessage("mail", (payload, from) => heard.push([payload, from]));
    a.broadcast("news", { text: "hello" });
    expect(a.send(b.replica, "mail", [1])).toBe(true);
    await eventually(() =>
      expect(heard).toEqual([
        [{ text: "hello" }, a.replica],
        [[1], a.replica],
      ]),
    );
    b.onRequest("double", async (payload) => 2 * (payload as number));
    b.onRequest("fail", () => Promise.reject(new Error("out of paper")));
    expect(await a.request(b.replica, "double", 21)).toBe(42);
    await expect(a.request(b.replica, "fail", 1)).rejects.toMatchObject({ code: "REQUEST_FAILED" });
    await expect(a.request(b.replica, "other", 1)).rejects.toMatchObject({ code: "REQUEST_UNHANDLED" });
    await expect(a.request(b.replica, "", 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const changes: string[] = [];
    a.onReplica(({ replica, status }) => changes.push(`${replica} ${status}`));
    const gone = b.replica;
    await b.stop({ handoffMs: 0 });
    await eventually(() => expect(changes.at(-1)).toBe(`${gone} gone`));
  });

  test("sees what others track, and they what it tracks", async () => {
    const [a, b, c] = (await startCluster("a", "b", "c")) as [PresentlyNode, PresentlyNode, PresentlyNode];
    a.session().track("room", "alice");
    b.session().track("room", "bob");
    for (const node of [a, b, c]) {
      await eventually(() => expect(keysAt(node, "room").sort()).toEqual(["alice", "bob"]));
    }
    expect(c.cluster()[0]).toMatchObject({ node: "c", status: "self" });
    expect(
      c
        .cluster()
        .map(({ node }) => node)
        .sort(),
    ).toEqual(["a", "b", "c"]);
    await eventually(() =>
      expect(
        c
          .links()
          .map(({ node }) => node)
          .sort(),
      ).toEqual(["a", "b"]),
    );
  });

  test("that comes late is ready once it has caught up", async () => {
    const [a] = (await startCluster("a")) as [PresentlyNode];
    const session = a.session();
    a.batch(() => {
      for (let n = 0; n < 5_000; n++) session.track("room", `user-${n}`);
    });
    const b = await start("b", { secret: "s3cret", mesh: { port: 0, peers: [a.meshUrl!] } });
    await b.whenReady();
    expect(b.count("room").keys).toBe(5_000);
  });

  test("whose only link is lost in the middle of the sync is not ready with half of it", async () => {
    const [a] = (await startCluster("a")) as [PresentlyNode];
    const entries = 60_000;
    const session = a.session();
    a.batch(() => {
      for (let n = 0; n < entries; n++) session.track("room", `user-${n}`);
    });
    const path = await LinkProxy.listen({ targetPort: Number(new URL(a.meshUrl!).port) });
    const readyGraceMs = 1_000;
    const startedAt = performance.now();
    let stalled = false;
    const b = await start("b", {
      secret: "s3cret",
      mesh: { port: 0, peers: [`ws://127.0.0.1:${path.port}`], peerGossip: false },
      readyGraceMs,
      onNotice: ({ type }) => {
        // The first part has come: the rest waits until the grace since the start is over.
        if (type !== "peer-linked" || stalled) return;
        stalled = true;
        path.stall("backward");
      },
    });
    await eventually(() => expect(stalled).toBe(true));
    await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(readyGraceMs));
    expect(b.ready).toBe(false);
    path.cut();
    await eventually(() => expect(b.cluster().filter(({ linked }) => linked)).toEqual([]));
    expect(b.ready).toBe(false);
    path.restore();
    await b.whenReady();
    expect(b.count("room").keys).toBe(entries);
    await path.close();
  });

  test("whose peers do not answer is ready after the grace", async () => {
    const peer = `ws://127.0.0.1:${await freePort()}`;
    const node = await start("a", { mesh: { port: 0, peers: [peer] }, readyGraceMs: 300 });
    expect(node.ready).toBe(false);
    expect(node.notReadyReason).toMatch(/linked with 0 of 1 configured peers/);
    await node.whenReady();
    expect(node.ready).toBe(true);
  });

  test("does not wait for itself among its peers", async () => {
    const port = await freePort();
    const node = await start("a", {
      mesh: { port, peers: [`ws://127.0.0.1:${port}/`] },
      readyGraceMs: 60_000,
    });
    await node.whenReady();
  });

  test("that stops is gone elsewhere, at once and for good", async () => {
    const [a, b] = (await startCluster("a", "b")) as [PresentlyNode, PresentlyNode];
    a.session().track("room", "alice");
    await eventually(() => expect(keysAt(b, "room")).toEqual(["alice"]));
    const reasons: string[] = [];
    b.watch("room", (change) => {
      if (change.type === "diff") reasons.push(...change.leaves.map(({ reason }) => reason));
    });
    await a.stop();
    await eventually(() => expect(reasons).toEqual(["left"]));
    await eventually(() => expect(b.cluster()).toHaveLength(1));
    expect(a.ready).toBe(false);
    expect(() => a.session()).toThrow(expect.objectContaining({ code: "CLOSED" }));
    expect(await a.whenStopped).toBe("asked");
  });

  test("that stops with a hand-off is still shown, until the key re-appears elsewhere without a blink", async () => {
    const [a, b] = (await startCluster("a", "b")) as [PresentlyNode, PresentlyNode];
    a.session().track("room", "alice");
    await eventually(() => expect(keysAt(b, "room")).toEqual(["alice"]));
    const leaves: string[] = [];
    b.watch("room", (change) => {
      if (change.type === "diff") leaves.push(...change.leaves.map(({ presence }) => presence.key));
    });
    await a.stop({ handoffMs: 60_000 });
    expect(keysAt(b, "room")).toEqual(["alice"]);
    b.session().track("room", "alice");
    expect(b.list("room").map(({ node }) => node)).toEqual(["b"]);
    expect(leaves).toEqual([]);
  });

  test("that has sent clients away hands off what they tracked, without being told to", async () => {
    const [a, b] = (await startCluster("a", "b")) as [PresentlyNode, PresentlyNode];
    const session = a.session();
    session.track("room", "alice");
    await eventually(() => expect(keysAt(b, "room")).toEqual(["alice"]));
    const leaves: string[] = [];
    b.watch("room", (change) => {
      if (change.type === "diff") leaves.push(...change.leaves.map(({ presence }) => presence.key));
    });
    session.drop(a.handOffFor(undefined));
    await a.stop();
    b.session().track("room", "alice");
    expect(b.list("room").map(({ node }) => node)).toEqual(["b"]);
    expect(leaves).toEqual([]);
  });

  test("whose clock went back takes a newer incarnation, and keeps what it holds", async () => {
    const b = await start("b", { mesh: { port: 0 } });
    const peers = [b.meshUrl!];
    const before = await start("a", { incarnation: 1_000, mesh: { port: 0, peers } });
    await before.whenReady();
    await before.stop();
    const after = await start("a", { incarnation: 5, mesh: { port: 0, peers } });
    after.session().track("room", "alice");
    await eventually(() => expect(keysAt(b, "room")).toEqual(["alice"]));
    expect(after.incarnation).toBeGreaterThan(1_000);
    expect(keysAt(after, "room")).toEqual(["alice"]);
    expect(b.list("room")[0]!.replica).toBe(after.replica);
  });

  test("stops once, however often it is told to", async () => {
    const node = await start("a", { mesh: { port: 0 }, http: { port: 0 } });
    expect(node.stop()).toBe(node.stop());
    await node.stop();
  });

  test("gives its observer what happens, and survives one that throws", async () => {
    const types: string[] = [];
    const onNotice = (notice: NodeNotice) => {
      types.push(notice.type);
      throw new Error("the observer is broken");
    };
    const a = await start("a", { mesh: { port: 0 }, onNotice });
    await start("b", { mesh: { port: 0, peers: [a.meshUrl!] } });
    await eventually(() => expect(types).toContain("replica-up"));
  });
});

describe("a node whose log always throws", () => {
  const broken = () => {
    throw new Error("ENOSPC: no space left on device, write");
  };
  const log = { debug: broken, info: broken, warn: broken, error: broken };

  test("tells every watcher every change, and counts the lines that it lost", async () => {
    const a = await start("a", { log });
    const told: number[] = [];
    a.watch("room", () => {
      throw new Error("a fault of the application");
    });
    a.watch("room", ({ number }) => told.push(number));
    const session = a.session();
    session.track("room", "alice");
    session.track("room", "bob");
    expect(told).toEqual([0, 1, 2]);
    expect(a.logLinesDropped).toBeGreaterThanOrEqual(3);
  });

  test("shows who comes on other nodes, and nobody of one that has gone", async () => {
    const a = await start("a", { log, mesh: { port: 0 } });
    const b = await start("b", { log, mesh: { port: 0, peers: [a.meshUrl!] } });
    b.session().track("room", "bob");
    await eventually(() => expect(keysAt(a, "room")).toEqual(["bob"]));
    await b.stop();
    await eventually(() => expect(keysAt(a, "room")).toEqual([]));
  });
});

test("an observer whose promise rejects is a line in the log, and no unhandled rejection", async () => {
  const lines: unknown[] = [];
  const note = (facts: object) => void lines.push(facts);
  const fault = new Error("the observer is broken");
  await start("a", {
    mesh: { port: 0 },
    log: { debug: note, info: note, warn: note, error: note },
    onNotice: async () => {
      throw fault;
    },
  });
  await eventually(() => expect(lines).toContainEqual({ error: fault }));
});

test("nodes that all dial each other at once start without a notice of a refusal", async () => {
  const names = ["a", "b", "c"];
  const ports = await Promise.all(names.map(() => freePort()));
  const notices: NodeNotice[] = [];
  const onNotice = (notice: NodeNotice) => void notices.push(notice);
  await Promise.all(
    names.map((name, index) => {
      const peers = ports.filter((port) => port !== ports[index]).map((port) => `ws://127.0.0.1:${port}`);
      return start(name, { secret: "a secret of 16 bytes", mesh: { port: ports[index]!, peers }, onNotice });
    }),
  );
  await eventually(() => {
    for (const node of nodes) expect(node.cluster().filter(({ status }) => status === "up")).toHaveLength(2);
    for (const node of nodes) expect(node.links()).toHaveLength(2);
  });
  const refused = ({ type, code }: NodeNotice) => type.includes("refused") && code === "DUPLICATE";
  expect(notices.filter(refused)).toEqual([]);
});

describe("a start that fails", () => {
  test.each(["mesh", "http"] as const)(
    "because the %s port is taken says so, and leaves nothing behind",
    async (listener) => {
      const occupant = createServer().listen(0, "127.0.0.1");
      await eventually(() => expect(occupant.listening).toBe(true));
      const { port } = occupant.address() as { port: number };
      const other = await freePort();
      const ports =
        listener === "mesh"
          ? { mesh: { port }, http: { port: other } }
          : { mesh: { port: other }, http: { port } };
      const failure = await start("a", ports).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ListenError);
      expect(failure).toMatchObject({ code: "ADDRESS_IN_USE", listener, host: "127.0.0.1", port });
      expect((failure as Error).message).toContain(`${listener} address 127.0.0.1:${port} is in use`);
      occupant.close();
      // Both ports are free again.
      const node = await start("a", { mesh: { port: ports.mesh.port }, http: { port: ports.http.port } });
      await node.stop();
    },
  );
});
