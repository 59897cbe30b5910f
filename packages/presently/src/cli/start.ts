/** `presently start`: one node, until it is told to stop. */
import { constants } from "node:os";
import type { Command } from "commander";
import type { ReadyAccess } from "../access/create-access.ts";
import { resolveConfig } from "../config.ts";
import { createLogger, type Log } from "../logger.ts";
import { createNode, type PresentlyNode } from "../node.ts";
import { renewTokens } from "./access-renewal.ts";
import { addExtensionOptions, loadExtensions } from "./extensions.ts";
import { CommandError } from "./failure.ts";
import { addNatsOptions, loadNats } from "./nats-flags.ts";
import { outliveReader } from "./output.ts";
import { readableLine } from "./readable-line.ts";
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

/** Runs a node until it has stopped. */
async function start(given: Record<string, unknown>): Promise<void> {
  outliveReader();
  const { options: configured, naming, tlsFiles, flags } = readStartOptions(given, process.env);
  const transport = await loadNats(flags);
  const extensions = await loadExtensions(flags, configured.http?.host);
  const options = transport === undefined ? configured : { ...configured, transport };
  const { name, logLevel } = resolveConfig(options, naming);
  const form = process.stdout.isTTY === true ? { form: readableLine } : {};
  const log = createLogger({ level: logLevel, base: { node: name }, ...form });
  const starting = createNode({ ...options, log });
  // From here on a signal means "leave", also when it comes while the node is still starting.
  stopOnSignals(stopper(starting, log), log);
  const node = await starting;
  for (const extend of extensions) extend(node, log);
  renewCertificates(node, tlsFiles, () => readStartOptions(given, process.env).options.mesh?.tls, log);
  if (typeof flags.accessTokensFile === "string")
    renewTokens(node, node.access as ReadyAccess, flags.accessTokensFile, log);
  log.info({ mesh: node.meshUrl, http: node.httpUrl }, upLine(node));
  if ((await node.whenStopped) === "superseded")
    throw new CommandError(
      `another process runs under the name ${node.name}: give each node a name of its own`,
    );
}

/** The one line that whoever starts nodes waits for. */
function upLine({ name, meshUrl, httpUrl }: PresentlyNode): string {
  const mesh = meshUrl === undefined ? "" : ` mesh ${meshUrl}`;
  const http = httpUrl === undefined ? "" : ` http ${httpUrl}`;
  return `presently ${name} is up:${mesh}${http}`;
}

/** Stops the node, now or as soon as it has started. */
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

function stopOnSignals(stop: () => Promise<void>, log: Log): void {
  let stopping = false;
  // SIGHUP: the terminal was closed.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
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
