/** Who connects: by a token, or by what the application finds in the request. */
import type { IncomingHttpHeaders } from "node:http";
import { type JwtVerdict, type JwtVerifier, jwtVerifier } from "presently";
import type { Identity } from "presently/drop-in";
import { CommandError } from "./errors.ts";
import { isMap, parseJson } from "./json.ts";
import type { MaybePromise } from "./settle.ts";

/** The request that opens a connection. */
export interface ConnectionInfo {
  readonly headers: IncomingHttpHeaders;
  /** Parameters of the URL; of those that are given twice, the last. */
  readonly params: ReadonlyMap<string, string>;
  /** The URL without the host. */
  readonly url: string;
  /** Of the client, also behind a proxy that the node trusts (`http.trustedProxies`). */
  readonly remoteAddress: string | undefined;
  /** Who the node's `access` says it is; undefined without it. */
  readonly identity: Identity | undefined;
  /** The token, wherever it stood. */
  readonly token: string | undefined;
}

/**
 * Gives the identifiers of a connection, any JSON; or nothing, `null` or `false`, and the client is told `unauthorized`.
 */
export type Authenticate<Identifiers> = (
  info: ConnectionInfo,
) => MaybePromise<Identifiers | null | undefined | false>;

/** Who it is, or why it stays outside. */
export type Identified =
  | { readonly identifiers: unknown }
  | { readonly refused: "unauthorized" | "token_expired" };

const TOKEN_CHARACTERS_MAX = 16_384;
/** As every AnyCable server takes them, and the bytes that a secret needs for them (RFC 7518, 3.2). */
const ALGORITHMS = [
  ["HS256", 32],
  ["HS384", 48],
  ["HS512", 64],
] as const;

export interface IdentificationOptions {
  readonly jwtSecret?: string | undefined;
  readonly jwtSecretBytesMin?: number | undefined;
  readonly noauth?: boolean | undefined;
  readonly authenticate?: Authenticate<unknown> | undefined;
}

/** What `info` says, for a session of this id. Rejects with what `authenticate` throws. */
export type Identify = (info: ConnectionInfo, sid: string) => Promise<Identified>;

/**
 * A token decides if there is one; then the application, if it has a say. With a secret and without `authenticate`,
 * clients need a token, unless `noauth` says otherwise; without both, everybody may connect whom the node's `access` lets in.
 *
 * @throws {InvalidArgumentError} for a secret of fewer than 32 bytes, or a key that cannot be used
 */
export function identification(options: IdentificationOptions): Identify {
  const { jwtSecret, jwtSecretBytesMin, authenticate, noauth = false } = options;
  const verify = jwtSecret === undefined ? undefined : verifierOf(jwtSecret, jwtSecretBytesMin);
  return async (info, sid) => {
    if (verify !== undefined && info.token !== undefined) return identifiersOf(await verify(info.token));
    if (authenticate !== undefined) {
      const identifiers = await authenticate(info);
      const isRefused = identifiers === undefined || identifiers === null || identifiers === false;
      return isRefused ? { refused: "unauthorized" } : { identifiers };
    }
    if (verify !== undefined && !noauth) return { refused: "unauthorized" };
    return { identifiers: info.identity === undefined ? { sid } : { id: info.identity.id } };
  };
}

function verifierOf(secret: string, sharedSecretBytesMin: number | undefined): JwtVerifier {
  const [shortest, ...longer] = ALGORITHMS;
  const usable = longer.filter(
    ([, bytesMin]) => Buffer.byteLength(secret) >= (sharedSecretBytesMin ?? bytesMin),
  );
  const sharedSecretAlgorithms = [shortest, ...usable].map(([name]) => name);
  return jwtVerifier({ secret, sharedSecretAlgorithms, sharedSecretBytesMin });
}

/**
 * Whether a token says of itself that its time is over. Nothing is believed by that: its client is refused already, and
 * told to renew the token rather than to stay away.
 */
export function saysExpired(token: string | undefined): boolean {
  const [, payload] = token?.split(".") ?? [];
  if (payload === undefined || payload.length > TOKEN_CHARACTERS_MAX) return false;
  try {
    const claims = parseJson(Buffer.from(payload, "base64url").toString("utf8"));
    return isMap(claims) && typeof claims.exp === "number" && claims.exp * 1_000 <= Date.now();
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

/** The claim `ext` is a text that holds the identifiers as JSON. */
function identifiersOf(verdict: JwtVerdict): Identified {
  if (!verdict.ok) return { refused: verdict.why === "expired" ? "token_expired" : "unauthorized" };
  const { ext } = verdict.claims;
  if (typeof ext !== "string") return { refused: "unauthorized" };
  try {
    return { identifiers: parseJson(ext) };
  } catch (error) {
    if (error instanceof CommandError) return { refused: "unauthorized" };
    throw error;
  }
}
