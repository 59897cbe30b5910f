/** A TypeScript file of the tests as a process of its own: it is given one JSON word, and prints `up` when it is. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const START_TIMEOUT_MS = 30_000;

export interface ScriptProcess {
  /** Freezes it, or lets it go on. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Ends it and settles when it is gone. */
  end(name?: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** @throws with what it printed, when it ends first or takes longer than 30 s */
export async function startScript(script: string, options: unknown): Promise<ScriptProcess> {
  const words = ["--import", tsx, script, JSON.stringify(options)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await isUp(child);
  } catch (error) {
    await end(child, "SIGKILL");
    throw error;
  }
  return {
    signal: (name) => void child.kill(name),
    end: (name = "SIGKILL") => end(child, name),
  };
}

function isUp(child: ChildProcess): Promise<void> {
  let output = "";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not up in time: ${output}`)), START_TIMEOUT_MS);
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (!/^up$/m.test(output)) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`ended with code ${code} before it was up: ${output}`));
    });
  });
}

async function end(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(name);
  // A frozen process takes no signal but SIGKILL before it goes on.
  child.kill("SIGCONT");
  await ended;
}
