/** `presently config`: looks through a configuration file, and prints its schema. */
import type { Command } from "commander";
import { checkConfig } from "./config-check.ts";
import { describeProblem, readConfigFile } from "./config-file.ts";
import { configSchema } from "./config-schema.ts";
import { summaryOf } from "./config-summary.ts";
import { EXIT } from "./failure.ts";

/** Adds the command. */
export function addConfigCommand(program: Command): void {
  const config = program
    .command("config")
    .description("look through a configuration file of presently start");
  config
    .command("check <file>")
    .description("print everything that is wrong with a file, or else what it amounts to; starts nothing")
    .option("--all", "also print the options at their defaults")
    .action((path: string, { all = false }: { all?: boolean }) => check(path, all));
  config
    .command("schema")
    .description("print the JSON Schema of the file, for editors")
    .action(() => void process.stdout.write(`${JSON.stringify(configSchema(), undefined, 2)}\n`));
}

/** Exit code 1 for a file with mistakes; 2 if there is no such file. */
function check(path: string, all: boolean): void {
  const file = readConfigFile(path);
  const { problems, config, flags } = checkConfig(file, process.env);
  if (problems.length > 0 || config === undefined) {
    for (const problem of problems) process.stderr.write(`${describeProblem(path, problem)}\n`);
    process.exitCode = EXIT.failed;
    return;
  }
  const secretInEnvironment = flags.secretFile === undefined && config.secrets.length > 0;
  const lines = summaryOf({ config, flags, fields: file.fields, all, secretInEnvironment });
  process.stdout.write(`${path} can be used:\n${lines.map((line) => `  ${line}\n`).join("")}`);
}
