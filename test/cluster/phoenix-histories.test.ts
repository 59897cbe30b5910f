/**
 * Random histories over real processes: people come, change, leave and lose their connection, nodes crash, are started
 * again, freeze and stop; and whenever all is quiet, what every phoenix.js client shows is what every node lists.
 *
 * A failure prints its seed: `PHOENIX_SEED=… npx vitest run --project cluster phoenix-histories` draws the same steps.
 */
import { type Channel, Presence, Socket } from "phoenix";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { listOf } from "../conformance/phoenix-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { type PhoenixProcess, phoenixProcesses } from "./phoenix-process.ts";

const seed = Number(process.env.PHOENIX_SEED ?? Math.floor(Math.random() * 2 ** 31));
const TOPICS = ["room:1", "room:2"];
const ROUNDS = 4;
const STEPS_PER_ROUND = 30;
const TABS_MAX = 24;

/** Draws whole numbers below a bound, the same ones for the same seed. */
function generator(state: number): (below: number) => number {
  let next = state;
  return (below) => {
    next = (Math.imul(next, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((next / 2 ** 32) * below);
  };
}

interface Tab {
  readonly server: PhoenixProcess;
  readonly topic: string;
  readonly userId: string;
  readonly socket: Socket;
  readonly channel: Channel;
  readonly presence: Presence;
}

let servers: PhoenixProcess[] = [];
const tabs: Tab[] = [];
afterEach(async () => {
  for (const { socket } of tabs.splice(0)) socket.disconnect();
  await Promise.all(servers.map((server) => server.end()));
});

function openTab(server: PhoenixProcess, topic: string, userId: string): void {
  const socket = new Socket(server.url, {
    params: { user_id: userId },
    transport: WebSocket,
    reconnectAfterMs: () => 50,
    rejoinAfterMs: () => 50,
  });
  socket.connect();
  const channel = socket.channel(topic);
  tabs.push({ server, topic, userId, socket, channel, presence: new Presence(channel) });
  channel.join();
}

/** Whoever has a tab on the topic, once for each. */
function expectedCounts(topic: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const tab of tabs)
    if (tab.topic === topic && tab.server.runs) counts[tab.userId] = (counts[tab.userId] ?? 0) + 1;
  return counts;
}

/** Waits until all nodes list exactly those who have a tab, and all tabs show what the nodes list, by the same refs. */
async function quiet(): Promise<void> {
  await eventually(
    async () => {
      const running = servers.filter(({ runs }) => runs);
      for (const topic of TOPICS) {
        const [list, ...others] = await Promise.all(running.map((server) => server.list(topic)));
        for (const other of others) expect(other).toEqual(list);
        const counts = Object.entries(list!).map(([key, refs]) => [key, refs.length]);
        expect(Object.fromEntries(counts)).toEqual(expectedCounts(topic));
        for (const tab of tabs)
          if (tab.topic === topic && tab.server.runs) expect(listOf(tab.presence)).toEqual(list);
      }
    },
    { what: `seed ${seed}: every tab shows what every node lists`, timeoutMs: 60_000 },
  );
}

test(`seed ${seed}: through crashes and restarts, every client ends with the list of every node`, async () => {
  const draw = generator(seed);
  const pick = <T>(from: readonly T[]): T => from[draw(from.length)]!;
  servers = await phoenixProcesses(["a", "b", "c"]);
  await Promise.all(servers.map((server) => server.start()));

  const openSomewhere = () => openTab(pick(servers), pick(TOPICS), `user ${draw(8)}`);
  const step: readonly (() => void)[] = [
    () => (tabs.length < TABS_MAX ? openSomewhere() : undefined),
    // Leaves without a word, or with one.
    () => void tabs.splice(draw(tabs.length), 1)[0]?.socket.disconnect(),
    () => void tabs.splice(draw(tabs.length), 1)[0]?.channel.leave(),
    // The connection breaks, and the client comes back.
    () => (pick(tabs)?.socket as unknown as { conn: { terminate(): void } } | undefined)?.conn.terminate(),
    () => void pick(tabs)?.channel.push("away", { draw: draw(1_000) }),
    () => void pick(tabs)?.channel.push("away", { draw: draw(1_000) }),
  ];
  const breakAndMend: readonly ((server: PhoenixProcess) => Promise<void>)[] = [
    // Crashes, and is back before or after the others have noticed.
    async (server) => {
      await server.end("SIGKILL");
      await server.start();
    },
    async (server) => {
      await server.end("SIGKILL");
      await quiet();
      await server.start();
    },
    // Stops in good order.
    async (server) => {
      await server.end("SIGTERM");
      await server.start();
    },
    // Freezes for long enough to be thought dead.
    async (server) => {
      server.signal("SIGSTOP");
      const other = servers.find((each) => each !== server)!;
      const isLost = async () => expect(await other.status(server.options.name)).not.toBe("up");
      await eventually(isLost);
      server.signal("SIGCONT");
    },
  ];
  for (let count = 0; count < TABS_MAX / 2; count++) openSomewhere();
  for (let round = 0; round < ROUNDS; round++) {
    for (let count = 0; count < STEPS_PER_ROUND; count++) {
      pick(step)();
      // Lets some of it happen, and some of it be overtaken.
      if (draw(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const broken = breakAndMend[(round + (seed % 4)) % 4]!(pick(servers));
    for (let count = 0; count < STEPS_PER_ROUND / 3; count++) pick(step)();
    await broken;
    await quiet();
  }
});
