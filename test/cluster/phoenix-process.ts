/** Processes with a Phoenix socket each, that crash, freeze and start again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send, topicPath } from "../helpers/http.ts";
import { freePort } from "../helpers/processes.ts";
import type { PhoenixServerOptions } from "./phoenix-server.ts";

const script = fileURLToPath(new URL("./phoenix-server.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
/** One process: a node, its HTTP API, and the guide's socket. */
export class PhoenixProcess {
  readonly options: PhoenixServerOptions;
  #child: ChildProcess | undefined;

  constructor(options: PhoenixServerOptions) {
    this.options = options;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.options.phoenixPort}/socket`;
  }

  get runs(): boolean {
    return this.#child !== undefined;
  }

  /** Settles when it listens. */
  async start(): Promise<void> {
    const words = ["--import", tsx, script, JSON.stringify(this.options)];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    let output = "";
    child.stdout!.on("data", (chunk) => {
      output += chunk;
    });
    // It compiles what it runs: on a busy machine that takes its time.
    await eventually(
      () => {
        expect(child.exitCode).toBeNull();
        expect(output).toContain("up");
      },
      { timeoutMs: 60_000 },
    );
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  /** Ends it, by a crash or in good order; settles when it is gone. Nothing happens if it does not run. */
  async end(name: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGCONT");
    child.kill(name);
    await ended;
  }

  /** What this node believes of another one: up, suspect, down; undefined if it does not know it. */
  async status(name: string): Promise<string | undefined> {
    const { body } = await send(`http://127.0.0.1:${this.options.apiPort}`, "/api/cluster");
    return body.replicas.find(({ node }: { node: string }) => node === name)?.status;
  }

  /** Key → refs, as this node lists them. */
  async list(topic: string): Promise<Record<string, string[]>> {
    const { body, status } = await send(`http://127.0.0.1:${this.options.apiPort}`, topicPath(topic));
    expect(status).toBe(200);
    const refs: Record<string, string[]> = {};
    for (const key of Object.keys(body.presences).sort())
      refs[key] = body.presences[key].metas.map(({ ref }: { ref: string }) => ref).sort();
    return refs;
  }
}

/** As many processes as there are names, each of which has all the others as peers; not started yet. */
export async function phoenixProcesses(names: readonly string[]): Promise<PhoenixProcess[]> {
  const ports = await Promise.all(names.map(() => Promise.all([freePort(), freePort(), freePort()])));
  const peers = ports.map(([meshPort]) => `ws://127.0.0.1:${meshPort}`);
  return names.map((name, index) => {
    const [meshPort, apiPort, phoenixPort] = ports[index]!;
    return new PhoenixProcess({ name, meshPort, apiPort, phoenixPort, peers });
  });
}
