/** What each process of a group is started with: its name, its place in the mesh, and whom it links with first. */
import { availableParallelism } from "node:os";
import { formatHostAndPort, isLoopback } from "../../address.ts";
import { type OptionNaming, resolveConfig } from "../../config.ts";
import type { NodeConfig, NodeOptions } from "../../node-options.ts";
import { PROCESSES_MAX } from "../command-table.ts";
import { UsageError } from "../failure.ts";
import type { Slot } from "./affinity.ts";
import type { Orders } from "./messages.ts";

/** How many processes are asked for; undefined for one that is not supervised. @throws {UsageError} */
export function processesIn(flags: Readonly<Record<string, unknown>>): number | undefined {
  const { processes } = flags;
  if (processes === undefined) return undefined;
  if (processes === "auto") return availableParallelism();
  const count = Number(processes);
  if (Number.isInteger(count) && count >= 1 && count <= PROCESSES_MAX) return count;
  throw new UsageError(
    `--processes ${JSON.stringify(processes)} must be a whole number from 1 to ${PROCESSES_MAX}, or auto`,
  );
}

/** `shop-1`, `shop-2` … */
export function nameOfSlot(name: string, slot: Slot): string {
  return `${name}-${slot}`;
}

/**
 * The options of one process of a group: those that it was told, but for its name, its mesh port, which grows by one from
 * process to process, and its peers, which are those of all and the processes that are up. Without a mesh the group has one
 * on loopback, on free ports.
 */
export function optionsOfSlot(options: NodeOptions, { slot, siblings, secret }: Orders): NodeOptions {
  const name = nameOfSlot(options.name, slot);
  if (options.transport !== undefined) return { ...options, name };
  const { mesh } = options;
  const keys = { secret: options.secret ?? secret };
  if (mesh === undefined)
    return { ...options, ...keys, name, mesh: { host: "127.0.0.1", port: 0, peers: siblings } };
  const { port, advertise, peers = [] } = mesh;
  return {
    ...options,
    // A mesh that was configured without a secret links with others that have none.
    name,
    mesh: {
      ...mesh,
      port: port === 0 ? 0 : port + slot - 1,
      peers: [...peers, ...siblings],
      ...(advertise === undefined ? {} : { advertise: shifted(advertise, slot) }),
    },
  };
}

/**
 * Refuses what a group cannot be started with, before anything is.
 *
 * @throws {UsageError} and what `resolveConfig` throws
 */
export function checkGroup(
  config: NodeConfig,
  options: NodeOptions,
  processes: number,
  naming: OptionNaming,
): void {
  const { mesh, http } = config;
  if (http === undefined)
    throw new UsageError("--processes is for an HTTP address that they share: leave --no-http out");
  if (mesh !== undefined) {
    const last = mesh.port + processes - 1;
    if (mesh.port !== 0 && last > 65_535)
      throw new UsageError(
        `--processes ${processes} takes the mesh ports ${mesh.port} to ${last}: there are 65535`,
      );
    if (mesh.port !== 0 && mesh.host === http.host && http.port >= mesh.port && http.port <= last)
      throw new UsageError(
        `--processes ${processes} takes the mesh ports ${mesh.port} to ${last}, and ${naming("http.port")} is one of them`,
      );
    if (mesh.advertise === undefined && !isLoopback(mesh.host) && isWildcard(mesh.host))
      throw new UsageError(
        `--processes needs --advertise with a mesh on ${formatHostAndPort(mesh)}: the processes know each other by the address ` +
          "that other machines reach them at, for example --advertise ws://10.0.0.1:7001 for the first of them",
      );
  }
  const orders = { slot: processes, processes, siblings: [], directory: "", secret: "any" };
  resolveConfig(optionsOfSlot(options, orders), naming);
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function shifted(address: string, slot: Slot): string {
  const url = new URL(address);
  const port = url.port === "" ? (url.protocol === "wss:" ? 443 : 80) : Number(url.port);
  url.port = String(port + slot - 1);
  return url.href.replace(/\/$/, "");
}
