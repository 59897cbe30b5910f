/** A process of the cluster tests: a node over NATS with somebody present. Takes its options as one JSON word. */
import { nats } from "@presently/nats";
import { createNode } from "presently";

export interface NatsNodeOptions {
  readonly name: string;
  readonly server: string;
  readonly key: string;
  readonly heartbeatIntervalMs?: number;
  readonly downAfterMs?: number;
}

const { server, key, ...options }: NatsNodeOptions = JSON.parse(process.argv[2]!);
const node = await createNode({ ...options, logLevel: "silent", transport: nats({ servers: [server] }) });
node.session().track("room", key);
await node.whenReady();
console.log("up");

process.on("SIGTERM", () => void node.stop({ handoffMs: 0 }));
