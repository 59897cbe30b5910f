/** `presently start --phoenix`: clients of phoenix.js at the node's HTTP address. */
import { jwtVerifier } from "../access/json-web-token.ts";
import type { PresentlyNode } from "../node.ts";
import type { Extension } from "./extension.ts";
import { UsageError } from "./failure.ts";
import { load } from "./load-package.ts";
import type { OriginSettings } from "./origin-flag.ts";
import { inUse, readSecretFile } from "./secret-file.ts";

/** What is used of `@presently/phoenix`. It depends on this package, so that its types are not to be had here. */
interface PhoenixPackage {
  serveEndpoint(
    node: PresentlyNode,
    options: OriginSettings & {
      readonly path: string;
      readonly key?: string;
      readonly tokenSecret?: string;
      readonly onNotice: (notice: { level: "error" | "warn" | "debug"; message: string }) => void;
    },
  ): unknown;
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
  // Found wrong now rather than when the node is up; `config check` finds it, too.
  if (tokenSecret !== undefined)
    inUse("--phoenix-token-secret-file", file, () => jwtVerifier({ secret: tokenSecret }));
  return { path, key: key === undefined ? undefined : String(key), tokenSecret };
}

/**
 * @throws {UsageError} for flags that cannot be used, alone or together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadPhoenix(
  flags: Readonly<Record<string, unknown>>,
  origins: OriginSettings,
): Promise<readonly Extension[]> {
  const settings = checkPhoenix(flags);
  if (settings === undefined) return [];
  const { path, key, tokenSecret } = settings;
  const phoenix = (await load("@presently/phoenix", "--phoenix")) as PhoenixPackage;
  return [
    (node, log) => {
      phoenix.serveEndpoint(node, {
        path,
        ...origins,
        ...(key === undefined ? {} : { key }),
        ...(tokenSecret === undefined ? {} : { tokenSecret }),
        onNotice: ({ level, message, ...facts }) => log[level](facts, `phoenix: ${message}`),
      });
    },
  ];
}
