/** `presently start --processes N`, in the process that supervises: it serves nobody itself, and only hands out connections. */
import cluster, { type Worker } from "node:cluster";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, type Log } from "../../logger.ts";
import type { NodeConfig } from "../../node-options.ts";
import { CommandError } from "../failure.ts";
import { type FromWorker, SLOT_VARIABLE } from "./messages.ts";
import { nameOfSlot } from "./orders.ts";
import type { WorkerProcess } from "./seat.ts";
import { type GroupEnd, Supervisor } from "./supervisor.ts";

/**
 * Runs a group until it is told to stop. The processes get the command line of this one.
 *
 * @throws {CommandError} when a process cannot run
 */
export async function runGroup(config: NodeConfig, processes: number): Promise<void> {
  const { name, logLevel } = config;
  const log = createLogger({ level: logLevel, base: { node: name }, pretty: process.stdout.isTTY === true });
  const directory = mkdtempSync(join(tmpdir(), "presently-"));
  try {
    cluster.schedulingPolicy = cluster.SCHED_RR;
    const supervisor = new Supervisor({
      processes,
      nameOf: (slot) => nameOfSlot(name, slot),
      fork: (slot) => processOf(cluster.fork({ [SLOT_VARIABLE]: String(slot) }), log),
      directory,
      secret: randomBytes(32).toString("hex"),
      log,
    });
    stopOnSignals(supervisor, log);
    await supervisor.start();
    if (supervisor.up)
      log.info(
        { http: supervisor.httpUrl, processes },
        `presently ${name} is up: http ${supervisor.httpUrl} (${processes} processes)`,
      );
    const end = await supervisor.whenEnded;
    log.info({}, `presently ${name} has stopped`);
    refuseFailure(end);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function refuseFailure(end: GroupEnd): void {
  if (end.why === "superseded")
    throw new CommandError(
      `another process runs under the name ${end.name}: give each node a name of its own`,
    );
  if (end.why === "failed")
    throw new CommandError(`process ${end.name} cannot be started: its own lines say why`);
}

/** What Node.js sends to a process of a cluster, as far as it is looked at here. */
interface ClusterMessage {
  readonly act?: string;
  readonly seq?: number;
  readonly ack?: number;
}

/**
 * Closes connections that were being handed to a process when it died. Node.js (20.20 at least) waits for the process to accept
 * them, for ever, and so would the client.
 */
function closeUnaccepted({ process: child }: Worker): void {
  const handed = new Map<number, { close(): void }>();
  const send = child.send.bind(child) as (...all: unknown[]) => boolean;
  child.send = ((message: ClusterMessage, handle?: { close(): void }, ...others: unknown[]) => {
    if (message.act === "newconn" && message.seq !== undefined && handle !== undefined)
      handed.set(message.seq, handle);
    return send(message, handle, ...others);
  }) as typeof child.send;
  child.on("internalMessage" as "message", (message: ClusterMessage) => {
    if (message.ack !== undefined) handed.delete(message.ack);
  });
  child.once("exit", () => {
    for (const handle of handed.values()) handle.close();
    handed.clear();
  });
}

function processOf(worker: Worker, log: Log): WorkerProcess {
  closeUnaccepted(worker);
  // What is sent to a process that has just ended goes nowhere, and its end is told by `exit`.
  worker.on("error", (error) => log.debug({ error }, "a process was not reached"));
  return {
    pid: worker.process.pid,
    send: (message) => {
      if (worker.isConnected()) worker.send(message);
    },
    kill: (signal) => void worker.process.kill(signal),
    onMessage: (listener) => void worker.on("message", (message: FromWorker) => listener(message)),
    onExit: (listener) =>
      void worker.on("exit", (code: number | null, signal: string | null) => listener(code, signal)),
  };
}

function stopOnSignals(supervisor: Supervisor, log: Log): void {
  let stopping = false;
  // SIGHUP: the terminal was closed.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping) {
        log.warn({ signal }, `${signal} again: ending at once`);
        supervisor.kill();
        process.exit(128 + constants.signals[signal]);
      }
      stopping = true;
      log.info({ signal }, `${signal}: leaving the cluster; a second one ends all processes at once`);
      void supervisor.stop();
    });
  }
}
