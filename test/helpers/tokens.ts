/** Tokens of the issuer that only these tests know, and the access that takes them. */
import { createAccess, type NodeOptions } from "presently";
import { handmadeToken, secondsFromNow } from "./hostile.ts";

/** What issuer and cluster share. */
export const TOKEN_SECRET = "a secret of the issuer and of this cluster";

/** What a node asks. */
export type Access = NonNullable<NodeOptions["access"]>;

/** Takes `tokenOf`, at the very second. */
export function accessByToken(): Access {
  return createAccess({ jwt: { secret: TOKEN_SECRET, clockToleranceMs: 0 } });
}

/** A token for somebody, good for everything on their own behalf unless the scopes say otherwise, for an hour or so long. */
export function tokenOf(
  sub: string,
  scopes: readonly string[] = ["track:*", "watch:*", "publish:*"],
  livesS = 3_600,
): string {
  return handmadeToken({ sub, presently: scopes, exp: secondsFromNow(livesS) }, TOKEN_SECRET);
}
