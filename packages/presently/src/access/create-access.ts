/** A ready-made `access`: JSON web tokens for users, API tokens for programs, and what everybody may do. */
import { checkObject, checkOptions, InvalidArgumentError } from "@presently/replica";
import type { JWTPayload } from "jose";
import type { Access, Action, Credentials, Identity } from "./access.ts";
import { type ApiToken, ApiTokens } from "./api-token.ts";
import { type JwtRules, type JwtVerifier, jwtVerifier } from "./json-web-token.ts";
import { grantsOf } from "./scope.ts";
import { authorizeByScopes, hasScopes } from "./scoped-identity.ts";
import { UsedTokens } from "./used-tokens.ts";

/** Which JSON web tokens count, and what they are worth. */
export interface JwtAccess extends Omit<JwtRules, "requiredClaims" | "sharedSecretBytesMin"> {
  /** The claim that names the identity, or what finds the name among the claims; default `sub`. Numbers become texts. */
  readonly id?: string | ((claims: JWTPayload) => string | undefined);
  /** What a token may be used for that has neither the claim `presently` nor `scope`; default nothing. */
  readonly scopes?: readonly string[];
  /** How far the clocks of signer and server may be apart; default 5,000. */
  readonly clockToleranceMs?: number;
  /** Take tokens without `exp` too; default false: what never expires is never safe to lose. */
  readonly withoutExpiry?: boolean;
  /**
   * Take each token once only, by its `jti`, which it must then have; default false. Each node remembers for itself, and
   * until it is restarted: keep the lifetime of such tokens at seconds. For sockets: over HTTP every request is a use.
   */
  readonly singleUse?: boolean;
  /** Single-use tokens that are remembered until they expire; beyond them none is taken; default 100,000. */
  readonly singleUseTokensMax?: number;
}

/** What `createAccess` takes: at least one of the three. */
export interface AccessOptions {
  readonly jwt?: JwtAccess;
  /** API tokens, by their hashes. */
  readonly tokens?: readonly ApiToken[];
  /** What those may do who show no token at all: scopes. Their id is `anonymous`. Default: they are not let in. */
  readonly anonymous?: readonly string[];
}

/** An `Access` whose API tokens can be changed. */
export interface ReadyAccess extends Access {
  /**
   * From now on these are the API tokens, and those that are not among them may do nothing more, also over connections
   * that are open. Nothing changes if it throws.
   *
   * @throws {InvalidArgumentError} for one that is malformed
   */
  renewTokens(tokens: readonly ApiToken[]): void;
}

/** The id of whoever shows no token. */
const ANONYMOUS = "anonymous";

/** How far clocks may be apart by default: what is usual where time is kept by NTP. */
const CLOCK_TOLERANCE_MS = 5_000;
const SINGLE_USE_TOKENS_MAX = 100_000;

const known = {
  "": ["jwt", "tokens", "anonymous"],
  jwt: [
    ...["secret", "issuer", "audience", "clockToleranceMs", "sharedSecretAlgorithms", "id", "scopes"],
    ...["withoutExpiry", "singleUse", "singleUseTokensMax"],
  ],
} as const;

/**
 * Makes the two hooks of `createNode({ access })`.
 *
 * Whoever shows a token is who it says, if it counts, and nobody otherwise: a bad token is never taken for none. A text is an
 * API token if its hash is known, and a JSON web token in every other case. What somebody may do is what their scopes say.
 *
 * @throws {InvalidArgumentError} for options that name nobody, are unknown or malformed
 */
