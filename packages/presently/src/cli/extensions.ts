/** What `presently start` serves besides the API: the drop-ins, which are packages of their own and are loaded when asked for. */
import type { Command } from "commander";
import type { Log } from "../logger.ts";
import type { PresentlyNode } from "../node.ts";
import { addAnyCableOptions, loadAnyCable } from "./anycable-extension.ts";
import { UsageError } from "./failure.ts";
import { addFayeOptions, loadFaye } from "./faye-extension.ts";
import { load } from "./load-package.ts";
import { readSecretFile } from "./secret-file.ts";
import { addWebhookOptions, loadWebhooks } from "./webhook-extension.ts";

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
  command
    .option(
      "--phoenix <path>",
      "Serve clients of phoenix.js at this path of the HTTP address, /socket for example; needs the package " +
        "@presently/phoenix. (default: none)",
    )
    .option(
      "--phoenix-key <name>",
      "Connect parameter, or claim of the token, that names whoever connects. (default: user_id)",
    )
    .option(
      "--phoenix-token-secret-file <path>",
      "File with the secret (HS256) or the public key in PEM (RS256, ES256) that clients' tokens are signed with; " +
        "without it, clients say themselves who they are. (default: none)",
    );
  addFayeOptions(command);
  addAnyCableOptions(command);
  addWebhookOptions(command);
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

async function loadPhoenix(flags: Readonly<Record<string, unknown>>): Promise<readonly Extension[]> {
  const { phoenix: path, phoenixKey: key, phoenixTokenSecretFile: file, http } = flags;
  if (path === undefined) {
    for (const [flag, value] of Object.entries({ "--phoenix-key": key, "--phoenix-token-secret-file": file }))
      if (value !== undefined) throw new UsageError(`${flag} needs --phoenix, for example --phoenix /socket`);
    return [];
  }
  if (typeof path !== "string" || !path.startsWith("/"))
    throw new UsageError(`--phoenix ${JSON.stringify(path)} must begin with a slash: write /socket`);
  if (http === false) throw new UsageError("--phoenix is served at the HTTP address: leave --no-http out");
  const tokenSecret =
    file === undefined ? undefined : readSecretFile(String(file), "--phoenix-token-secret-file");
  const phoenix = (await load("@presently/phoenix", "--phoenix")) as PhoenixPackage;
  // Found wrong now rather than when the node is up.
  if (tokenSecret !== undefined) phoenix.tokenVerifier(tokenSecret);
  return [
    (node, log) => {
      phoenix.serveEndpoint(node, {
        path,
        ...(key === undefined ? {} : { key: String(key) }),
        ...(tokenSecret === undefined ? {} : { tokenSecret }),
        onNotice: ({ level, message, ...facts }) => log[level](facts, `phoenix: ${message}`),
      });
    },
  ];
}
