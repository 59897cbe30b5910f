#!/usr/bin/env node
/**
 * Runs the benchmarks, one file a question: all of them, or those whose names are given.
 *
 *     npm run bench
 *     npm run bench -- apply-delta
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("./questions/", import.meta.url));
const questions = readdirSync(folder)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3))
  .sort();
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !questions.includes(name));
if (unknown.length > 0) {
  console.error(`no such question: ${unknown.join(", ")}; there are ${questions.join(", ")}`);
  process.exit(2);
}

const [cpu] = cpus();
console.log(
  `${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, ${cpus().length} × ${cpu?.model.trim()}\n`,
);
let failed = 0;
for (const question of wanted.length > 0 ? wanted : questions) {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const { status } = spawnSync(
    process.execPath,
    ["--expose-gc", "--import", tsx, `${folder}${question}.ts`],
    { stdio: "inherit" },
  );
  if (status !== 0) failed++;
  console.log();
}
process.exit(failed === 0 ? 0 : 1);
