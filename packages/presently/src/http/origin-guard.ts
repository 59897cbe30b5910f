/** Which web pages may use the API: by default only those that this server itself serves. */
import type { IncomingMessage } from "node:http";
import { HttpRequestError } from "../errors.ts";

/** What a browser is told about pages of other origins. */
export class OriginGuard {
  readonly #allowed: ReadonlySet<string>;

  /** @param allowedOrigins  exact origins, or `*` for every one */
  constructor(allowedOrigins: readonly string[]) {
    this.#allowed = new Set(allowedOrigins);
  }

  /** The header fields for the answer; none for a request that comes from no other origin, or from one that may not. */
  headersFor(request: IncomingMessage): Readonly<Record<string, string>> {
    if (this.#allowed.size === 0) return {};
    const { origin } = request.headers;
    if (origin === undefined || !this.#allows(origin)) return { vary: "origin" };
    return {
      vary: "origin",
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, HEAD, PUT, DELETE, OPTIONS",
      "access-control-allow-headers": "authorization, content-type",
      "access-control-max-age": "600",
    };
  }

  /**
   * Refuses a request that would change presence on behalf of a page of another origin. Browsers keep such a page from
   * reading the answer, but they do send the request: opening an event stream would make its visitor present.
   *
   * @throws {HttpRequestError} `ORIGIN_REFUSED`
   */
  check(request: IncomingMessage): void {
    const { origin, host } = request.headers;
    const foreign =
      origin === undefined
        ? request.headers["sec-fetch-site"] === "cross-site" && !this.#allowed.has("*")
        : !isSameOrigin(origin, host) && !this.#allows(origin);
    if (foreign) {
      throw new HttpRequestError(
        403,
        "ORIGIN_REFUSED",
        "pages of this origin may not use the API: name the origin in http.allowedOrigins",
      );
    }
  }

  #allows(origin: string): boolean {
    return this.#allowed.has("*") || this.#allowed.has(origin);
  }
}

/** The scheme is not compared: behind a proxy that ends TLS, the page's is https and ours is http. */
function isSameOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
