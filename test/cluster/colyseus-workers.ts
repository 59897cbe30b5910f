/** A program that runs as several workers of `node:cluster`, as pm2 would: each of them the same line, and no addresses. */
import cluster from "node:cluster";
import { PresentlyPresence } from "@presently/colyseus";

const [, , folder, count] = process.argv;
const processes = Number(count);

if (cluster.isPrimary) {
  for (let index = 0; index < processes; index++) cluster.fork();
  const tickets: number[] = [];
  cluster.on("message", (worker, ticket: number) => {
    tickets.push(ticket);
    if (tickets.length < processes * 10) return;
    process.send?.(tickets);
    for (const each of Object.values(cluster.workers ?? {})) each?.send("stop");
    worker.send("stop");
  });
} else {
  const presence = PresentlyPresence.local({ folder: folder!, name: "workers", processes });
  await presence.whenReady();
  for (let index = 0; index < 10; index++) process.send?.(await presence.incr("tickets"));
  process.on("message", async () => {
    await presence.shutdown();
    process.disconnect();
  });
}
