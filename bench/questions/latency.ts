/** How long after `track` does another process's watcher see the join? Joins one at a time, over loopback. */
import { setTimeout as delay } from "node:timers/promises";
import { createNode } from "presently";
import { NodeProcess } from "../processes/spawn.ts";

const JOINS = 1_000;
const TOPIC = "bench";

console.log(`from track() to a watcher in another process, ${JOINS} joins at random times`);
for (const flushIntervalMs of [5, 0]) {
  const local = await createNode({
    name: "local",
    cluster: "bench",
    mesh: { port: 0 },
    logLevel: "silent",
    flushIntervalMs,
  });
  const remote = new NodeProcess();
  await remote.ask({ do: "start", name: "remote", peers: [local.meshUrl!], flushIntervalMs });
  await remote.ask({ do: "time-joins", topic: TOPIC, count: JOINS });
  const measured = remote.answer<{ delaysMs: number[] }>();
  const session = local.session();
  for (let index = 0; index < JOINS; index++) {
    session.track(TOPIC, `key ${index}`, { sentAt: performance.timeOrigin + performance.now() });
    await delay(1 + Math.random() * 10);
  }
  const sorted = (await measured).delaysMs.sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!.toFixed(2);
  const name = flushIntervalMs === 5 ? "default options" : "flush interval 0";
  console.log(`  ${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${sorted.at(-1)!.toFixed(2)} ms`);
  await remote.kill();
  await local.stop();
}
