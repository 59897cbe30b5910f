/** What `presently start` serves besides the API: the drop-ins, which are packages of their own and are loaded when asked for. */
import type { Command } from "commander";
import type { Log } from "../logger.ts";
import type { PresentlyNode } from "../node.ts";
import { checkAnyCable, loadAnyCable } from "./anycable-extension.ts";
import { extensionTable } from "./command-table.ts";
import { UsageError } from "./failure.ts";
import { checkFaye, loadFaye } from "./faye-extension.ts";
import { load } from "./load-package.ts";
import { addFlags } from "./option-flags.ts";
import type { ServedPaths } from "./processes/worker.ts";
import { readSecretFile } from "./secret-file.ts";
import { loadWebhooks } from "./webhook-extension.ts";

/** Begins to serve at the HTTP server of a node that has started. */
export type Extension = (node: PresentlyNode, log: Log) => void;

/** What is used of `@presently/phoenix`. It depends on this package, so that its types are not to be had here. */
interface PhoenixPackage {
  serveEndpoint(
    node: PresentlyNode,
    options: {
      readonly path: string;
      readonly key?: string;
      readonly tokenSecret?: string;
      readonly onNotice: (notice: Notice) => void;
    },
  ): unknown;
  tokenVerifier(secret: string): unknown;
}

interface Notice {
  readonly level: "error" | "warn" | "debug";
  readonly message: string;
}

/** Adds the options of all of them. */
export function addExtensionOptions(command: Command): void {
  addFlags(command, extensionTable);
}

/**
 * Looks at the flags of all of them without loading anything.
 *
 * @throws {UsageError} for flags that cannot be used, alone or together
 */
export function checkExtensions(flags: Readonly<Record<string, unknown>>): void {
  for (const check of [loadWebhooks, checkFaye, checkAnyCable, checkPhoenix]) check(flags);
}

/** Where clients find those whose requests belong to one process of several. */
export function servedPaths({ phoenix, faye }: Readonly<Record<string, unknown>>): ServedPaths {
  return {
    phoenix: typeof phoenix === "string" ? phoenix : undefined,
    faye: typeof faye === "string" ? faye : undefined,
  };
}

/**
 * Loads what the flags ask for.
 *
 * @throws {UsageError} for flags that cannot be used, alone or together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadExtensions(
  flags: Readonly<Record<string, unknown>>,
): Promise<readonly Extension[]> {
  return [
    ...loadWebhooks(flags),
    ...(await loadFaye(flags)),
    ...(await loadAnyCable(flags)),
    ...(await loadPhoenix(flags)),
  ];
}

/** What the flags ask for. */
interface PhoenixSettings {
  readonly path: string;
  readonly key: string | undefined;
  readonly tokenSecret: string | undefined;
}

/**
 * Gives what the flags ask for; undefined if they do not ask for it.
 *
 * @throws {UsageError} for flags that cannot be used, alone or together
 */
export function checkPhoenix(flags: Readonly<Record<string, unknown>>): PhoenixSettings | undefined {
  const { phoenix: path, phoenixKey: key, phoenixTokenSecretFile: file, http } = flags;
  if (path === undefined) {
    for (const [flag, value] of Object.entries({ "--phoenix-key": key, "--phoenix-token-secret-file": file }))
      if (value !== undefined) throw new UsageError(`${flag} needs --phoenix, for example --phoenix /socket`);
    return undefined;
  }
  if (typeof path !== "string" || !path.startsWith("/"))
    throw new UsageError(`--phoenix ${JSON.stringify(path)} must begin with a slash: write /socket`);
  if (http === false) throw new UsageError("--phoenix is served at the HTTP address: leave --no-http out");
  const tokenSecret =
    file === undefined ? undefined : readSecretFile(String(file), "--phoenix-token-secret-file");
  return { path, key: key === undefined ? undefined : String(key), tokenSecret };
}

async function loadPhoenix(flags: Readonly<Record<string, unknown>>): Promise<readonly Extension[]> {
  const settings = checkPhoenix(flags);
  if (settings === undefined) return [];
  const { path, key, tokenSecret } = settings;
  const phoenix = (await load("@presently/phoenix", "--phoenix")) as PhoenixPackage;
  // Found wrong now rather than when the node is up.
  if (tokenSecret !== undefined) phoenix.tokenVerifier(tokenSecret);
  return [
    (node, log) => {
      phoenix.serveEndpoint(node, {
        path,
        ...(key === undefined ? {} : { key }),
        ...(tokenSecret === undefined ? {} : { tokenSecret }),
        onNotice: ({ level, message, ...facts }) => log[level](facts, `phoenix: ${message}`),
      });
    },
  ];
}
