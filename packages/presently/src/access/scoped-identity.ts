/** The scopes that an identity carries in its claims, and the question whether they cover an action. */
import { checkObject } from "@presently/replica";
import type { Action, Identity } from "./access.ts";
import { type Grant, grantOf } from "./scope.ts";

/** More than these are not looked at: each costs a comparison with every action. */
const SCOPES_MAX = 256;

/** By the claims, which do not change: a scope is taken apart once. */
const grantsByClaims = new WeakMap<object, readonly Grant[]>();

/**
 * Whether the scopes among the claims cover an action: those of `presently`, and of `scope`, each a list or texts with
 * blanks between them, as OAuth has it. Texts that are no scopes grant nothing. Others use `scope` too, so that a `*` there,
 * which may be theirs, does not count. At most 256 are looked at.
 *
 * Fits as the `authorize` of `createNode({ access })` beside an `authenticate` of your own.
 */
export function authorizeByScopes(identity: Identity, action: Action): boolean {
  checkObject("identity", identity);
  checkObject("identity.claims", identity.claims);
  checkObject("action", action);
  const { claims, id } = identity;
  let grants = grantsByClaims.get(claims);
  if (grants === undefined) {
    grants = scopesIn(claims).flatMap((scope) => grantOf(scope) ?? []);
    grantsByClaims.set(claims, grants);
  }
  return grants.some((grant) => grant(action, id));
}

/** Whether the claims name any scopes, even none that are known here. */
export function hasScopes(claims: Identity["claims"]): boolean {
  return claims.presently !== undefined || claims.scope !== undefined;
}

function scopesIn({ presently, scope }: Identity["claims"]): string[] {
  return [...textsIn(presently), ...textsIn(scope).filter((text) => text !== "*")].slice(0, SCOPES_MAX);
}

function textsIn(claim: unknown): string[] {
  if (typeof claim === "string") return claim.split(" ");
  return Array.isArray(claim) ? claim.filter((text) => typeof text === "string") : [];
}
