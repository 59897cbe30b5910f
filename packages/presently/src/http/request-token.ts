/** The token that a request shows. */
import type { IncomingMessage } from "node:http";
import { bearerTokenOf } from "../access/bearer-token.ts";
import { HttpRequestError } from "../errors.ts";
import type { ApiRequest } from "./route.ts";

/** The parameter that carries the token of those who cannot set header fields: `EventSource` in browsers. */
const TOKEN_PARAMETER = "access_token";

/** The query without the token, so that it is neither taken for a parameter of the resource nor shown in an error. */
export function queryWithoutToken({ request, query }: Pick<ApiRequest, "request" | "query">): string {
  if (!takesTokenParameter(request) || !query.includes(TOKEN_PARAMETER)) return query;
  return query
    .split("&")
    .filter((pair) => !isTokenPair(pair))
    .join("&");
}

/** @throws {HttpRequestError} 400 for several tokens: which one was meant is anyone's guess */
export function tokenOf({ request, query }: ApiRequest): string | undefined {
  const inHeader = bearerTokenOf(request.headers);
  const inQuery = takesTokenParameter(request)
    ? query.split("&").flatMap((pair) => (isTokenPair(pair) ? tokenIn(pair) : []))
    : [];
  const tokens = [...(inHeader === undefined ? [] : [inHeader]), ...inQuery];
  if (tokens.length > 1)
    throw new HttpRequestError(
      400,
      "SEVERAL_TOKENS",
      `show one token: in Authorization, or as ${TOKEN_PARAMETER}`,
    );
  // A scheme that is not ours is no token, and must not be taken for an anonymous request.
  return tokens[0] ?? (request.headers.authorization === undefined ? undefined : "");
}

/** What a link can do is not to be done by a token that may stand in somebody's history. */
function takesTokenParameter({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

function isTokenPair(pair: string): boolean {
  return pair.startsWith(`${TOKEN_PARAMETER}=`);
}

function tokenIn(pair: string): string {
  try {
    return decodeURIComponent(pair.slice(TOKEN_PARAMETER.length + 1));
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new HttpRequestError(400, "BAD_URL", "the query is not percent-encoded UTF-8");
  }
}
