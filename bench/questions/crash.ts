/** How long after `kill -9` of a process do its people leave elsewhere? Default options. */
import { createNode, type PresentlyNode } from "presently";
import { NodeProcess } from "../processes/spawn.ts";
import { show, spreadOf } from "../rounds.ts";

const ROUNDS = 5;
const TOPIC = "bench";

/** Kills a process that holds `entries`, and gives the milliseconds until a watcher has seen the last leave. */
async function crash(size: number, entries: number): Promise<number> {
  const watching: PresentlyNode[] = [];
  for (let index = 1; index < size; index++) {
    const peers = watching.map((node) => node.meshUrl!);
    watching.push(
      await createNode({ name: `n${index}`, cluster: "bench", mesh: { port: 0, peers }, logLevel: "silent" }),
    );
  }
  const victim = new NodeProcess();
  await victim.ask({ do: "start", name: "victim", peers: watching.map((node) => node.meshUrl!) });
  await victim.ask({ do: "track", topic: TOPIC, count: entries });
  const gone = (count: number) =>
    Promise.all(
      watching.map(
        (node) =>
          new Promise<number>((resolve) => {
            node.watch(TOPIC, () => {
              if (node.count(TOPIC).entries === count) resolve(performance.now());
            });
          }),
      ),
    );
  await gone(entries);
  const left = gone(0);
  const killedAt = performance.now();
  await victim.kill();
  const seenAt = await left;
  await Promise.all(watching.map((node) => node.stop()));
  return Math.max(...seenAt) - killedAt;
}

console.log(`from kill -9 to the last leave at every survivor: median (least–most) of ${ROUNDS} rounds`);
for (const [size, entries] of [
  [2, 1],
  [3, 1],
  [5, 1],
  [3, 100_000],
] as const) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await crash(size, entries));
  console.log(
    `  ${size} nodes, ${entries.toLocaleString("en")} entries lost: ${show(spreadOf(times), "ms")}`,
  );
}
