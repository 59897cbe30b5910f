/** What a resource is: where it stands, and what answers for it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Action } from "../access/access.ts";
import type { Reply } from "./json.ts";

/** A request that found its resource. `params` are decoded, `query` is not read yet. */
export interface ApiRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: Readonly<Record<string, string>>;
  readonly query: string;
}

/** Answers a request; `undefined` when it has taken the response over. Whatever it throws becomes the error reply. */
export type Handler = (request: ApiRequest) => Reply | undefined | Promise<Reply | undefined>;

/**
 * What a request needs to be allowed; `anybody`: nothing, not even to be known. Every resource has to say it.
 *
 * Throws what the handler would for a request that is malformed.
 */
export type Needs = "anybody" | ((request: ApiRequest) => readonly Action[]);

/** A resource: `:name` in its path stands for one percent-encoded segment, `*` for all the rest. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly needs: Needs;
  readonly handle: Handler;
}
