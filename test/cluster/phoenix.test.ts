/** The npm client against three processes, that crash, stop and freeze. */
import { Presence, Socket } from "phoenix";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { countsOf, listOf } from "../conformance/phoenix-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { type PhoenixProcess, phoenixProcesses } from "./phoenix-process.ts";

const topic = "room:lobby";

interface Tab {
  readonly server: PhoenixProcess;
  readonly socket: Socket;
  readonly presence: Presence;
  readonly channel: ReturnType<Socket["channel"]>;
}

const servers: PhoenixProcess[] = [];
const tabs: Tab[] = [];
afterEach(async () => {
  for (const { socket } of tabs.splice(0)) socket.disconnect();
  await Promise.all(servers.splice(0).map((server) => server.end()));
});

async function startCluster(): Promise<[PhoenixProcess, PhoenixProcess, PhoenixProcess]> {
  servers.push(...(await phoenixProcesses(["a", "b", "c"])));
  await Promise.all(servers.map((server) => server.start()));
  return servers as [PhoenixProcess, PhoenixProcess, PhoenixProcess];
}

function openTab(server: PhoenixProcess, userId: string): Tab {
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
      const lists = await Promise.all(running.map((server) => server.list(topic)));
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
  const before = (await a.list(topic)).Alice;
  const carol = openTab(b, "Carol");
  await allSee({ Alice: 1, Bob: 1, Carol: 1 });
  a.signal("SIGSTOP");
  await eventually(() => expect(countsOf(carol.presence)).toEqual({ Bob: 1, Carol: 1 }));
  a.signal("SIGCONT");
  await allSee({ Alice: 1, Bob: 1, Carol: 1 });
  expect((await b.list(topic)).Alice).toEqual(before);

  // A process stops in good order, and hands its people off; they come back when it does.
  await c.end("SIGTERM");
  await c.start();
  await allSee({ Alice: 1, Bob: 1, Carol: 1 });
});
