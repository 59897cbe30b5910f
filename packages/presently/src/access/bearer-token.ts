/** The token in a request's header field. */
import type { IncomingHttpHeaders } from "node:http";

/** The token of `Authorization: Bearer …` (RFC 6750); undefined where there is none, or another scheme. */
export function bearerTokenOf({
  authorization,
}: Pick<IncomingHttpHeaders, "authorization">): string | undefined {
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? "")?.[1];
}
