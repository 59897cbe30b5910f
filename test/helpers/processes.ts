/** Nodes as operating-system processes, started as a user starts them. They run what `npm run build` made. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PortChooser } from "presently/demo";

const command = fileURLToPath(new URL("../../packages/presently/bin/presently.js", import.meta.url));
const START_TIMEOUT_MS = 30_000;

/** How to start. */
export interface StartNodeOptions {
  /** Added to this process's environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A node that is up. */
export interface RunningNode {
  readonly name: string;
  /** Base URL of its HTTP API. */
  readonly url: string;
  /** Where other nodes reach it; 0 if it has no mesh. */
  readonly meshPort: number;
  readonly pid: number;
  /** Everything it printed so far. */
  readonly output: string;
  /** Leaves gracefully (SIGTERM); gives the exit code. */
  stop(): Promise<number | null>;
  /** Crashes (SIGKILL); settles when the process is gone. */
  kill(): Promise<void>;
  /** Freezes it (SIGSTOP), until `resume`. */
  pause(): void;
  resume(): void;
}

/** What a command printed and how it ended. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `presently start` with these words, and settles when it says that it is up.
 *
 * @throws with all it printed, when it ends first or takes longer than 30 s
 */
export async function startNode(
  words: readonly string[],
  options: StartNodeOptions = {},
): Promise<RunningNode> {
  const child = spawnCommand(["start", ...words], options);
  let output = "";
  const up = new Promise<RegExpExecArray>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not up in time: ${output}`)), START_TIMEOUT_MS);
    const read = (chunk: string) => {
      output += chunk;
      const line = /presently (\S+) is up:(?: mesh (\S+?:(\d+)))?(?: http ([^\s"]+))?/.exec(output);
      if (line === null || !output.slice(line.index).includes("\n")) return;
      clearTimeout(timer);
      resolve(line);
    };
    for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding("utf8").on("data", read);
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`ended with code ${code} before it was up: ${output}`));
    });
  });
  try {
    const line = await up;
    return runningNode(child, line, () => output);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

/** Runs any `presently` command to its end. */
export async function runCommand(
  words: readonly string[],
  options: StartNodeOptions = {},
): Promise<Finished> {
  const child = spawnCommand(words, options);
  let [stdout, stderr] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** Starts any `presently` command and leaves it to the caller, who ends it. */
export function spawnCommand(
  words: readonly string[],
  { environment = {} }: StartNodeOptions = {},
): ChildProcess {
  const { PRESENTLY_SECRET: _, ...inherited } = process.env;
  return spawn(process.execPath, [command, ...words], {
    env: { ...inherited, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/**
 * A port on loopback where nobody listens. Needed where a port must be known before the process runs, or after it ended:
 * it is none of those that the system gives to outgoing connections and to who listens on any free port, or one of the
 * many sockets of a test would take it in between.
 */
export async function freePort(): Promise<number> {
  return await ports.choose();
}

/** Test files that run at the same time, each in a worker of its own, must not take each other's ports. */
const PORTS_EACH = 3_000;
const from = 20_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 4) * PORTS_EACH;
const ports = new PortChooser({ from, below: from + PORTS_EACH });

function runningNode(child: ChildProcess, line: RegExpExecArray, output: () => string): RunningNode {
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, "exit");
    child.kill(signal);
    // A frozen process takes no signal but SIGKILL before it goes on.
    child.kill("SIGCONT");
    await exited;
    return child.exitCode;
  };
  return {
    name: line[1]!,
    url: line[4] ?? "",
    meshPort: Number(line[3] ?? 0),
    pid: child.pid!,
    get output() {
      return output();
    },
    stop: () => end("SIGTERM"),
    kill: async () => void (await end("SIGKILL")),
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}
