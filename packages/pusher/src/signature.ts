/** What an app signs: subscriptions, users, requests to the HTTP API and webhooks. All are HMAC-SHA256 in hexadecimal. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** How far the clock of a caller may be off. */
const TOLERANCE_S = 600;

/** The key of an app, and its secret. */
export interface KeyPair {
  readonly key: string;
  readonly secret: string;
}

export function sign(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** Compares in constant time. */
function isSignature(secret: string, text: string, given: string): boolean {
  const own = Buffer.from(sign(secret, text));
  const other = Buffer.from(given);
  return own.length === other.length && timingSafeEqual(own, other);
}

/**
 * Returns true if `auth` is `key:signature` of what the parts say: the socket id, the channel and, if any, `channel_data` as it came;
 * or for a user the socket id, an empty text, `user`, an empty text and the user's data.
 */
export function isAuth({ key, secret }: KeyPair, auth: unknown, parts: readonly string[]): boolean {
  if (typeof auth !== "string") return false;
  const colon = auth.indexOf(":");
  if (colon < 0 || auth.slice(0, colon) !== key) return false;
  return isSignature(secret, parts.join(":"), auth.slice(colon + 1));
}

/** A request to the HTTP API. `path` is the whole one, without the query. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly nowS: number;
}

/** Why a request is not signed as it should be; undefined if it is. */
export function requestProblem({ key, secret }: KeyPair, request: SignedRequest): string | undefined {
  const { method, path, query, body, nowS } = request;
  const params = new Map([...query].map(([name, value]) => [name.toLowerCase(), value]));
  const signature = params.get("auth_signature") ?? "";
  params.delete("auth_signature");
  if (params.get("auth_key") !== key) return "auth_key is not the key of this app";
  const age = Math.abs(nowS - Number(params.get("auth_timestamp") ?? Number.NaN));
  if (!(age <= TOLERANCE_S)) return `auth_timestamp is more than ${TOLERANCE_S} s off: set the clock`;
  const md5 = params.get("body_md5");
  if ((md5 !== undefined || body !== "") && md5 !== createHash("md5").update(body).digest("hex"))
    return "body_md5 is not that of the body";
  const signed = [...params].sort(([one], [other]) => (one < other ? -1 : 1));
  const text = `${method}\n${path}\n${signed.map(([name, value]) => `${name}=${value}`).join("&")}`;
  return isSignature(secret, text, signature) ? undefined : "auth_signature is not that of this request";
}
