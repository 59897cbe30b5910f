/**
 * Whether a request says once, and clearly, for which host it is.
 *
 * Of two fields Node.js keeps the first, and a proxy before it may have gone by the second: then the one that checks a name and
 * the one that acts on it see two requests. A server refuses these with 400 (RFC 9112, 3.2).
 */
import type { IncomingMessage } from "node:http";
import { checkObject, stringsIn } from "@presently/replica";

/** What ends a host, or stands before it, in a URL: none of it belongs into the field. */
const NO_HOST = /[\s/\\?#@,]/;

/** False for two fields `Host` or `Origin`, for an invalid host, and for a URL as the target that names another host. */
export function namesOneHost(request: IncomingMessage): boolean {
  checkObject("request", request);
  const { rawHeaders, headers, url = "" } = request;
  stringsIn("request.rawHeaders", rawHeaders);
  checkObject("request.headers", headers);
  let hosts = 0;
  let origins = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (name === "host") hosts++;
    else if (name === "origin") origins++;
  }
  if (hosts > 1 || origins > 1) return false;
  const { host } = headers;
  if (host !== undefined && NO_HOST.test(host)) return false;
  const [, named] = /^\w+:\/\/([^/?#]*)/.exec(url) ?? [];
  return named === undefined || host === undefined || named.toLowerCase() === host.toLowerCase();
}
