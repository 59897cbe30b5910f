/** Nodes over a real NATS server that crashes, restarts and hangs, and with a node that crashes. */
import { fileURLToPath } from "node:url";
import { nats } from "@presently/nats";
import { createNode, type PresentlyNode } from "presently";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send, topicPath } from "../helpers/http.ts";
import { NatsServer } from "../helpers/nats.ts";
import { freePort, startNode } from "../helpers/processes.ts";
import { has } from "../helpers/programs.ts";
import { type ScriptProcess, startScript } from "../helpers/script-process.ts";
import type { NatsNodeOptions } from "./nats-node.ts";

const script = fileURLToPath(new URL("./nats-node.ts", import.meta.url));
const WAIT = { timeoutMs: 20_000 };

const nodes: PresentlyNode[] = [];
const servers: NatsServer[] = [];
const processes: ScriptProcess[] = [];
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.end()));
  await Promise.all(nodes.splice(0).map((node) => node.stop({ handoffMs: 0 })));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function startServer(config?: string, words?: readonly string[]): Promise<NatsServer> {
  const server = await NatsServer.start(config, words);
  servers.push(server);
  return server;
}

async function start(name: string, url: string, options: object = {}): Promise<PresentlyNode> {
  const transport = nats({ servers: [url], greetIntervalMs: 500, returnGraceMs: 1_500 });
  const node = await createNode({ name, logLevel: "silent", transport, ...options });
  nodes.push(node);
  return node;
}

/** Three nodes, each with one person, who all see each other; and what their watchers are told from then on. */
async function startThree(url: string, options: object = {}) {
  const three = await Promise.all(["a", "b", "c"].map((name) => start(name, url, options)));
  for (const node of three) node.session().track("room", node.name);
  await agree(["a", "b", "c"], three);
  const told: string[] = [];
  for (const node of three)
    node.watch("room", (change) => {
      if (change.type === "state") return;
      for (const { key } of change.joins) told.push(`${node.name}: ${key} joins`);
      for (const { presence } of change.leaves) told.push(`${node.name}: ${presence.key} leaves`);
    });
  return { three, told };
}

async function agree(keys: readonly string[], where: readonly PresentlyNode[] = nodes): Promise<void> {
  for (const node of where)
    await eventually(
      () =>
        expect(
          node
            .list("room")
            .map(({ key }) => key)
            .sort(),
        ).toEqual(keys),
      WAIT,
    );
}

describe.runIf(has("nats-server"))("nodes over NATS", () => {
  test("find each other, agree, talk, and notice a crash by what the server says of it", async () => {
    const server = await startServer();
    const { three } = await startThree(server.url);
    const [a, b] = three as [PresentlyNode, PresentlyNode, PresentlyNode];
    b.onRequest("double", (payload) => 2 * (payload as number));
    expect(await a.request(b.replica, "double", 21)).toBe(42);
    const options: NatsNodeOptions = { name: "d", server: server.url, key: "dora" };
    const process = await startScript(script, options);
    processes.push(process);
    await agree(["a", "b", "c", "dora"]);
    const killedAt = performance.now();
    await process.end("SIGKILL");
    await agree(["a", "b", "c"]);
    console.log(`a crash was noticed by all after ${Math.round(performance.now() - killedAt)} ms`);
    expect(a.counters.divergences).toBe(0);
  });

  test("lose nobody when the server restarts, and go on", async () => {
    const server = await startServer();
    const { three, told } = await startThree(server.url);
    await server.kill();
    three[0]!.session().track("room", "meanwhile");
    await server.restart();
    await agree(["a", "b", "c", "meanwhile"]);
    const others = told.filter((line) => !line.includes("meanwhile"));
    expect(others).toEqual([]);
    three[1]!.session().track("room", "after");
    await agree(["a", "after", "b", "c", "meanwhile"]);
  });

  test("are lost to each other while the server stands still for longer than every time-out, and return by themselves", async () => {
    const server = await startServer();
    const patience = { heartbeatIntervalMs: 200, downAfterMs: 800 };
    const { three } = await startThree(server.url, patience);
    server.signal("SIGSTOP");
    for (const node of three) await agree([node.name], [node]);
    three[0]!.session().track("room", "alone");
    server.signal("SIGCONT");
    await agree(["a", "alone", "b", "c"]);
  });

  test("push nothing into a connection that is full, and catch up by pulling", async () => {
    const server = await startServer();
    const { three } = await startThree(server.url);
    const session = three[0]!.session();
    server.signal("SIGSTOP");
    // The server reads nothing: beyond its bound, the transport is congested and deltas are left to the pulls.
    const meta = { text: "x".repeat(1_000) };
    for (let round = 0; round < 10; round++) {
      three[0]!.batch(() => {
        for (let index = 0; index < 1_000; index++) session.track("crowd", `${round}-${index}`, meta);
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    server.signal("SIGCONT");
    for (const node of three) await eventually(() => expect(node.count("crowd").entries).toBe(10_000), WAIT);
  });

  test("that are refused, or cannot reach a server, do not start, and say why", async () => {
    const server = await startServer("authorization { user: presently, password: s3cret }");
    await expect(start("a", server.url)).rejects.toMatchObject({ code: "NATS_REFUSED" });
    const user = { user: "presently", pass: "s3cret" };
    const node = await createNode({
      name: "b",
      logLevel: "silent",
      transport: nats({ servers: [server.url], ...user }),
    });
    nodes.push(node);
    await server.kill();
    await expect(start("c", server.url)).rejects.toMatchObject({ code: "NATS_UNREACHABLE" });
    const small = await startServer("max_payload: 4096");
    await expect(start("d", small.url)).rejects.toMatchObject({ code: "NATS_PAYLOAD" });
  });

  test("run by the command take part", async () => {
    const server = await startServer();
    const node = await start("a", server.url);
    const started = await startNode(["--name", "b", "--http", "127.0.0.1:0", "--nats", server.url]);
    try {
      await send(started.url, topicPath("room", "bob"), { method: "PUT" });
      await agree(["bob"], [node]);
    } finally {
      await started.stop();
    }
  });

  test("are one cluster over two servers that are", async () => {
    const port = await freePort();
    const one = await startServer("", ["--cluster", `nats://127.0.0.1:${port}`, "--cluster_name", "both"]);
    const other = await startServer("", [
      "--cluster",
      "nats://127.0.0.1:-1",
      "--cluster_name",
      "both",
      "--routes",
      `nats://127.0.0.1:${port}`,
    ]);
    const a = await start("a", one.url);
    const b = await start("b", other.url);
    a.session().track("room", "alice");
    b.session().track("room", "bob");
    await agree(["alice", "bob"]);
  });
});
