/** The npm client against three processes, that crash, stop and freeze. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Presence, Socket } from "phoenix";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { countsOf, listOf } from "../conformance/phoenix-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { send, topicPath } from "../helpers/http.ts";
import { freePort } from "../helpers/processes.ts";
import type { PhoenixServerOptions } from "./phoenix-server.ts";

const script = fileURLToPath(new URL("./phoenix-server.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const topic = "room:lobby";

class Server {
  readonly options: PhoenixServerOptions;
  #child: ChildProcess | undefined;

  constructor(options: PhoenixServerOptions) {
    this.options = options;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.options.phoenixPort}/socket`;
  }

  get runs(): boolean {
    return this.#child !== undefined;
  }

  async start(): Promise<void> {
    const words = ["--import", tsx, script, JSON.stringify(this.options)];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    let output = "";
    child.stdout!.on("data", (chunk) => {
      output += chunk;
    });
    await eventually(() => {
      expect(child.exitCode).toBeNull();
      expect(output).toContain("up");
    });
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  async end(name: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGCONT");
    child.kill(name);
    await ended;
  }

  /** Key → refs, as this node lists them. */
  async list(): Promise<Record<string, string[]>> {
    const { body, status } = await send(`http://127.0.0.1:${this.options.apiPort}`, topicPath(topic));
    expect(status).toBe(200);
    const refs: Record<string, string[]> = {};
    for (const key of Object.keys(body.presences).sort())
      refs[key] = body.presences[key].metas.map(({ ref }: { ref: string }) => ref).sort();
    return refs;
  }
}

interface Tab {
  readonly server: Server;
  readonly socket: Socket;
  readonly presence: Presence;
  readonly channel: ReturnType<Socket["channel"]>;
}

const servers: Server[] = [];
const tabs: Tab[] = [];
afterEach(async () => {
  for (const { socket } of tabs.splice(0)) socket.disconnect();
  await Promise.all(servers.splice(0).map((server) => server.end()));
});

async function startCluster(): Promise<[Server, Server, Server]> {
  const ports = await Promise.all(Array.from({ length: 9 }, () => freePort()));
  const peers = ports.slice(0, 3).map((port) => `ws://127.0.0.1:${port}`);
  for (const [index, name] of ["a", "b", "c"].entries()) {
    const [meshPort, apiPort, phoenixPort] = [ports[index]!, ports[index + 3]!, ports[index + 6]!];
    servers.push(new Server({ name, meshPort, apiPort, phoenixPort, peers }));
  }
  await Promise.all(servers.map((server) => server.start()));
  return servers as [Server, Server, Server];
}

function openTab(server: Server, userId: string): Tab {
  const socket = new Socket(server.url, {
    params: { user_id: userId },
    transport: WebSocket,
    reconnectAfterMs: () => 50,
    rejoinAfterMs: () => 50,
  });
  socket.connect();
  const channel = socket.channel(topic);
  const tab = { server, socket, channel, presence: new Presence(channel) };
  channel.join();
  tabs.push(tab);
  return tab;
}

/** Waits until all tabs whose server runs show these people, with the refs that their node lists, on all nodes alike. */
async function allSee(counts: Record<string, number>): Promise<void> {
  await eventually(
    async () => {
      const running = servers.filter(({ runs }) => runs);
      const lists = await Promise.all(running.map((server) => server.list()));
      for (const list of lists) {
        expect(list).toEqual(lists[0]);
        expect(Object.fromEntries(Object.entries(list).map(([key, refs]) => [key, refs.length]))).toEqual(
          counts,
        );
      }
      for (const tab of tabs) {
        if (!tab.server.runs) continue;
        expect(countsOf(tab.presence)).toEqual(counts);
        expect(listOf(tab.presence)).toEqual(lists[0]);
      }
    },
    { what: `everybody sees ${JSON.stringify(counts)}`, timeoutMs: 30_000 },
  );
}

test("rooms are the same on every node, through crashes, freezes and restarts", async () => {
  const [a, b, c] = await startCluster();
  openTab(a, "Alice");
  const second = openTab(b, "Alice");
  const bob = openTab(c, "Bob");
  await allSee({ Alice: 2, Bob: 1 });

  // Messages reach all nodes.
  const heard: unknown[] = [];
  for (const { channel } of tabs) channel.on("new_msg", (payload) => void heard.push(payload));
  bob.channel.push("new_msg", { text: "hello" });
  await eventually(() => expect(heard).toEqual(Array(3).fill({ text: "hello" })));

  // A tab closes: one Alice left.
  second.socket.disconnect();
  tabs.splice(tabs.indexOf(second), 1);
  await allSee({ Alice: 1, Bob: 1 });

  // A process crashes, and its people with it; it comes back, and so do they, without a phantom.
  await c.end();
  await allSee({ Alice: 1 });
  await c.start();
  await allSee({ Alice: 1, Bob: 1 });

  // A process freezes long enough to be thought dead. When it wakes, the same people are there, by the same refs.
  const before = (await a.list()).Alice;
  const carol = openTab(b, "Carol");
  await allSee({ Alice: 1, Bob: 1, Carol: 1 });
  a.signal("SIGSTOP");
  await eventually(() => expect(countsOf(carol.presence)).toEqual({ Bob: 1, Carol: 1 }));
  a.signal("SIGCONT");
  await allSee({ Alice: 1, Bob: 1, Carol: 1 });
  expect((await b.list()).Alice).toEqual(before);

  // A process stops in good order, and hands its people off; they come back when it does.
  await c.end("SIGTERM");
  await c.start();
  await allSee({ Alice: 1, Bob: 1, Carol: 1 });
});
