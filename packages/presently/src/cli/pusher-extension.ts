/** `presently start --pusher-app`: Pusher's clients, and its HTTP API, at the node's HTTP address. */
import { isLoopback } from "../address.ts";
import type { PresentlyNode } from "../node.ts";
import type { Extension } from "./extension.ts";
import { UsageError } from "./failure.ts";
import { load } from "./load-package.ts";
import type { OriginSettings } from "./origin-flag.ts";
import { readSharedSecret } from "./secret-file.ts";

/** One app, as its flag says it. */
interface PusherApp {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** What is used of `@presently/pusher`. It depends on this package, so that its types are not to be had here. */
interface PusherPackage {
  serveEndpoint(
    node: PresentlyNode,
    options: OriginSettings & {
      readonly apps: readonly PusherApp[];
      readonly asksAccess: false;
      readonly onNotice: (notice: { level: "error" | "warn" | "debug"; message: string }) => void;
    },
  ): unknown;
}

/** Fewer bytes are guessed where other machines can try: Pusher's own have 20. */
const SECRET_BYTES_MIN = 16;

/**
 * The apps that the flags ask for: `key:secret-file`, or `id:key:secret-file`. An app without an id has its key for one.
 *
 * @param httpHost where the HTTP server is to listen, as far as it is known
 * @throws {UsageError} for flags that cannot be used, alone or together
 */
export function checkPusher(
  flags: Readonly<Record<string, unknown>>,
  httpHost?: string,
): readonly PusherApp[] {
  const { pusherApp: texts, http } = flags;
  if (texts === undefined) return [];
  if (http === false) throw new UsageError("--pusher-app is served at the HTTP address: leave --no-http out");
  const bytesMin = httpHost === undefined || isLoopback(httpHost) ? 1 : SECRET_BYTES_MIN;
  const apps = (texts as readonly string[]).map((text) => {
    const [, id, key = "", file = ""] = /^(?:([\w-]{1,40}):)?([\w-]{1,40}):([^:]+)$/.exec(text) ?? [];
    if (key === "")
      throw new UsageError(
        `--pusher-app ${JSON.stringify(text)} must be key:secret-file or id:key:secret-file`,
      );
    return { id: id ?? key, key, secret: readSharedSecret(file, "--pusher-app", bytesMin) };
  });
  for (const field of ["id", "key"] as const)
    if (new Set(apps.map((app) => app[field])).size < apps.length)
      throw new UsageError(`--pusher-app names one ${field} twice`);
  return apps;
}

/**
 * @throws {UsageError} for flags that cannot be used, alone or together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadPusher(
  flags: Readonly<Record<string, unknown>>,
  origins: OriginSettings,
  httpHost?: string,
): Promise<readonly Extension[]> {
  const apps = checkPusher(flags, httpHost);
  if (apps.length === 0) return [];
  const plugIn = (await load("@presently/pusher", "--pusher-app")) as PusherPackage;
  return [
    (node, log) => {
      plugIn.serveEndpoint(node, {
        apps,
        ...origins,
        // Who may do what is signed by the app; clients of Pusher have no other token.
        asksAccess: false,
        onNotice: ({ level, message, ...facts }) => log[level](facts, `pusher: ${message}`),
      });
    },
  ];
}
