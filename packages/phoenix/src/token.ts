/** JSON web tokens, as phoenix.js clients send them with `authToken` or as a parameter. */
import type { JWTPayload } from "jose";
import { jwtVerifier } from "presently";
import { checkString } from "presently/drop-in";

/** Gives the claims of a token that is genuine and valid now; undefined for every other one. */
export type TokenVerifier = (token: string) => Promise<JWTPayload | undefined>;

/**
 * Makes a verifier.
 *
 * @param secret  the text that signer and server share (HS256), or the signer's public key in PEM (RS256, ES256, EdDSA)
 * @throws {InvalidArgumentError} for an empty secret, or a key of another kind
 */
export function tokenVerifier(secret: string): TokenVerifier {
  checkString("secret", secret);
  const verify = jwtVerifier({ secret });
  return async (token) => {
    const verdict = await verify(token);
    return verdict.ok ? verdict.claims : undefined;
  };
}
