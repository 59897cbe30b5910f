/** `presently start --faye`: a Faye server at the node's HTTP address. */
import type { PresentlyNode } from "../node.ts";
import type { Extension } from "./extension.ts";
import { UsageError } from "./failure.ts";
import { load } from "./load-package.ts";
import type { OriginSettings } from "./origin-flag.ts";

/** What is used of `@presently/faye`. It depends on this package, so that its types are not to be had here. */
interface FayePackage {
  serveEndpoint(
    node: PresentlyNode,
    options: OriginSettings & {
      readonly faye: unknown;
      readonly path: string;
      readonly onNotice: (notice: { level: "error" | "warn" | "debug"; message: string }) => void;
    },
  ): unknown;
}

/**
 * The path that the flags ask for; undefined if they ask for none.
 *
 * @throws {UsageError} for flags that cannot be used together
 */
export function checkFaye(flags: Readonly<Record<string, unknown>>): string | undefined {
  const { faye: path, phoenix, http } = flags;
  if (path === undefined) return undefined;
  if (typeof path !== "string" || !/^(\/[\w.-]+)+$/.test(path))
    throw new UsageError(`--faye ${JSON.stringify(path)} must be a path: write /bayeux`);
  if (path === phoenix) throw new UsageError(`--faye and --phoenix cannot both be served at ${path}`);
  if (http === false) throw new UsageError("--faye is served at the HTTP address: leave --no-http out");
  return path;
}

/**
 * @throws {UsageError} for flags that cannot be used together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadFaye(
  flags: Readonly<Record<string, unknown>>,
  origins: OriginSettings,
): Promise<readonly Extension[]> {
  const path = checkFaye(flags);
  if (path === undefined) return [];
  const plugIn = (await load("@presently/faye", "--faye")) as FayePackage;
  const faye = ((await load("faye", "--faye")) as { default: unknown }).default;
  return [
    (node, log) => {
      plugIn.serveEndpoint(node, {
        faye,
        path,
        ...origins,
        onNotice: ({ level, message, ...facts }) => log[level](facts, `faye: ${message}`),
      });
    },
  ];
}
