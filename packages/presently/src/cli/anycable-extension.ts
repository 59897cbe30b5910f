/** `presently start --anycable`: AnyCable's clients, and its REST API, at the node's HTTP address. */
import { isLoopback } from "../address.ts";
import type { PresentlyNode } from "../node.ts";
import type { Extension } from "./extension.ts";
import { UsageError } from "./failure.ts";
import { load } from "./load-package.ts";
import type { OriginSettings } from "./origin-flag.ts";
import { readSharedSecret } from "./secret-file.ts";

/** What is used of `@presently/anycable`. It depends on this package, so that its types are not to be had here. */
interface AnyCablePackage {
  serveEndpoint(
    node: PresentlyNode,
    options: OriginSettings & {
      readonly path: string;
      readonly secret?: string;
      readonly publicStreams: boolean;
      readonly noauth?: true;
      readonly onNotice: (notice: { level: "error" | "warn" | "debug"; message: string }) => void;
    },
  ): unknown;
}

/** Fewer bytes are for trying it out, with the short secret of an application that is there. */
const SECRET_BYTES_MIN = 32;

/** What the flags ask for. */
interface AnyCableSettings {
  readonly path: string;
  readonly isPublic: boolean;
  readonly noauth: boolean;
  readonly secret: string | undefined;
}

/**
 * Gives what the flags ask for; undefined if they do not ask for it.
 *
 * @param httpHost where the HTTP server is to listen, as far as it is known
 * @throws {UsageError} for flags that cannot be used, alone or together
 */
export function checkAnyCable(
  flags: Readonly<Record<string, unknown>>,
  httpHost?: string,
): AnyCableSettings | undefined {
  const { anycable: path, anycablePublic: isPublic = false, anycableSecretFile: file, http } = flags;
  const { anycableNoauth: noauth = false } = flags;
  if (path === undefined) {
    for (const [flag, value] of [
      ["--anycable-public", isPublic || undefined],
      ["--anycable-noauth", noauth || undefined],
      ["--anycable-secret-file", file],
    ])
      if (value !== undefined)
        throw new UsageError(`${flag} needs --anycable, for example --anycable /cable`);
    return undefined;
  }
  if (typeof path !== "string" || !/^(\/[\w.-]+)+$/.test(path))
    throw new UsageError(`--anycable ${JSON.stringify(path)} must be a path: write /cable`);
  for (const other of ["phoenix", "faye"])
    if (path === flags[other])
      throw new UsageError(`--anycable and --${other} cannot both be served at ${path}`);
  if (http === false) throw new UsageError("--anycable is served at the HTTP address: leave --no-http out");
  if (!isPublic && file === undefined)
    throw new UsageError(
      "--anycable needs --anycable-secret-file, or --anycable-public: nobody could subscribe to anything without",
    );
  const bytesMin = httpHost === undefined || isLoopback(httpHost) ? 1 : SECRET_BYTES_MIN;
  const secret =
    file === undefined ? undefined : readSharedSecret(String(file), "--anycable-secret-file", bytesMin);
  return { path, isPublic: isPublic === true, noauth: noauth === true, secret };
}

/**
 * @throws {UsageError} for flags that cannot be used, alone or together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadAnyCable(
  flags: Readonly<Record<string, unknown>>,
  origins: OriginSettings,
  httpHost?: string,
): Promise<readonly Extension[]> {
  const settings = checkAnyCable(flags, httpHost);
  if (settings === undefined) return [];
  const { path, isPublic, noauth, secret } = settings;
  const plugIn = (await load("@presently/anycable", "--anycable")) as AnyCablePackage;
  return [
    (node, log) => {
      plugIn.serveEndpoint(node, {
        path,
        ...origins,
        publicStreams: isPublic,
        ...(noauth ? { noauth } : {}),
        ...(secret === undefined ? {} : { secret }),
        onNotice: ({ level, message, ...facts }) => log[level](facts, `anycable: ${message}`),
      });
    },
  ];
}
