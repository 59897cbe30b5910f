/** `presently start --supabase`: clients of Supabase Realtime at the node's HTTP address. */
import { jwtVerifier } from "../access/json-web-token.ts";
import type { PresentlyNode } from "../node.ts";
import type { Extension } from "./extension.ts";
import { UsageError } from "./failure.ts";
import { load } from "./load-package.ts";
import type { OriginSettings } from "./origin-flag.ts";
import { inUse, readSecretFile } from "./secret-file.ts";

/** What is used of `@presently/phoenix`. It depends on this package, so that its types cannot be imported here. */
interface PhoenixPackage {
  serveSupabase(
    node: PresentlyNode,
    options: OriginSettings & {
      readonly path: string;
      readonly tokenSecret?: string;
      readonly onNotice: (notice: { level: "error" | "warn" | "debug"; message: string }) => void;
    },
  ): unknown;
}

/** What the flags ask for. */
interface SupabaseSettings {
  readonly path: string;
  readonly tokenSecret: string | undefined;
}

/**
 * Returns what the flags ask for; undefined if they do not ask for it.
 *
 * @throws {UsageError} for flags that cannot be used, alone or together
 */
export function checkSupabase(flags: Readonly<Record<string, unknown>>): SupabaseSettings | undefined {
  const { supabase: path, supabaseJwtSecretFile: file, phoenix, http } = flags;
  if (path === undefined) {
    if (file === undefined) return undefined;
    throw new UsageError("--supabase-jwt-secret-file needs --supabase, for example --supabase /realtime/v1");
  }
  if (typeof path !== "string" || !path.startsWith("/"))
    throw new UsageError(`--supabase ${JSON.stringify(path)} must begin with a slash: write /realtime/v1`);
  if (path === phoenix) throw new UsageError(`--supabase and --phoenix cannot both be served at ${path}`);
  if (http === false) throw new UsageError("--supabase is served at the HTTP address: leave --no-http out");
  if (file === undefined) return { path, tokenSecret: undefined };
  const tokenSecret = readSecretFile(String(file), "--supabase-jwt-secret-file");
  inUse("--supabase-jwt-secret-file", file, () => jwtVerifier({ secret: tokenSecret }));
  return { path, tokenSecret };
}

/**
 * @throws {UsageError} for flags that cannot be used, alone or together
 * @throws {CommandError} for a package that is not installed
 */
export async function loadSupabase(
  flags: Readonly<Record<string, unknown>>,
  origins: OriginSettings,
): Promise<readonly Extension[]> {
  const settings = checkSupabase(flags);
  if (settings === undefined) return [];
  const { path, tokenSecret } = settings;
  const phoenix = (await load("@presently/phoenix", "--supabase")) as PhoenixPackage;
  return [
    (node, log) => {
      phoenix.serveSupabase(node, {
        path,
        ...origins,
        ...(tokenSecret === undefined ? {} : { tokenSecret }),
        onNotice: ({ level, message, ...facts }) => log[level](facts, `supabase: ${message}`),
      });
    },
  ];
}
