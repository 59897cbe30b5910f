/** The npm client against three processes under churn, one of which crashes; and the mirror in a real database. */
import { fileURLToPath } from "node:url";
import { createPool, type Pool, type RowDataPacket } from "mysql2/promise";
import socketcluster from "socketcluster-client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hear } from "../conformance/socketcluster-cluster.ts";
import { eventually } from "../helpers/eventually.ts";
import { type MariaDb, startMariaDb } from "../helpers/mariadb.ts";
import { freePort } from "../helpers/processes.ts";
import { has } from "../helpers/programs.ts";
import { type ScriptProcess, startScript } from "../helpers/script-process.ts";
import type { SocketClusterServerOptions } from "./socketcluster-server.ts";

type Client = ReturnType<typeof socketcluster.create>;

const script = fileURLToPath(new URL("./socketcluster-server.ts", import.meta.url));
const WAIT = { timeoutMs: 20_000 };

interface Server {
  readonly port: number;
  readonly process: ScriptProcess;
}

const servers: Server[] = [];
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(servers.splice(0).map(({ process }) => process.end()));
});

async function startCluster(
  options: Partial<SocketClusterServerOptions> = {},
): Promise<[Server, Server, Server]> {
  const ports = await Promise.all(Array.from({ length: 6 }, () => freePort()));
  const peers = ports.slice(0, 3).map((port) => `ws://127.0.0.1:${port}`);
  const started = await Promise.all(
    peers.map(async (own, index) => {
      const port = ports[index + 3]!;
      const given: SocketClusterServerOptions = {
        name: `node-${index}`,
        meshPort: ports[index]!,
        port,
        peers: peers.filter((peer) => peer !== own),
        ...options,
      };
      return { port, process: await startScript(script, given) };
    }),
  );
  servers.push(...started);
  return started as [Server, Server, Server];
}

async function connect({ port }: Server): Promise<Client> {
  const client = socketcluster.create({ hostname: "127.0.0.1", port, autoReconnect: false });
  clients.push(client);
  await client.listener("connect").once();
  return client;
}

const expectLast = (heard: unknown[], count: number) =>
  eventually(() => expect(heard.at(-1)).toBe(count), WAIT);

describe("three processes", () => {
  test("publish the true count through churn and a crash, and name no ghost of the crashed one", async () => {
    const [a, b, c] = await startCluster();
    const watcher = await connect(a);
    const heard = await hear(watcher, "USERCOUNT");
    await hear(watcher, "room");
    const changes = await hear(watcher, "_SCPRESENCE/room");
    // All are anonymous, and so one user; what differs is how many are in the room.
    const there = await Promise.all([b, b, c, c, c].map((server) => connect(server)));
    await Promise.all(there.map((client) => hear(client, "room")));
    await expectLast(heard, 1);
    await eventually(async () => {
      const { users } = (await watcher.invoke("roster", "room")) as { users: unknown };
      expect(users).toEqual([{ id: "anonymous", connections: 6 }]);
    }, WAIT);
    there[0]!.disconnect();
    await c.process.end("SIGKILL");
    await eventually(async () => {
      const { users } = (await watcher.invoke("roster", "room")) as { users: unknown };
      expect(users).toEqual([{ id: "anonymous", connections: 2 }]);
    }, WAIT);
    expect(changes.at(-1)).toEqual({ channel: "room", users: [{ id: "anonymous", connections: 2 }] });
    const map = (await watcher.invoke("userMap", null)) as Record<string, Record<string, unknown>>;
    expect(Object.keys(map.null!)).toHaveLength(2);
  });
});

describe.runIf(has("mariadbd"))("the mirror", () => {
  let database: MariaDb;
  let pool: Pool;
  beforeAll(async () => {
    database = await startMariaDb();
    pool = createPool({ socketPath: database.socketPath, user: "root", multipleStatements: true });
    // As sc-presence's own page has it.
    await pool.query(`CREATE DATABASE SCPresence; USE SCPresence;
      CREATE TABLE SCPresence_users (
        SCP_id INT(11) NOT NULL AUTO_INCREMENT,
        SCP_socket_id VARCHAR(255) DEFAULT NULL,
        SCP_user_id INT(11) DEFAULT NULL,
        SCP_channel VARCHAR(255) DEFAULT NULL,
        SCP_updated DATETIME DEFAULT CURRENT_TIMESTAMP,
        SCP_authToken VARCHAR(2048) DEFAULT NULL,
        SCP_ip VARCHAR(255) DEFAULT NULL,
        SCP_origin VARCHAR(1024) DEFAULT NULL,
        PRIMARY KEY (SCP_id),
        UNIQUE INDEX IX_unique_user_channel_socket (SCP_user_id, SCP_channel, SCP_socket_id)
      ) ENGINE = INNODB`);
  });
  afterAll(async () => {
    await pool?.end();
    await database?.stop();
  });

  async function channels(): Promise<string[]> {
    const [found] = await pool.query<RowDataPacket[]>("SELECT SCP_channel FROM SCPresence.SCPresence_users");
    return found.map(({ SCP_channel }) => SCP_channel as string).sort();
  }

  test("has the records of all processes, loses those of a crashed one, and is mended and cleaned", async () => {
    const [a, b] = await startCluster({ database: database.socketPath });
    const there = await connect(a);
    await hear(there, "room");
    const lost = await connect(b);
    await hear(lost, "room");
    await hear(lost, "news");
    await eventually(
      async () => expect(await channels()).toEqual(["_SCPRESENCE", "_SCPRESENCE", "news", "room", "room"]),
      WAIT,
    );
    lost.unsubscribe("news");
    await eventually(async () => expect(await channels()).not.toContain("news"), WAIT);
    await b.process.end("SIGKILL");
    await eventually(async () => expect(await channels()).toEqual(["_SCPRESENCE", "room"]), WAIT);
    // What others did to the table is put right: a record that is gone comes back, an old one goes.
    await pool.query("DELETE FROM SCPresence.SCPresence_users WHERE SCP_channel = 'room'");
    await pool.query(
      "INSERT INTO SCPresence.SCPresence_users (SCP_socket_id, SCP_channel, SCP_updated) VALUES ('ghost', 'attic', NOW() - INTERVAL 1 HOUR)",
    );
    await eventually(async () => expect(await channels()).toEqual(["_SCPRESENCE", "room"]), WAIT);
    await a.process.end("SIGTERM");
    await eventually(async () => expect(await channels()).toEqual([]), WAIT);
  });
});
