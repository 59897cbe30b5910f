import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { ProcessCluster, seen } from "../helpers/process-cluster.ts";

const T = "room:lobby";
const VISIT_EVERY_MS = 15;
const directory = mkdtempSync(join(tmpdir(), "presently-secret-"));
const secretFile = join(directory, "secret");
let cluster: ProcessCluster;

/** Who is present, by the node that holds them. */
const present = new Map<string, Set<string>>();

/** What the nodes that start from now on read. A secret is a line; a node that runs keeps what it read. */
const write = (...secrets: readonly string[]) => writeFileSync(secretFile, `${secrets.join("\n")}\n`);

beforeAll(async () => {
  write("old secret");
  cluster = await ProcessCluster.start(3, { words: ["--secret-file", secretFile, "--heartbeat-ms", "200"] });
  for (const name of cluster.names) present.set(name, new Set());
});

afterAll(async () => {
  await cluster.close();
  rmSync(directory, { recursive: true });
});

/** People who come and go on these nodes, some of whom stay, for as long as `work` takes, and a while at least. */
async function churn(names: readonly string[], round: string, work: Promise<void>): Promise<void> {
  let over = false;
  const end = work.finally(() => {
    over = true;
  });
  for (let step = 0; step < 16 || !over; step += 1) {
    // Somebody every so often: the pace of the workload, not a wait for anything.
    await delay(VISIT_EVERY_MS);
    const name = names[step % names.length]!;
    const key = `${round}-${step}`;
    await cluster.track(name, T, key);
    present.get(name)!.add(key);
    if (step % 4 < 2) continue;
    expect(cluster.untrack(name, T, key)).toBe(true);
    present.get(name)!.delete(key);
  }
  await end;
}

/** Restarts one node after the other with what the file holds, while people come and go on the others. */
async function roll(round: string): Promise<void> {
  for (const name of cluster.names) {
    const others = cluster.names.filter((other) => other !== name);
    const watchers = await Promise.all(others.map((other) => cluster.watch(other, T)));
    const before = [...present.get(name)!];
    const restart = async () => {
      expect(await cluster.stop(name)).toBe(0);
      present.get(name)!.clear();
      await cluster.run(name);
    };
    await churn(others, `${round}-${name}`, restart());
    await cluster.whole();
    await cluster.shows(
      T,
      [...present.values()].flatMap((keys) => [...keys]),
    );
    const here = new Set([...present.values()].flatMap((keys) => [...keys]));
    for (const watcher of watchers) {
      await eventually(() => {
        for (const key of before) expect(seen(watcher)).toContain(`-${key} left`);
      });
      const leaves = seen(watcher).filter((change) => change.startsWith("-"));
      // Those who were on the node that stopped, and those who were told to leave: nobody else, nobody twice.
      expect(leaves.filter((leave) => !leave.endsWith(" left"))).toEqual([]);
      const gone = leaves.map((leave) => leave.slice(1, -" left".length));
      expect(gone.filter((key) => here.has(key))).toEqual([]);
      expect(new Set(gone).size).toBe(gone.length);
      watcher.close();
    }
  }
}

test("a cluster changes its secret one node at a time and never splits, while people come and go", async () => {
  await churn(cluster.names, "before", Promise.resolve());
  write("new secret", "old secret");
  await roll("both");
  write("new secret");
  await roll("new");
  for (const name of cluster.names) {
    const { output } = cluster.node(name);
    expect(output).not.toMatch(/SECRET|BAD_PROOF/);
    expect(output).not.toMatch(/new secret|old secret/);
  }
  // The old secret opens nothing any more.
  write("old secret");
  await cluster.stop("n3");
  await cluster.run("n3");
  await expect(cluster.whole(1_500)).rejects.toThrow();
  const output = () => cluster.node("n3").output;
  await eventually(() => expect(output()).toMatch(/SECRET: .*no secret in common/));
});
