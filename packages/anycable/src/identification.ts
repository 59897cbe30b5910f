/** Who connects: by a token, or by what the application finds in the request. */
import type { IncomingHttpHeaders } from "node:http";
import { errors, jwtVerify } from "jose";
import { InvalidArgumentError } from "presently";
import { CommandError } from "./errors.ts";
import { parseJson } from "./json.ts";
import type { MaybePromise } from "./settle.ts";

/** The request that opens a connection. */
export interface ConnectionInfo {
  readonly headers: IncomingHttpHeaders;
  /** Parameters of the URL; of those that are given twice, the last. */
  readonly params: ReadonlyMap<string, string>;
  /** The URL without the host. */
  readonly url: string;
  readonly remoteAddress: string | undefined;
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

/** HMAC only: a token that could choose could choose a weaker one. */
const ALGORITHMS = ["HS256", "HS384", "HS512"];

export interface IdentificationOptions {
  readonly jwtSecret?: string | undefined;
  readonly authenticate?: Authenticate<unknown> | undefined;
}

/** What `info` says, for a session of this id. Rejects with what `authenticate` throws. */
export type Identify = (info: ConnectionInfo, sid: string) => Promise<Identified>;

/**
 * A token decides if there is one; then the application, if it has a say. With a secret and without `authenticate`,
 * clients need a token; without both, everybody may connect.
 *
 * @throws {InvalidArgumentError} for an empty secret
 */
export function identification({ jwtSecret, authenticate }: IdentificationOptions): Identify {
  if (jwtSecret === "") throw new InvalidArgumentError("jwtSecret", "must not be empty");
  const key = jwtSecret === undefined ? undefined : new TextEncoder().encode(jwtSecret);
  return async (info, sid) => {
    if (key !== undefined && info.token !== undefined) return identifiersIn(info.token, key);
    if (authenticate !== undefined) {
      const identifiers = await authenticate(info);
      const isRefused = identifiers === undefined || identifiers === null || identifiers === false;
      return isRefused ? { refused: "unauthorized" } : { identifiers };
    }
    return key === undefined ? { identifiers: { sid } } : { refused: "unauthorized" };
  };
}

/** The claim `ext` is a text that holds the identifiers as JSON. */
async function identifiersIn(token: string, key: Uint8Array): Promise<Identified> {
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ALGORITHMS });
    if (typeof payload.ext !== "string") return { refused: "unauthorized" };
    return { identifiers: parseJson(payload.ext) };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { refused: "token_expired" };
    if (error instanceof errors.JOSEError || error instanceof CommandError)
      return { refused: "unauthorized" };
    throw error;
  }
}