export function createAccess(options: AccessOptions): ReadyAccess {
  refuseUnknown(options, "");
  const { jwt, anonymous } = options;
  if (jwt === undefined && options.tokens === undefined && anonymous === undefined)
    throw new InvalidArgumentError("access", "would let nobody in: give jwt, tokens or anonymous");
  const byJwt = jwt === undefined ? undefined : jwtIdentification(jwt);
  const nobody =
    anonymous === undefined ? undefined : identityOf(ANONYMOUS, scopesOf(anonymous, "anonymous"));
  let tokens = new ApiTokens(options.tokens ?? []);
  /** Which identities stand for an API token, and may be revoked. */
  const revocable = new WeakMap<Identity["claims"], string>();

  async function authenticate(credentials: Pick<Credentials, "token">): Promise<Identity | undefined> {
    checkObject("credentials", credentials);
    const { token } = credentials;
    if (token === undefined) return nobody;
    const found = tokens.find(token);
    if (found === undefined) return await byJwt?.(token);
    const { id, scopes, expiresAtMs } = found;
    const identity = identityOf(id, scopes, expiresAtMs);
    revocable.set(identity.claims, id);
    return identity;
  }

  function authorize(identity: Identity, action: Action): boolean {
    checkObject("identity", identity);
    const token = revocable.get(identity.claims);
    return (token === undefined || tokens.has(token)) && authorizeByScopes(identity, action);
  }

  return {
    authenticate,
    authorize,
    renewTokens: (given) => {
      tokens = new ApiTokens(given);
    },
  };
}

type JwtIdentification = (token: string) => Promise<Identity | undefined>;

function jwtIdentification(jwt: JwtAccess): JwtIdentification {
  refuseUnknown(jwt, "jwt");
  const { id = "sub", withoutExpiry = false, singleUse = false, clockToleranceMs = CLOCK_TOLERANCE_MS } = jwt;
  const { singleUseTokensMax = SINGLE_USE_TOKENS_MAX } = jwt;
  if (!(clockToleranceMs >= 0))
    throw new InvalidArgumentError("access.jwt.clockToleranceMs", "must not be negative");
  if (!(singleUseTokensMax > 0))
    throw new InvalidArgumentError("access.jwt.singleUseTokensMax", "must be a positive number");
  const byDefault = scopesOf(jwt.scopes ?? [], "jwt.scopes");
  const requiredClaims = [...(withoutExpiry && !singleUse ? [] : ["exp"]), ...(singleUse ? ["jti"] : [])];
  const verify: JwtVerifier = jwtVerifier({ ...jwt, clockToleranceMs, requiredClaims });
  const used = singleUse ? new UsedTokens(singleUseTokensMax, "access.jwt.singleUseTokensMax") : undefined;
  const nameIn = typeof id === "function" ? id : (claims: JWTPayload) => textOf(claims[id]);
  return async (token) => {
    const verdict = await verify(token);
    if (!verdict.ok) return undefined;
    const { claims } = verdict;
    const name = nameIn(claims);
    if (typeof name !== "string" || name === "") return undefined;
    const expiresAtMs = claims.exp === undefined ? undefined : claims.exp * 1_000 + clockToleranceMs;
    // Looked at last: a token that is refused for another reason is not used up.
    if (used !== undefined && !isFirstUse(used, claims, expiresAtMs)) return undefined;
    const scoped = hasScopes(claims) ? claims : { ...claims, presently: byDefault };
    return { id: name, claims: scoped, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
  };
}

function isFirstUse(used: UsedTokens, { jti, iss }: JWTPayload, expiresAtMs: number | undefined): boolean {
  if (typeof jti !== "string" || jti === "" || expiresAtMs === undefined) return false;
  // Two issuers may number their tokens alike.
  return used.use(JSON.stringify([iss ?? null, jti]), expiresAtMs, Date.now());
}

function identityOf(id: string, scopes: readonly string[], expiresAtMs?: number): Identity {
  return { id, claims: { presently: scopes }, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === "number" ? String(claim) : typeof claim === "string" ? claim : undefined;
}

function scopesOf(scopes: readonly string[], where: string): readonly string[] {
  if (!Array.isArray(scopes)) throw new InvalidArgumentError(`access.${where}`, "must be a list of scopes");
  grantsOf(scopes, `access.${where}`);
  return [...scopes];
}

function refuseUnknown(fields: object, section: keyof typeof known): void {
  const where = section === "" ? "access" : `access.${section}`;
  checkOptions(fields, known[section], `${where}.`);
}
