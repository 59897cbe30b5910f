/** A MariaDB server of its own for a test, in a folder that goes with it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { pathOf } from "./programs.ts";

export interface MariaDb {
  /** Where `root` is let in without a password, over this Unix socket only. */
  readonly socketPath: string;
  stop(): Promise<void>;
}

/** @throws when it is not installed */
export async function startMariaDb(): Promise<MariaDb> {
  const [server, installer] = [pathOf("mariadbd"), pathOf("mariadb-install-db")];
  const folder = await mkdtemp(join(tmpdir(), "presently-mariadb-"));
  const data = join(folder, "data");
  const socketPath = join(folder, "socket");
  const user = process.getuid?.() === 0 ? ["--user=root"] : [];
  await promisify(execFile)(installer, [
    "--no-defaults",
    `--datadir=${data}`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    ...user,
  ]);
  const options = [
    "--no-defaults",
    `--datadir=${data}`,
    `--socket=${socketPath}`,
    "--skip-networking",
    ...user,
  ];
  const child: ChildProcess = spawn(server, options, { stdio: "ignore" });
  await eventually(
    () => {
      if (child.exitCode !== null) throw new Error(`mariadbd ended with code ${child.exitCode}`);
      if (!existsSync(socketPath)) throw new Error("mariadbd does not listen yet");
    },
    { timeoutMs: 60_000 },
  );
  return {
    socketPath,
    stop: async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}
