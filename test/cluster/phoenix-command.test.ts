/** `presently start --phoenix`, as people run it: the guide's room without a line of server code. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import type { Socket } from "phoenix";
import { afterAll, afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { connectClient, countsOf, join } from "../conformance/phoenix-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { ProcessCluster } from "../helpers/process-cluster.ts";
import { runCommand, startNode } from "../helpers/processes.ts";

const directory = mkdtempSync(joinPath(tmpdir(), "presently-"));
afterAll(() => rmSync(directory, { recursive: true }));

const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

function openTab(httpUrl: string, name: string) {
  const socket = connectClient(`${httpUrl.replace("http", "ws")}/socket`, { params: { name } });
  clients.push(socket);
  return join(socket, "room:lobby").then((joined) => ({ socket, ...joined }));
}

test("three nodes show the same room, also when one of them crashes", async () => {
  const cluster = await ProcessCluster.start(3, { words: ["--phoenix", "/socket", "--phoenix-key", "name"] });
  try {
    const tabs = [
      await openTab(cluster.node("n1").url, "Alice"),
      await openTab(cluster.node("n2").url, "Alice"),
      await openTab(cluster.node("n3").url, "Bob"),
    ];
    const see = (counts: Record<string, number>, names: readonly number[]) =>
      eventually(() => {
        for (const index of names) expect(countsOf(tabs[index]!.presence)).toEqual(counts);
      });
    await see({ Alice: 2, Bob: 1 }, [0, 1, 2]);
    const heard: unknown[] = [];
    for (const { channel } of tabs) channel.on("hello", (payload) => void heard.push(payload));
    tabs[2]!.channel.push("hello", { from: "Bob" });
    await eventually(() => expect(heard).toHaveLength(3));
    await cluster.kill("n1");
    await see({ Alice: 1, Bob: 1 }, [1, 2]);
    tabs[1]!.socket.disconnect();
    await see({ Bob: 1 }, [2]);
    expect(await cluster.stop("n2")).toBe(0);
    expect(await cluster.stop("n3")).toBe(0);
  } finally {
    for (const client of clients) client.disconnect();
    await cluster.close();
  }
});

test("SIGTERM sends clients to other nodes first: nobody who comes back was missing or counted twice", async () => {
  const cluster = await ProcessCluster.start(3, { words: ["--phoenix", "/socket", "--phoenix-key", "name"] });
  try {
    let { url } = cluster.node("n1");
    // What a load balancer does.
    class Balanced extends WebSocket {
      constructor(asked: string) {
        super(asked.replace(/^.*\/socket/, `${url.replace("http", "ws")}/socket`));
      }
    }
    const names = ["Alice", "Bob", "Carol", "Dave"];
    for (const name of names) {
      const socket = connectClient(`${url.replace("http", "ws")}/socket`, {
        params: { name },
        transport: Balanced as never,
      });
      clients.push(socket);
      await join(socket, "room:lobby");
    }
    const { presence } = await openTab(cluster.node("n2").url, "Watcher");
    const wanted = Object.fromEntries([...names, "Watcher"].sort().map((name) => [name, 1]));
    await eventually(() => expect(countsOf(presence)).toEqual(wanted));
    const wrong: unknown[] = [];
    let moved = 0;
    presence.onSync(() => {
      const counts = countsOf(presence);
      if (names.some((name) => counts[name] !== 1)) wrong.push(counts);
    });
    presence.onJoin((_, current, { metas }) => {
      if (current !== undefined) moved += metas.length;
    });
    url = cluster.node("n3").url;
    expect(await cluster.stop("n1")).toBe(0);
    await eventually(() => expect(moved).toBe(names.length));
    expect([wrong, countsOf(presence)]).toEqual([[], wanted]);
  } finally {
    for (const client of clients) client.disconnect();
    await cluster.close();
  }
});

test("with a token secret, a client without a token stays outside", async () => {
  const file = joinPath(directory, "secret");
  writeFileSync(file, "a secret of signer and server, long enough\n");
  const words = [
    "--name",
    "a",
    "--http",
    "127.0.0.1:0",
    "--phoenix",
    "/socket",
    "--phoenix-token-secret-file",
    file,
  ];
  const node = await startNode(words);
  try {
    const socket = connectClient(`${node.url.replace("http", "ws")}/socket`, {
      params: { user_id: "alice" },
    });
    clients.push(socket);
    const refused = new Promise((resolve) => socket.onError(resolve));
    expect(String(((await refused) as { message?: unknown }).message)).toContain("403");
  } finally {
    for (const client of clients) client.disconnect();
    expect(await node.stop()).toBe(0);
  }
});

test("an option that cannot be used ends the command before it starts", async () => {
  expect(await runCommand(["start", "--name", "a", "--phoenix", "socket"])).toEqual({
    code: 2,
    stdout: "",
    stderr: 'presently: --phoenix "socket" must begin with a slash: write /socket\n',
  });
});
