/**
 * API tokens: long random texts for programs and operators. The node keeps their SHA-256 only, so that its files give nobody
 * a token; 256 random bits need no slower hash.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { checkString, InvalidArgumentError } from "@presently/replica";
import { grantsOf } from "./scope.ts";

/** A token as the configuration names it; `presently token create` prints one. */
export interface ApiToken {
  /** Who holds it: names them in logs, and is the key of `track:` scopes. */
  readonly id: string;
  /** `sha256:` and the hash in hexadecimal digits. */
  readonly hash: string;
  /** What it may be used for: see the scopes of `docs/security.md`. */
  readonly scopes: readonly string[];
  /** When it ceases to count, as an ISO date or Date; default never. */
  readonly expires?: string | Date;
}

/** Scanners that look for leaked secrets know tokens by how they begin. */
const PREFIX = "presently_";

/** Longer texts are no tokens: nobody shall make us hash megabytes. */
const TOKEN_CHARACTERS_MAX = 1_024;

/** A new token: 256 random bits. It is shown once, and kept by whoever uses it. */
export function createApiToken(): string {
  return PREFIX + randomBytes(32).toString("base64url");
}

/** What is kept of a token: `sha256:…`. */
export function hashApiToken(token: string): string {
  checkString("token", token);
  return `sha256:${digest(token).toString("hex")}`;
}

/** A token that is known, when it was asked for. */
export interface KnownApiToken {
  readonly id: string;
  readonly scopes: readonly string[];
  readonly expiresAtMs: number | undefined;
}

interface Entry extends KnownApiToken {
  readonly digest: Buffer;
}

/** The tokens that a node knows. */
export class ApiTokens {
  readonly #entries: readonly Entry[];

  /** @throws {InvalidArgumentError} for one that is malformed, or two with one id or hash */
  constructor(tokens: readonly ApiToken[]) {
    if (!Array.isArray(tokens)) throw new InvalidArgumentError("tokens", "must be a list");
    this.#entries = tokens.map(entryOf);
    for (const field of ["id", "hash"] as const)
      if (new Set(tokens.map((token) => token[field])).size < tokens.length)
        throw new InvalidArgumentError("tokens", `has one ${field} twice`);
  }

  /** The ids that are known. */
  has(id: string): boolean {
    return this.#entries.some((entry) => entry.id === id);
  }

  /** Whose token this is. Takes as long whichever it is, or if it is none. Cost: O(tokens). */
  find(token: string): KnownApiToken | undefined {
    if (token.length > TOKEN_CHARACTERS_MAX) return undefined;
    const presented = digest(token);
    let found: Entry | undefined;
    for (const entry of this.#entries) if (timingSafeEqual(entry.digest, presented)) found = entry;
    return found;
  }
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function entryOf(token: ApiToken, index: number): Entry {
  const what = `tokens[${index}]`;
  if (typeof token !== "object" || token === null) throw new InvalidArgumentError(what, "must be an object");
  const { id, hash, scopes, expires, ...others } = token;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `${what}.${unknown}`,
      "is unknown: there are id, hash, scopes and expires",
    );
  if (typeof id !== "string" || id === "") throw new InvalidArgumentError(`${what}.id`, "must be a text");
  const digits = typeof hash === "string" ? /^sha256:([0-9a-f]{64})$/.exec(hash)?.[1] : undefined;
  if (digits === undefined)
    throw new InvalidArgumentError(`${what}.hash`, 'must be sha256:…, as "presently token hash" prints it');
  if (!Array.isArray(scopes)) throw new InvalidArgumentError(`${what}.scopes`, "must be a list of scopes");
  grantsOf(scopes, `${what}.scopes`);
  const expiresAtMs = expires === undefined ? undefined : new Date(expires).getTime();
  if (Number.isNaN(expiresAtMs))
    throw new InvalidArgumentError(`${what}.expires`, "must be a date such as 2030-01-01T00:00:00Z");
  return { id, scopes, expiresAtMs, digest: Buffer.from(digits, "hex") };
}
