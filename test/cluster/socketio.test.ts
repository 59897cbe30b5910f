/** Three processes with Socket.IO: what a crash, a freeze and a rolling restart cost. Rows of the acceptance list by number. */
import { fileURLToPath } from "node:url";
import { type Socket as Client, io as connectTo } from "socket.io-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { freePort } from "../helpers/processes.ts";
import { type ScriptProcess, startScript } from "../helpers/script-process.ts";
import type { Fetched, SocketIoServerOptions } from "./socketio-server.ts";

/** How long servers wait for an answer: so long that nothing else takes as long. */
const ASK_MS = 4_000;

const script = fileURLToPath(new URL("./socketio-server.ts", import.meta.url));

interface Running {
  readonly options: SocketIoServerOptions;
  process: ScriptProcess;
}

let servers: Running[] = [];
const clients: Client[] = [];
beforeAll(startCluster);
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});
afterAll(async () => {
  for (const { process } of servers) process.signal("SIGCONT");
  await Promise.all(servers.map(({ process }) => process.end()));
});

async function startCluster(): Promise<void> {
  const ports = await Promise.all(Array.from({ length: 6 }, () => freePort()));
  const meshPorts = ports.slice(0, 3);
  servers = await Promise.all(
    meshPorts.map(async (meshPort, index) => {
      const peers = meshPorts.filter((port) => port !== meshPort).map((port) => `ws://127.0.0.1:${port}`);
      const options = { name: `node-${index}`, meshPort, port: ports[index + 3]!, peers, askMs: ASK_MS };
      return { options, process: await startScript(script, options) };
    }),
  );
}

async function connect(index: number, user: string): Promise<Client> {
  const client = connectTo(`http://127.0.0.1:${servers[index]!.options.port}`, {
    transports: ["websocket"],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
    auth: { user },
  });
  clients.push(client);
  await new Promise<void>((resolve) => client.once("connect", resolve));
  return client;
}

const fetchFrom = (client: Client): Promise<Fetched> => client.timeout(30_000).emitWithAck("fetch");
const peopleAt = (client: Client): Promise<string[]> => client.timeout(30_000).emitWithAck("people");

/** Waits until every one of these servers lists these sockets. */
async function listed(askers: readonly Client[], expected: readonly Client[]): Promise<void> {
  await eventually(async () => {
    for (const asker of askers)
      expect([...(await fetchFrom(asker)).ids!].sort()).toEqual(expected.map(({ id }) => id!).sort());
  });
}

test("SIO20: a frozen server costs askMs once, is shown as it was last, and is back when it goes on", async () => {
  const [a, b, c] = [await connect(0, "ann"), await connect(1, "bob"), await connect(2, "cid")] as const;
  await listed([a, b, c], [a, b, c]);
  servers[2]!.process.signal("SIGSTOP");
  const waits: number[] = [];
  for (let round = 0; round < 10; round++) {
    const { error, ms, ids } = await fetchFrom(a);
    expect(error).toBeUndefined();
    expect(ids).toEqual(expect.arrayContaining([a.id, b.id]));
    waits.push(ms);
  }
  expect(waits.filter((ms) => ms >= ASK_MS).length).toBeLessThanOrEqual(1);
  servers[2]!.process.signal("SIGCONT");
  await eventually(async () =>
    expect(await fetchFrom(a)).toMatchObject({ ids: expect.arrayContaining([c.id]) }),
  );
});

test("SIO34: after a rolling restart under 60 clients all lists are right, and nothing rejected on the way", async () => {
  const all = await Promise.all(
    Array.from({ length: 60 }, (_, index) => connect(index % 3, `user-${index}`)),
  );
  const errors: string[] = [];
  let done = false;
  const asking = (async () => {
    while (!done)
      for (const client of all.slice(0, 3)) {
        if (!client.connected) continue;
        const fetched = await client
          .timeout(5_000)
          .emitWithAck("fetch")
          .catch(() => undefined);
        if (fetched?.error !== undefined) errors.push(fetched.error);
      }
  })();
  for (const server of servers) {
    await server.process.end("SIGTERM");
    server.process = await startScript(script, server.options);
  }
  await eventually(() => expect(all.every(({ connected }) => connected)).toBe(true));
  await listed(all.slice(0, 3), all);
  for (const client of all.slice(0, 3))
    await eventually(async () => expect(await peopleAt(client)).toHaveLength(60));
  done = true;
  await asking;
  expect(errors).toEqual([]);
});

test("SIO13, SIO19: a killed server is out of all lists, nothing rejects, and acknowledgements settle", async () => {
  const [a, b, c] = [await connect(0, "ann"), await connect(1, "bob"), await connect(2, "cid")] as const;
  await listed([a, b, c], [a, b, c]);
  c.io.reconnection(false);
  await servers[2]!.process.end("SIGKILL");
  for (const asker of [a, b]) {
    const { error, ms, ids } = await fetchFrom(asker);
    expect(error).toBeUndefined();
    // Nobody waits for the dead.
    expect(ms).toBeLessThan(ASK_MS);
    expect(ids).toEqual(expect.arrayContaining([a.id, b.id]));
  }
  await listed([a, b], [a, b]);
  await eventually(async () => expect((await peopleAt(b)).sort()).toEqual(["ann", "bob"]));
  // Two of two servers acknowledge: the third is not counted any more.
  for (const client of [a, b]) client.on("q", (ack: (value: unknown) => void) => ack("here"));
  expect(await a.timeout(30_000).emitWithAck("ask all", "room")).toEqual(["here", "here"]);
});
