/** The `presently` command. */
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { addTokenCommand } from "./access-token-command.ts";
import { addClusterCommand } from "./cluster.ts";
import { addCompareCommand } from "./compare.ts";
import { addConfigCommand } from "./config-command.ts";
import { addDemoCommand } from "./demo.ts";
import { addEvictCommand } from "./evict.ts";
import { endingOf } from "./failure.ts";
import { addFuzzCommand } from "./fuzz.ts";
import { addListCommand } from "./list.ts";
import { endWithReader } from "./output.ts";
import { addStartCommand } from "./start.ts";
import { addTopicsCommand } from "./topics.ts";
import { addWatchCommand } from "./watch.ts";

/** The command line with all its commands; parsing throws instead of ending the process. */
export function createProgram(): Command {
  const program = new Command("presently")
    .description("Presence for clusters: who is here, in which room, right now.")
    .version(VERSION)
    .exitOverride()
    // What is wrong is printed once, by `main`.
    .configureOutput({ outputError: () => undefined });
  addStartCommand(program);
  addTokenCommand(program);
  addDemoCommand(program);
  addListCommand(program);
  addWatchCommand(program);
  addTopicsCommand(program);
  addClusterCommand(program);
  addCompareCommand(program);
  addConfigCommand(program);
  addEvictCommand(program);
  addFuzzCommand(program);
  return program;
}

/**
 * Runs the command. A mistake on the command line, or in a configuration, prints one line and gives exit code 2; whatever
 * else keeps the command from doing its work gives 1.
 *
 * @param words  what follows `presently`
 */
export async function main(words: readonly string[]): Promise<void> {
  endWithReader();
  try {
    const program = createProgram();
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync(words, { from: "user" });
  } catch (error) {
    const { line, exitCode } = endingOf(error);
    if (line !== undefined) process.stderr.write(`${line}\n`);
    process.exitCode = exitCode;
  }
}
