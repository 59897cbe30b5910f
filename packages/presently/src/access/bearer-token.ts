/** The token in a request's header field. */
import type { IncomingHttpHeaders } from "node:http";
import { checkObject } from "@presently/replica";

/** The token of `Authorization: Bearer …` (RFC 6750); undefined where there is none, or another scheme. */
export function bearerTokenOf(headers: Pick<IncomingHttpHeaders, "authorization">): string | undefined {
  checkObject("headers", headers);
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(headers.authorization ?? "")?.[1];
}
