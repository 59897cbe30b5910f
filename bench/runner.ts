/** Runs questions, one process each, one after the other, and records what they say. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, platform, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Answer, type Conditions, conditionsLine, runSection, withRun } from "./record.ts";
import { type Picture, RECORDING_VARIABLE, type Table } from "./report.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const questionsFolder = join(here, "questions");
const resultsFile = join(here, "RESULTS.md");

/** Gives the exit code: 0, 1 if a question failed, 2 if the words were not understood. */
export async function main(words: readonly string[]): Promise<number> {
  const questions = readdirSync(questionsFolder)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -3))
    .sort();
  const flags = words.filter((word) => word.startsWith("--"));
  const wanted = words.filter((word) => !word.startsWith("--"));
  if (flags.includes("--list")) {
    for (const question of questions) console.log(question);
    return 0;
  }
  const unknown = [
    ...flags.filter((flag) => flag !== "--record"),
    ...wanted.filter((name) => !questions.includes(name)),
  ];
  if (unknown.length > 0) {
    console.error(
      `not understood: ${unknown.join(", ")}; there are --record, --list, ${questions.join(", ")}`,
    );
    return 2;
  }
  return await runAll(wanted.length > 0 ? wanted : questions, flags.includes("--record"));
}

async function runAll(questions: readonly string[], recording: boolean): Promise<number> {
  const conditions = conditionsNow();
  const previous = recording ? readOrEmpty(resultsFile) : "";
  const answers: Answer[] = [];
  console.log(`${conditionsLine(conditions)}\n`);
  const startedAt = performance.now();
  for (const [index, question] of questions.entries()) {
    console.log(`━━ ${question} (${index + 1} of ${questions.length})`);
    const questionStartedAt = performance.now();
    answers.push(await ask(question));
    console.log(`   ${seconds(performance.now() - questionStartedAt)}\n`);
    // After every question, so that a long run that is broken off has not been for nothing.
    if (recording) writeFileSync(resultsFile, withRun(previous, runSection(conditions, answers)));
  }
  const failed = answers.filter((answer) => answer.failed).map(({ question }) => question);
  if (questions.length > 1) console.log(`all in ${seconds(performance.now() - startedAt)}`);
  if (failed.length > 0) console.error(`failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;

  async function ask(question: string): Promise<Answer> {
    const folder = mkdtempSync(join(tmpdir(), "presently-bench-"));
    const recordingFile = join(folder, "recording");
    try {
      const child = spawn(
        process.execPath,
        ["--expose-gc", "--import", import.meta.resolve("tsx"), join(questionsFolder, `${question}.ts`)],
        {
          stdio: ["inherit", "pipe", "inherit"],
          env: { ...process.env, ...(recording ? { [RECORDING_VARIABLE]: recordingFile } : {}) },
        },
      );
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
        process.stdout.write(chunk);
      });
      const [code] = await once(child, "close");
      return { question, ...readRecording(recordingFile), output, failed: code !== 0 };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

function readRecording(file: string): { tables: Table[]; pictures: Picture[] } {
  const tables: Table[] = [];
  const pictures: Picture[] = [];
  for (const line of readOrEmpty(file).split("\n").filter(Boolean)) {
    const { table, picture } = JSON.parse(line) as { table?: Table; picture?: Picture };
    if (table !== undefined) tables.push(table);
    if (picture !== undefined) pictures.push(picture);
  }
  return { tables, pictures };
}

function conditionsNow(): Conditions {
  const [cpu] = cpus();
  const commit = commitNow();
  return {
    date: new Date(),
    node: process.version,
    cores: cpus().length,
    cpu: cpu?.model.trim() ?? "unknown",
    memoryGiB: totalmem() / 2 ** 30,
    platform: platform(),
    load: loadavg()[0]!,
    ...(commit === undefined ? {} : { commit }),
  };
}

function commitNow(): string | undefined {
  const git = (...words: string[]) =>
    execFileSync("git", words, { cwd: here, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no", "--", "../packages") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${changed ? "+" : ""}`;
  } catch {
    return undefined; // An unpacked archive has no repository, and is none the worse for it.
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(0)} s`;
}
