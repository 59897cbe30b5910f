/**
 * Tells who comes and goes in a room, until it is interrupted:
 *
 *     node examples/node-script.ts ws://127.0.0.1:4001/socket room:42 watcher
 *
 * Node.js 22.18 and later run it as it is. On Node.js 20, run it with tsx, and give `createClient` the `WebSocket` of the
 * package `ws` as its `transport`.
 */
import { createClient, mergeStatus, type Room, type StatusMeta } from "@presently/client";

interface Profile extends StatusMeta {
  readonly name?: string;
}

const [url = "ws://127.0.0.1:4001/socket", topic = "room:42", key = "watcher"] = process.argv.slice(2);
const client = createClient(url, { key });
client.on("error", ({ code, message }) => say(`${code}: ${message}`));
client.on("status", (status) => say(`(${status})`));

const room = client.join<Profile>(topic, { meta: { name: "a script" } });
room.on("join", ({ key: who }) => say(`+ ${who}`));
room.on("leave", ({ key: who }) => say(`- ${who}`));
room.on("update", ({ key: who, metas }) => say(`  ${who} is ${mergeStatus(metas)}`));
room.on("error", ({ code, message }) => say(`${code}: ${message}`));

process.once("SIGINT", () => void client.close());
await room.whenJoined().then(greet, () => client.close());

function greet({ people }: Room<Profile>): void {
  say(`here: ${people.map(({ key: who }) => who).join(", ")}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
