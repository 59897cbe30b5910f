/** A NATS server of its own for a test. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./processes.ts";
import { pathOf } from "./programs.ts";

export class NatsServer {
  readonly port: number;
  readonly #words: readonly string[];
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, words: readonly string[], folder: string) {
    this.port = port;
    this.#words = words;
    this.#folder = folder;
  }

  /** @param config further lines of its configuration file; @throws when it is not installed */
  static async start(config = "", words: readonly string[] = []): Promise<NatsServer> {
    const folder = await mkdtemp(join(tmpdir(), "presently-nats-"));
    await writeFile(join(folder, "config"), config);
    const port = await freePort();
    const own = ["--addr", "127.0.0.1", "--port", String(port), "--config", join(folder, "config")];
    const server = new NatsServer(port, [...own, ...words], folder);
    await server.restart();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Runs it, again, at the same address. */
  async restart(): Promise<void> {
    const executable = pathOf("nats-server");
    await this.kill();
    const child = spawn(executable, this.#words, { stdio: "ignore" });
    this.#child = child;
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`nats-server ended with code ${child.exitCode}`);
        const socket = connect(this.port, "127.0.0.1");
        await once(socket, "connect");
        socket.destroy();
      },
      { timeoutMs: 20_000 },
    );
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true });
  }
}
