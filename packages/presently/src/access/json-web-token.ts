/**
 * JSON web tokens: the one place where their signatures and times are checked, by `jose`. Drop-ins with tokens of their own
 * (Phoenix's `authToken`, AnyCable's `jid`) are to check them here.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { checkObject, checkString, InvalidArgumentError } from "@presently/replica";
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import { holdsPem, pemBlocks, requireSharedSecret } from "./shared-secret.ts";

/** How the signature of a token is checked, and what else must be true of it. */
export interface JwtRules {
  /**
   * The text that signer and server share (HS256, 32 bytes or more), or the signer's public key or certificate in PEM: RSA
   * (RS256), curve P-256 (ES256) or Ed25519 (EdDSA). Of several, any one may have signed: so a secret is changed without a
   * stop. A public key in another form is refused: as a shared secret it would be known to everybody.
   */
  readonly secret: string | readonly string[];
  /** Who must have issued it (`iss`); default anybody. */
  readonly issuer?: string | readonly string[] | undefined;
  /** For whom it must have been issued (`aud`); default anybody. */
  readonly audience?: string | readonly string[] | undefined;
  /** How far the clocks of signer and server may be apart, for `exp` and `nbf`; default 0. */
  readonly clockToleranceMs?: number | undefined;
  /** Claims that it must have, `exp` for example; default none. */
  readonly requiredClaims?: readonly string[] | undefined;
  /**
   * Bytes that a shared secret needs at least; default what its algorithms ask for: 32, 48 or 64. Fewer are for a secret that
   * another system has made, where no other machine can guess.
   */
  readonly sharedSecretBytesMin?: number | undefined;
  /** Algorithms for a shared secret; default HS256. HS384 needs 48 bytes, HS512 64. A key has one only. */
  readonly sharedSecretAlgorithms?: readonly ("HS256" | "HS384" | "HS512")[] | undefined;
}

/** The claims of a token that is genuine and valid now, or why there are none. */
export type JwtVerdict =
  | { readonly ok: true; readonly claims: JWTPayload }
  | { readonly ok: false; readonly why: "expired" | "invalid" };

/** Says what a token is worth. Rejects for nothing that a client can send. */
export type JwtVerifier = (token: string) => Promise<JwtVerdict>;

interface Key {
  readonly key: Uint8Array | KeyObject;
  /** The key says which algorithms there are: a token that could choose could choose a weaker one, or none. */
  readonly algorithms: NonNullable<JWTVerifyOptions["algorithms"]>;
}

/** Longer texts are no tokens: nobody shall make us hash megabytes. */
const TOKEN_CHARACTERS_MAX = 16_384;

const DEFAULT_SHARED = ["HS256"] as const;

/**
 * Makes a verifier. The drop-ins use it for the tokens of their protocols, and so may an `authenticate` of your own.
 *
 * @throws {InvalidArgumentError} for an empty or short secret, a private key, or a key of another kind or form
 */
export function jwtVerifier(rules: JwtRules): JwtVerifier {
  checkObject("rules", rules);
  const {
    sharedSecretAlgorithms = DEFAULT_SHARED,
    clockToleranceMs = 0,
    issuer,
    audience,
    requiredClaims,
  } = rules;
  const { sharedSecretBytesMin = Math.max(...sharedSecretAlgorithms.map((name) => SHARED_BYTES_MIN[name])) } =
    rules;
  if (
    sharedSecretAlgorithms.length === 0 ||
    sharedSecretAlgorithms.some((name) => !Object.hasOwn(SHARED_BYTES_MIN, name))
  )
    throw new InvalidArgumentError(
      "token sharedSecretAlgorithms",
      "must be a list of HS256, HS384 and HS512",
    );
  const keys = [rules.secret]
    .flat()
    .map((secret) => keyOf(secret, sharedSecretAlgorithms, sharedSecretBytesMin));
  if (keys.length === 0) throw new InvalidArgumentError("token secret", "must not be an empty list");
  const listOf = (texts: string | readonly string[]) => [texts].flat() as string[];
  const options: JWTVerifyOptions = {
    clockTolerance: clockToleranceMs / 1_000,
    ...(issuer === undefined ? {} : { issuer: listOf(issuer) }),
    ...(audience === undefined ? {} : { audience: listOf(audience) }),
    ...(requiredClaims === undefined ? {} : { requiredClaims: [...requiredClaims] }),
  };
  return async (token) => {
    checkString("token", token);
    if (token.length > TOKEN_CHARACTERS_MAX) return { ok: false, why: "invalid" };
    let why: "expired" | "invalid" = "invalid";
    for (const { key, algorithms } of keys) {
      try {
        return { ok: true, claims: (await jwtVerify(token, key, { ...options, algorithms })).payload };
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) throw error;
        // Its time is looked at after its signature, so that this is said of genuine tokens only.
        if (error instanceof errors.JWTExpired) why = "expired";
      }
    }
    return { ok: false, why };
  };
}

/** Bytes that a shared secret needs at least: as many as the hash has (RFC 7518, 3.2). */
const SHARED_BYTES_MIN = { HS256: 32, HS384: 48, HS512: 64 } as const;

/** RSA keys with fewer bits are refused when a token is checked, which is too late (RFC 7518, 3.3). */
const RSA_BITS_MIN = 2_048;

function keyOf(
  secret: string,
  shared: NonNullable<JwtRules["sharedSecretAlgorithms"]>,
  bytesMin: number,
): Key {
  if (typeof secret === "string" && holdsPem(secret)) return publicKeyOf(secret);
  const text = requireSharedSecret("token secret", secret, bytesMin);
  return { key: new TextEncoder().encode(text), algorithms: [...shared] };
}

function publicKeyOf(text: string): Key {
  const key = publicKeyIn(text);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa" && (details?.modulusLength ?? 0) >= RSA_BITS_MIN) return { key, algorithms: ["RS256"] };
  if (type === "ec" && details?.namedCurve === "prime256v1") return { key, algorithms: ["ES256"] };
  if (type === "ed25519") return { key, algorithms: ["EdDSA"] };
  throw new InvalidArgumentError(
    "token secret",
    "holds a key that cannot be used: give an RSA key of 2048 bits or more, one on curve P-256 or an Ed25519 key",
  );
}

/** The one key in a text; what stands around it is ignored, as OpenSSL does. */
function publicKeyIn(text: string): KeyObject {
  if (/PRIVATE\s+KEY/i.test(text))
    throw new InvalidArgumentError(
      "token secret",
      "is a private key: give the public key that belongs to it",
    );
  const [block, another] = pemBlocks(text);
  if (another !== undefined)
    throw new InvalidArgumentError(
      "token secret",
      "holds several keys: give each of them as a text of a list",
    );
  try {
    // Indented in a file of YAML, for example.
    if (block !== undefined) return createPublicKey(block.replaceAll(/^[ \t]+|[ \t]+$/gm, ""));
  } catch (cause) {
    throw new InvalidArgumentError("token secret", NOT_PEM, { cause });
  }
  throw new InvalidArgumentError("token secret", NOT_PEM);
}

const NOT_PEM = "looks like a key in PEM and cannot be read: give it whole, with its line breaks";
