/** A Redis server of our own, on loopback, that writes nothing to disk. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

export class RedisServer {
  readonly port: number;
  readonly #child: ChildProcess;

  /** Settles when it takes connections. */
  static async start(): Promise<RedisServer> {
    const port = await freePort();
    const child = spawn(
      "redis-server",
      [
        "--port",
        `${port}`,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--loglevel",
        "notice",
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let output = "";
    await new Promise<void>((resolve, reject) => {
      child.on("error", (cause) =>
        reject(new Error("redis-server does not start; on Debian: apt-get install redis-server", { cause })),
      );
      child.on("exit", (code) => reject(new Error(`redis-server ended with code ${code}: ${output}`)));
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
        if (output.includes("Ready to accept connections")) resolve();
      });
    });
    return new RedisServer(port, child);
  }

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
    child.removeAllListeners("exit");
    process.on("exit", () => child.kill("SIGKILL"));
    // A process that a signal ends has no "exit".
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
