/** `presently start --origin`: which web pages may connect to the drop-ins that the other flags ask for. */
import { UsageError } from "./failure.ts";

/** The option `checkOrigin` of every drop-in, as far as flags set it. */
export interface OriginSettings {
  /** `false`: pages of all origins. Left out: those of the same host. */
  readonly checkOrigin?: false | readonly string[];
}

const SERVED = ["phoenix", "supabase", "faye", "anycable", "pusherApp"] as const;

/**
 * What every drop-in is given.
 *
 * @throws {UsageError} for what is no origin, and where nothing is served that would ask for it
 */
export function checkOrigins(flags: Readonly<Record<string, unknown>>): OriginSettings {
  const origins = flags.origin as readonly string[] | undefined;
  if (origins === undefined) return {};
  if (SERVED.every((flag) => flags[flag] === undefined))
    throw new UsageError(
      "--origin needs --phoenix, --supabase, --faye, --anycable or --pusher-app; the API of the node has --allowed-origin",
    );
  for (const origin of origins)
    if (origin !== "*" && !/^(https?:)?\/\/[^/]+$/.test(origin))
      throw new UsageError(`--origin ${JSON.stringify(origin)} must be https://host, //host, //*.host or *`);
  return { checkOrigin: origins.includes("*") ? false : origins };
}
