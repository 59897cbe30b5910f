/**
 * What does `presently start --processes N` bring? Lists of a room of 100 people, and people who are put into rooms, over HTTP,
 * a second: one process without a supervisor, and groups of 1, 2 … up to as many as the machine has cores.
 *
 * The clients are processes of the same machine, one for each core, and take as much of it as the servers do: so the figures
 * say how groups compare, and a machine of two cores says little. `FOR_MS=5000 ROUNDS=5 npm run bench -- processes`.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { AskerOrder } from "../processes/asker.ts";
import { progress, progressDone, report } from "../report.ts";
import { interleaved, showSpread, spreadOf } from "../rounds.ts";

const CORES = availableParallelism();
const FOR_MS = Number(process.env.FOR_MS ?? 2_000);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const CONNECTIONS = 16;
const PEOPLE = 100;

const command = fileURLToPath(new URL("../../packages/presently/bin/presently.js", import.meta.url));
const script = fileURLToPath(new URL("../processes/asker.ts", import.meta.url));

interface Subject {
  readonly name: string;
  readonly words: readonly string[];
}

const sizes = [1, 2, 4, 8, 16, 32, 64].filter((size) => size < CORES);
const subjects: readonly Subject[] = [
  { name: "one process", words: [] },
  ...[...sizes, CORES].map((size) => ({ name: `--processes ${size}`, words: ["--processes", String(size)] })),
];

/** Starts it, and settles when it is ready. */
async function start({ words }: Subject): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(
    process.execPath,
    [command, "start", "--name", "n", "--http", "127.0.0.1:0", ...words],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const url = await new Promise<string>((resolve, reject) => {
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      const [, found] = /presently \S+ is up: http ([^\s"]+)/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", () => reject(new Error(`it ended before it was up: ${output}`)));
  });
  while ((await fetch(`${url}/readyz`)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return { child, url };
}

async function asked(askers: readonly ChildProcess[], order: AskerOrder): Promise<number> {
  const answers = await Promise.all(
    askers.map(async (asker) => {
      asker.send(order);
      const [{ answers }] = (await once(asker, "message")) as [{ answers: number }];
      return answers;
    }),
  );
  return answers.reduce((sum, count) => sum + count, 0) / (order.forMs / 1_000);
}

async function measure(subject: Subject): Promise<{ readonly lists: number; readonly puts: number }> {
  progress(`processes: ${subject.name}`);
  const { child, url } = await start(subject);
  const askers = Array.from({ length: CORES }, () => fork(script));
  try {
    const room = "/api/topics/room:lobby";
    for (let index = 0; index < PEOPLE; index++)
      await fetch(`${url}${room}/presences/p${index}`, {
        method: "PUT",
        body: '{"meta":{"device":"phone"}}',
      });
    const order = { url, connections: CONNECTIONS, forMs: FOR_MS };
    const lists = await asked(askers, { ...order, path: room, put: false });
    const puts = await asked(askers, { ...order, path: "/api/topics/room:hall", put: true });
    return { lists, puts };
  } finally {
    for (const asker of askers) asker.disconnect();
    child.kill("SIGTERM");
    await once(child, "exit");
  }
}

const results = await interleaved(subjects, ROUNDS, measure);
progressDone();
report({
  caption: `Answers a second over HTTP, ${CORES * CONNECTIONS} connections of ${CORES} client processes; median (least–most) of ${ROUNDS} rounds of ${FOR_MS} ms`,
  columns: ["started as", `list of ${PEOPLE}`, "put one person"],
  rows: subjects.map(({ name }, index) => {
    const of = (what: "lists" | "puts") =>
      showSpread(spreadOf(results[index]!.map((result) => result[what])));
    return [name, of("lists"), of("puts")];
  }),
  notes: [
    `The machine has ${CORES} cores, and the clients take their share of them.`,
    "Of the people that a group of N is asked to put, one in N belongs to the process that is asked; the others are handed on.",
  ],
});
