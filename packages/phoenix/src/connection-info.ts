/** How a client connected. */
import type { IncomingHttpHeaders } from "node:http";
import type { Identity } from "presently/drop-in";

/** Parameters of the query string; `a[b]=1` is `{ a: { b: "1" } }`. Has no prototype. */
export type Params = Readonly<Record<string, unknown>>;

/** What is known of a connection when `connect` decides on it. */
export interface ConnectionInfo {
  readonly transport: "websocket" | "longpoll";
  /** What the client gave as `authToken`: a sub-protocol of the WebSocket, or a header field. */
  readonly authToken: string | undefined;
  readonly params: Params;
  readonly headers: IncomingHttpHeaders;
  /** Of the client, also behind a proxy that the node trusts (`http.trustedProxies`). */
  readonly remoteAddress: string | undefined;
  /** Who the node's `access` says it is; undefined without it. */
  readonly identity: Identity | undefined;
  /** Of the request, with the query. */
  readonly url: string;
}
