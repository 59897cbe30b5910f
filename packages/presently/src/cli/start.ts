/** `presently start`: one node, until it is told to stop. */
import { constants } from "node:os";
import type { Command } from "commander";
import type { ReadyAccess } from "../access/create-access.ts";
import { resolveConfig } from "../config.ts";
import { createLogger, type Log } from "../logger.ts";
import { createNode, type PresentlyNode } from "../node.ts";
import type { NodeConfig } from "../node-options.ts";
import { renewTokens } from "./access-renewal.ts";
import { addExtensionOptions, checkExtensions, loadExtensions, servedPaths } from "./extensions.ts";
import { CommandError, EXIT, endingOf } from "./failure.ts";
import { addNatsOptions, loadNats } from "./nats-flags.ts";
import { outliveReader } from "./output.ts";
import { runGroup } from "./processes/group.ts";
import { checkGroup, optionsOfSlot, processesIn } from "./processes/orders.ts";
import { isGroupMember, Membership } from "./processes/worker.ts";
import { renewCertificates } from "./renew-certificates.ts";
import { addStartOptions, readStartOptions } from "./start-options.ts";

/** Adds the command. */
export function addStartCommand(program: Command): void {
  const command = program
    .command("start")
    .description("run a node")
    .addHelpText(
      "after",
      "\nThe secret that all nodes share comes from PRESENTLY_SECRET or --secret-file.\n" +
        "SIGTERM and SIGINT leave gracefully; a second one ends the process at once.",
    );
  addStartOptions(command);
  addNatsOptions(command);
  addExtensionOptions(command);
  command.action((flags: Record<string, unknown>) => start(flags));
}

async function start(given: Record<string, unknown>): Promise<void> {
  outliveReader();
  if (isGroupMember()) {
    await endingWith(() => serve(given, () => Membership.begin()));
    return;
  }
  const { options, naming, flags } = readStartOptions(given, process.env);
  const processes = processesIn(flags);
  if (processes === undefined) {
    await serve(given);
    return;
  }
  const transport = await loadNats(flags);
  const all = transport === undefined ? options : { ...options, transport };
  const config = resolveConfig(all, naming);
  checkGroup(config, all, processes, naming);
  // What is wrong with flags is found here, once, and not in each of the processes.
  checkExtensions(flags, config.http?.host);
  await runGroup(config, processes);
}

/**
 * Runs a node until it has stopped.
 *
 * @param enrol makes it one of a group, when everything is loaded: processes load at the same time, and enter in turn
 */
async function serve(given: Record<string, unknown>, enrol?: () => Promise<Membership>): Promise<void> {
  const { options: configured, naming, tlsFiles, flags } = readStartOptions(given, process.env);
  const transport = await loadNats(flags);
  const extensions = await loadExtensions(flags, configured.http?.host);
  const asked = transport === undefined ? configured : { ...configured, transport };
  const membership = await enrol?.();
  const options = membership === undefined ? asked : optionsOfSlot(asked, membership.orders);
  const config = resolveConfig(options, naming);
  const log = logOf(config, membership !== undefined);
  const starting = createNode({ ...options, log });
  // From here on a signal means "leave", also when it comes while the node is still starting.
  const stop = stopper(starting, log);
  stopOnSignals(membership === undefined ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGTERM"], stop, log);
  const node = await starting;
  membership?.join(node, config, servedPaths(flags));
  for (const extend of extensions) extend(node, log);
  renewCertificates(node, tlsFiles, () => readStartOptions(given, process.env).options.mesh?.tls, log);
  if (typeof flags.accessTokensFile === "string")
    renewTokens(node, node.access as ReadyAccess, flags.accessTokensFile, log);
  if (membership === undefined) log.info({ mesh: node.meshUrl, http: node.httpUrl }, upLine(node));
  else {
    log.info({ mesh: node.meshUrl, pid: process.pid }, `process ${node.name} runs`);
    membership.announce(node);
    void membership.whenTold.then(() => stop());
  }
  if ((await node.whenStopped) === "superseded") {
    await membership?.announceSuperseded();
    throw new CommandError(
      `another process runs under the name ${node.name}: give each node a name of its own`,
    );
  }
}

/** A process of a group is held by its line to the supervisor, so it has to be ended. */
async function endingWith(work: () => Promise<void>): Promise<never> {
  try {
    await work();
    // What was to be done when it has stopped, a line in the log for one, is done first.
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    const { line, exitCode } = endingOf(error);
    if (line !== undefined) process.stderr.write(`${line}\n`);
    process.exit(exitCode);
  }
  process.exit(EXIT.ok);
}

/** What a person reads at a terminal leaves the node's name out; with several that would be a riddle. */
function logOf({ name, logLevel }: NodeConfig, isMember: boolean): Log {
  const pretty = process.stdout.isTTY === true;
  const log = createLogger({ level: logLevel, base: { node: name }, pretty });
  if (!pretty || !isMember) return log;
  const named = (level: "debug" | "info" | "warn" | "error") => (facts: object, message: string) =>
    log[level](facts, `${name}: ${message}`);
  return { debug: named("debug"), info: named("info"), warn: named("warn"), error: named("error") };
}

/** The one line that whoever starts nodes waits for. */
function upLine({ name, meshUrl, httpUrl }: PresentlyNode): string {
  const mesh = meshUrl === undefined ? "" : ` mesh ${meshUrl}`;
  const http = httpUrl === undefined ? "" : ` http ${httpUrl}`;
  return `presently ${name} is up:${mesh}${http}`;
}

/** Stops the node, now or as soon as it has started; without a signal it was told by the supervisor. */
function stopper(starting: Promise<PresentlyNode>, log: Log): () => Promise<void> {
  return async () => {
    const node = await starting;
    await node.drain().catch((error: unknown) => {
      log.error({ error: String(error) }, "clients could not be sent to other nodes: stopping without");
    });
    await node.stop();
    log.info({}, `presently ${node.name} has stopped`);
  };
}

function stopOnSignals(signals: readonly NodeJS.Signals[], stop: () => Promise<void>, log: Log): void {
  let stopping = false;
  // SIGHUP: the terminal was closed.
  for (const signal of signals) {
    process.on(signal, () => {
      if (stopping) {
        log.warn({ signal }, `${signal} again: ending at once`);
        process.exit(128 + constants.signals[signal]);
      }
      stopping = true;
      log.info({ signal }, `${signal}: leaving the cluster; a second one ends the process at once`);
      stop().catch((error: unknown) => {
        log.error({ error }, "stopping failed: ending at once");
        process.exit(1);
      });
    });
  }
}
