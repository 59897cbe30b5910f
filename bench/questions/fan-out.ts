/**
 * 10,000 sockets are in one topic of one node: how many joins a second are delivered to all of them, and how many would a
 * bare loop over `ws` sockets deliver that sends the same bytes?
 *
 * Fewer sockets: `SOCKETS=1000 npm run bench -- fan-out`. It needs two open files a socket, one in each process.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { PhoenixSocket } from "@presently/phoenix";
import { createNode } from "presently";
import { type WebSocket, WebSocketServer } from "ws";
import type { AudienceOrder } from "../processes/audience.ts";
import { progress, progressDone, report } from "../report.ts";
import { showNumber, showSpread, spreadOf } from "../rounds.ts";
import { metaOf } from "../workload.ts";

const SOCKETS = Number(process.env.SOCKETS ?? 10_000);
const JOINS = 10;
const ROUNDS = 5;
const TOPIC = "room:lobby";

const wallMs = () => performance.timeOrigin + performance.now();
const script = fileURLToPath(new URL("../processes/audience.ts", import.meta.url));

async function tell(child: ChildProcess, order: AudienceOrder): Promise<{ atMs: number }> {
  child.send(order);
  const [answer] = await once(child, "message");
  return answer;
}

/** A server with its audience: `deliver` has every socket sent `JOINS` frames, and gives the joins a second that all had. */
interface Stage {
  deliver(): Promise<{ readonly rate: number; readonly cpuMs: number }>;
  close(): Promise<void>;
}

/** Counts until everybody has every frame, on the clock of the machine, and the processor time of this process. */
async function measured(audience: ChildProcess, send: () => void) {
  globalThis.gc?.();
  const all = tell(audience, { do: "count", frames: SOCKETS * JOINS });
  const used = process.cpuUsage();
  const startedMs = wallMs();
  send();
  const { atMs } = await all;
  const { user, system } = process.cpuUsage(used);
  return { rate: (JOINS / (atMs - startedMs)) * 1_000, cpuMs: (user + system) / 1_000 / JOINS };
}

let frame: Buffer | undefined;

async function phoenix(diffIntervalMs: number): Promise<Stage> {
  const node = await createNode({ name: "node", cluster: "bench", logLevel: "silent" });
  const socket = new PhoenixSocket(node, { connect: () => ({}), checkOrigin: false });
  socket.channel("room:*", { join: () => ({ ok: {} }), presence: { diffIntervalMs } });
  const server = createServer().listen(0, "127.0.0.1");
  socket.attach(server, "/socket");
  await once(server, "listening");
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/socket/websocket?vsn=2.0.0`;
  const audience = fork(script);
  await tell(audience, { do: "connect", url, count: SOCKETS, topic: TOPIC });
  let people = 0;
  return {
    deliver: () =>
      measured(audience, () => {
        for (let index = 0; index < JOINS; index++)
          node.session().track(TOPIC, `user-${people}`, metaOf(people++, "online"));
      }),
    async close() {
      audience.kill();
      socket.close();
      server.close();
      await node.stop();
    },
  };
}

/** A loop over sockets: the least that a server on `ws` does. */
async function bare(): Promise<Stage> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  const sockets = new Set<WebSocket>();
  server.on("connection", (socket) => sockets.add(socket));
  await once(server, "listening");
  const audience = fork(script);
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await tell(audience, { do: "connect", url, count: SOCKETS });
  return {
    deliver: () =>
      measured(audience, () => {
        for (let index = 0; index < JOINS; index++)
          for (const socket of sockets) socket.send(frame!, { binary: false });
      }),
    async close() {
      audience.kill();
      for (const socket of sockets) socket.terminate();
      server.close();
    },
  };
}

/** The diff of one join, as a client is sent it: so long must what the bare loop sends be. */
function exampleFrame(): Buffer {
  const { name, online_at, status } = metaOf(1, "online");
  const meta = { name, online_at, status, phx_ref: "node@m2x3y4z5.1a" };
  const diff = { joins: { "user-1": { metas: [meta] } }, leaves: {} };
  return Buffer.from(JSON.stringify([null, null, TOPIC, "presence_diff", diff]));
}

frame = exampleFrame();
const stages = [
  ["bare ws loop", bare],
  ["Presently, channels of phoenix, a diff each join", () => phoenix(0)],
] as const;
const rates: number[][] = [];
const cpu: number[][] = [];
for (const [name, open] of stages) {
  progress(`fan-out: ${name}: ${SOCKETS} sockets connect`);
  const stage = await open();
  await stage.deliver();
  const results = [];
  for (let round = 0; round < ROUNDS; round++) {
    progress(`fan-out: ${name}: round ${round + 1} of ${ROUNDS}`);
    results.push(await stage.deliver());
  }
  rates.push(results.map(({ rate }) => rate));
  cpu.push(results.map(({ cpuMs }) => cpuMs));
  await stage.close();
}
progressDone();
const base = spreadOf(rates[0]!).median;
report({
  caption: `Joins a second that each of ${SOCKETS.toLocaleString("en")} sockets in one topic is told of; median (least–most) of ${ROUNDS} rounds of ${JOINS} joins`,
  columns: ["server", "joins a second", "frames a second", "of the bare loop", "processor time a join"],
  rows: stages.map(([name], index) => {
    const spread = spreadOf(rates[index]!);
    return [
      name,
      showSpread(spread),
      showNumber(spread.median * SOCKETS),
      `${Math.round((spread.median / base) * 100)} %`,
      showSpread(spreadOf(cpu[index]!), "ms"),
    ];
  }),
  notes: [
    `Target: 80 % of the bare loop. The bare loop sends ${frame.length} bytes to each socket, as long as the diff of one join.`,
    "The clients are one other process, which shares the machine: where it is the slower end, both servers wait for it, and the processor time tells more.",
  ],
});
process.exit(0);
