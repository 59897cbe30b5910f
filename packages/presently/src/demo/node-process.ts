/** One node of the demo as an operating-system process that can be killed, paused and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NodeStartError } from "./errors.ts";

/** `running` once it answers HTTP. A node that was killed, stopped, or crashed is `stopped`. */
export type NodeProcessState = "starting" | "running" | "paused" | "stopped";

export interface NodeProcessOptions {
  readonly name: string;
  readonly httpPort: number;
  /** What follows `presently` on the command line. */
  readonly arguments: readonly string[];
  /** Added to this process's own environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Told every line that the node prints. */
  readonly onOutput: (line: string) => void;
  /** Told when the process ended though nobody here asked it to. */
  readonly onCrash: (explanation: string) => void;
}

const LINES_KEPT = 20;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 50;

export class NodeProcess {
  readonly name: string;
  readonly url: string;
  readonly #options: NodeProcessOptions;
  readonly #lastLines: string[] = [];
  #child: ChildProcess | undefined;
  #state: NodeProcessState = "stopped";
  #starting: Promise<void> | undefined;
  /** Settles when the process that was ended last is gone, and its ports with it. */
  #gone: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: NodeProcessOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = `http://127.0.0.1:${options.httpPort}`;
  }

  get state(): NodeProcessState {
    return this.#state;
  }

  /** The operating system's number of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it unless it runs; settles when it answers. @throws {NodeStartError} when it ends first, or takes over 30 s. */
  start(): Promise<void> {
    if (this.#starting === undefined) {
      const starting = this.#spawn().finally(() => {
        if (this.#starting === starting) this.#starting = undefined;
      });
      this.#starting = starting;
    }
    return this.#starting;
  }

  /** Ends it without any warning to it or its peers, as a crash does; settles when the process is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to leave gracefully; one that has not within 10 s is killed. Settles when the process is gone. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** As `stop`, and for good: whoever starts it later, or is doing so, gets an error. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.stop();
  }

  /** Freezes the process: its sockets stay open and say nothing. */
  pause(): void {
    if (this.#state !== "running") return;
    this.#child?.kill("SIGSTOP");
    this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#child?.kill("SIGCONT");
    this.#state = "running";
  }

  async #spawn(): Promise<void> {
    await this.#gone;
    if (this.#closed) throw new NodeStartError(this.name, "belongs to a demo that has ended", []);
    if (this.#child !== undefined) return;
    this.#lastLines.length = 0;
    // The same two places, seen from `src` and from `dist`.
    const command = fileURLToPath(new URL("../../bin/presently.js", import.meta.url));
    const followParent = new URL("../../dist/demo/follow-parent.js", import.meta.url).href;
    const child = spawn(process.execPath, ["--import", followParent, command, ...this.#options.arguments], {
      env: { ...process.env, ...this.#options.environment },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // A process group of its own, so that Ctrl-C in the terminal reaches the supervisor only, which then stops each
      // node once, in order.
      detached: true,
    });
    this.#child = child;
    this.#state = "starting";
    this.#read(child.stdout);
    this.#read(child.stderr);
    child.once("exit", (code, signal) => this.#exited(child, signal ?? `code ${code}`));
    child.once("error", (error) => this.#exited(child, error.message));
    await this.#answered(child);
  }

  async #answered(child: ChildProcess): Promise<void> {
    const giveUpMs = performance.now() + START_TIMEOUT_MS;
    while (this.#child === child) {
      if (await answersHealthily(this.url)) {
        if (this.#child === child) this.#state = "running";
        return;
      }
      if (performance.now() > giveUpMs) {
        await this.kill();
        throw new NodeStartError(this.name, `did not answer within ${START_TIMEOUT_MS} ms`, this.#lastLines);
      }
      await pause(POLL_INTERVAL_MS);
    }
    throw new NodeStartError(this.name, "ended before it answered", this.#lastLines);
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child !== undefined) {
      // Forgetting it first is what tells an end that was asked for from a crash.
      this.#child = undefined;
      this.#starting = undefined;
      this.#state = "stopped";
      this.#gone = endProcess(child, signal);
    }
    await this.#gone;
  }

  #exited(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    const whileStarting = this.#state === "starting";
    this.#child = undefined;
    this.#state = "stopped";
    // While it starts, whoever awaits `start` is told.
    if (!whileStarting) this.#options.onCrash([`ended by itself (${how})`, ...this.#lastLines].join("\n  "));
  }

  #read(stream: Readable | null): void {
    if (stream === null) return;
    createInterface({ input: stream }).on("line", (line) => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > LINES_KEPT) this.#lastLines.shift();
      this.#options.onOutput(line);
    });
  }
}

async function endProcess(child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  // A paused process hears of no other signal than SIGKILL until it goes on.
  child.kill("SIGCONT");
  const deadline = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await gone;
  clearTimeout(deadline);
}

async function answersHealthily(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // Not listening yet, or not answering: both mean "ask again", which the caller does until its own deadline.
    return false;
  }
}
