/** JSON web tokens, as phoenix.js clients send them with `authToken` or as a parameter. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { errors, type JWTPayload, jwtVerify } from "jose";
import { InvalidArgumentError } from "presently";

/** Gives the claims of a token that is genuine and valid now; undefined for every other one. */
export type TokenVerifier = (token: string) => Promise<JWTPayload | undefined>;

interface Key {
  readonly key: Uint8Array | KeyObject;
  /** The key says which algorithm there is: a token that could choose could choose a weaker one. */
  readonly algorithm: "HS256" | "RS256" | "ES256";
}

/**
 * Makes a verifier.
 *
 * @param secret  the text that signer and server share (HS256), or the signer's public key in PEM (RS256, ES256)
 * @throws {InvalidArgumentError} for an empty secret, or a key of another kind
 */
export function tokenVerifier(secret: string): TokenVerifier {
  const { key, algorithm } = keyOf(secret);
  return async (token) => {
    try {
      return (await jwtVerify(token, key, { algorithms: [algorithm] })).payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  };
}

function keyOf(secret: string): Key {
  if (!secret.startsWith("-----BEGIN ")) {
    if (secret === "") throw new InvalidArgumentError("token secret", "must not be empty");
    return { key: new TextEncoder().encode(secret), algorithm: "HS256" };
  }
  const key = publicKeyIn(secret);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa") return { key, algorithm: "RS256" };
  if (type === "ec" && details?.namedCurve === "prime256v1") return { key, algorithm: "ES256" };
  throw new InvalidArgumentError("token secret", "must be an RSA key or one on curve P-256, if it is a key");
}

function publicKeyIn(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (cause) {
    throw new InvalidArgumentError("token secret", "looks like a key, but is none in PEM", { cause });
  }
}
