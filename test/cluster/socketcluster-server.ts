/** A process of the cluster tests: a node and a SocketCluster server with presence. Takes its options as one JSON word. */
import { createServer } from "node:http";
import { attach } from "@presently/socketcluster";
import { createPool } from "mysql2/promise";
import { createNode } from "presently";
import socketcluster from "socketcluster-server";

export interface SocketClusterServerOptions {
  readonly name: string;
  readonly meshPort: number;
  readonly port: number;
  readonly peers: readonly string[];
  /** The socket of a database that the records are mirrored to. */
  readonly database?: string;
}

export const AUTH_KEY = "a key that only these tests share";

const options: SocketClusterServerOptions = JSON.parse(process.argv[2]!);
const node = await createNode({
  name: options.name,
  cluster: "socketcluster",
  secret: "a secret that only these tests share",
  logLevel: "silent",
  mesh: { port: options.meshPort, peers: options.peers },
});
const server = createServer();
const agServer = socketcluster.attach(server, { authKey: AUTH_KEY, pingInterval: 1_000 });
const pool =
  options.database === undefined
    ? undefined
    : createPool({ socketPath: options.database, user: "root", database: "SCPresence" });
const presence = attach(agServer, {
  node,
  scpConnectUpdateDelay: 100,
  scpBlockUsercountThreshold: 0,
  scpSCPingsPerUpdate: 2,
  scpGcInterval: 1,
  scpGcThreshold: 10,
  ...(pool && { mirror: { pool, flushIntervalMs: 50 } }),
});
void (async () => {
  for await (const { warning } of agServer.listener("warning")) console.error(warning.message);
})();
server.listen(options.port, "127.0.0.1", () => console.log("up"));

process.on("SIGTERM", async () => {
  await presence.close();
  await agServer.close();
  await pool?.end();
  await node.stop({ handoffMs: 0 });
  server.close();
});
