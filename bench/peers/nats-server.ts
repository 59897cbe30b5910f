/** A NATS server of our own, on loopback. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { delimiter } from "node:path";

/** Linux counts the time of processes in hundredths of a second. */
const TICK_MS = 10;

export class NatsServer {
  readonly url: string;
  readonly #child: ChildProcess;

  /** Settles when it takes connections, on a port that it chose. */
  static async start(): Promise<NatsServer> {
    const words = ["--addr", "127.0.0.1", "--port", "-1"];
    // Debian has it where only its system looks.
    const path = [process.env.PATH ?? "", "/usr/sbin"].join(delimiter);
    const child = spawn("nats-server", words, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, PATH: path },
    });
    const port = await new Promise<string>((resolve, reject) => {
      let output = "";
      child.on("error", (cause) =>
        reject(new Error("nats-server does not start; on Debian: apt-get install nats-server", { cause })),
      );
      child.on("exit", (code) => reject(new Error(`nats-server ended with code ${code}: ${output}`)));
      child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
        const found = /client connections on 127\.0\.0\.1:(\d+)/.exec(output);
        if (found !== null && output.includes("Server is ready")) resolve(found[1]!);
      });
    });
    return new NatsServer(`nats://127.0.0.1:${port}`, child);
  }

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
    child.removeAllListeners("exit");
    process.on("exit", () => child.kill("SIGKILL"));
    // A process that a signal ends has no "exit".
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  }

  /** Time of a processor that it has taken so far, in milliseconds; nothing where the system does not say so in Linux' way. */
  get cpuMs(): number | undefined {
    try {
      const fields = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}
