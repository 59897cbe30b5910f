/** `presently fuzz`: whole clusters in virtual time, broken in every way that is known, with every promise checked. */
import type { Command } from "commander";
import { CommandError, UsageError } from "./failure.ts";

const TESTKIT = "@presently/testkit";

/** What is used of `@presently/testkit`. It is installed by whoever wants to fuzz, and depended on by nobody. */
interface Testkit {
  /** Answers the exit code. */
  fuzzCommand(flags: object): number;
}

/** Adds the command. `testkit`: the package to load. */
export function addFuzzCommand(program: Command, testkit = TESTKIT): void {
  program
    .command("fuzz")
    .description(
      "search simulated clusters for a history that breaks a promise; needs the package @presently/testkit",
    )
    .option("--runs <n>", "How many histories. (default: 200)")
    .option("--seed <s>", "The same histories again. (default: drawn at random, and told)")
    .option("--nodes <n>", "How many nodes, or from how many to how many, of 1 to 7. (default: 2..5)")
    .option(
      "--faults <list>",
      "What goes wrong, of cuts,stalls,slow,pauses,crashes,stops,clocks,moves,evictions; none: nothing does. (default: all)",
    )
    .option(
      "--replay <file>",
      "Runs one history that was written down when it failed, and tells it in words.",
    )
    .option("--save <file>", "Where to write a failing history. (default: presently-history.json)")
    .addHelpText(
      "after",
      "\nExit code: 0 if every promise was kept, 1 if one was broken, 2 for a mistake in the flags.",
    )
    .action(async (flags: object) => {
      const { fuzzCommand } = (await load(testkit)) as Testkit;
      try {
        process.exitCode = fuzzCommand(flags);
      } catch (error) {
        // By its code: the class may come from another copy of the package.
        const { code, message } = error as { code?: unknown; message: string };
        if (code !== "INVALID_SCENARIO") throw error;
        throw new UsageError(message, { cause: error });
      }
    });
}

async function load(name: string): Promise<unknown> {
  try {
    return await import(name);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new CommandError(`fuzz needs the package ${name}: npm install --save-dev ${name}`, { cause });
  }
}
