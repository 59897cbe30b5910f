/** `presently start --access-…`: who may do what, made of files and flags. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { ApiToken } from "../access/api-token.ts";
import { createAccess, type JwtAccess, type ReadyAccess } from "../access/create-access.ts";
import { holdsPem, pemBlocks } from "../access/shared-secret.ts";
import { UsageError } from "./failure.ts";
import { inUse, readSecretFile, readSecretLines } from "./secret-file.ts";

const JWT_SECRET_FLAG = "--access-jwt-secret-file";

type Flags = Readonly<Record<string, unknown>>;

/** Flags that say more of JSON web tokens, by the names that the parser has for them. */
const ofJwt = {
  accessJwtIssuer: "--access-jwt-issuer",
  accessJwtAudience: "--access-jwt-audience",
  accessJwtId: "--access-jwt-id",
  accessJwtScope: "--access-jwt-scope",
} as const;

/**
 * What the flags ask for; undefined if they say nothing of it.
 *
 * @throws {UsageError} for files that cannot be read or used, and for flags that need another one
 */
export function readAccess(flags: Flags): ReadyAccess | undefined {
  const { accessJwtSecretFile: secretFile, accessTokensFile: tokensFile, accessAnonymous: anonymous } = flags;
  if (secretFile === undefined)
    for (const [name, flag] of Object.entries(ofJwt))
      if (flags[name] !== undefined) throw new UsageError(`${flag} needs ${JWT_SECRET_FLAG}`);
  const jwt = secretFile === undefined ? undefined : jwtOf(String(secretFile), flags);
  const tokens = tokensFile === undefined ? undefined : readTokens(String(tokensFile));
  if (jwt === undefined && tokens === undefined && anonymous === undefined) return undefined;
  // Each apart first, so that an error names what it is about.
  if (jwt !== undefined) inUse(JWT_SECRET_FLAG, secretFile, () => createAccess({ jwt }));
  if (tokens !== undefined) inUse("--access-tokens-file", tokensFile, () => createAccess({ tokens }));
  return inUse("--access-anonymous", anonymous, () =>
    createAccess({
      ...(jwt === undefined ? {} : { jwt }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(anonymous === undefined ? {} : { anonymous: anonymous as string[] }),
    }),
  );
}

/**
 * The API tokens of a file: a list, in YAML or JSON.
 *
 * @throws {UsageError} for a file that cannot be read, or holds no list
 */
export function readTokens(path: string): readonly ApiToken[] {
  const flag = `--access-tokens-file ${path}`;
  let list: unknown;
  try {
    list = parse(readFileSync(path, "utf8"), { logLevel: "error" });
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    // What the parser says shows the line, and a line could hold a token that was put there by mistake.
    throw new UsageError(syscall !== undefined ? `${flag} cannot be read (${code})` : `${flag} is not YAML`, {
      cause,
    });
  }
  if (!Array.isArray(list))
    throw new UsageError(`${flag} must hold a list: "presently token create" makes its entries`);
  return list;
}

function jwtOf(secretFile: string, flags: Flags): JwtAccess {
  const {
    accessJwtIssuer: issuer,
    accessJwtAudience: audience,
    accessJwtId: id,
    accessJwtScope: scopes,
  } = flags;
  return {
    secret: secretsIn(secretFile),
    ...(issuer === undefined ? {} : { issuer: String(issuer) }),
    ...(audience === undefined ? {} : { audience: String(audience) }),
    ...(id === undefined ? {} : { id: String(id) }),
    ...(scopes === undefined ? {} : { scopes: scopes as string[] }),
  };
}

/** Keys in PEM one after the other, or secrets a line. A key in another form is none of them: its lines are no secrets. */
function secretsIn(path: string): readonly string[] {
  const text = readSecretFile(path, JWT_SECRET_FLAG);
  if (holdsPem(text)) {
    const keys = pemBlocks(text);
    return keys.length > 0 ? keys : [text];
  }
  return readSecretLines(path, JWT_SECRET_FLAG);
}
