/** Finds the resource of a request. */
import createRouter from "find-my-way";
import { HttpRequestError } from "../errors.ts";
import type { Route } from "./route.ts";

/** The resource that was found, and the decoded segments. */
export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** Longer than any request line that the server takes, so that an overlong topic reaches the check that names the limit. */
const PARAM_LENGTH_MAX = Number.MAX_SAFE_INTEGER;

/** Routes by method and path. */
export class Router {
  readonly #router = createRouter({ maxParamLength: PARAM_LENGTH_MAX });
  readonly #methods: ReadonlySet<Route["method"]>;

  constructor(routes: readonly Route[]) {
    this.#methods = new Set(routes.map((route) => route.method));
    for (const route of routes) this.#router.on(route.method, route.path, unused, route);
  }

  /**
   * The resource for a request; HEAD finds that of GET.
   *
   * @param path  still percent-encoded, and known to be decodable
   * @throws {HttpRequestError} `NOT_FOUND`, or `METHOD_NOT_ALLOWED` with the methods that are
   */
  find(method: string, path: string): Match {
    const asked = method === "HEAD" ? "GET" : method;
    const found = this.#methods.has(asked as Route["method"])
      ? this.#router.find(asked as Route["method"], path)
      : null;
    if (found !== null) return { route: found.store, params: found.params as Record<string, string> };
    const allowed = this.allowedMethods(path);
    if (allowed.length === 0) {
      throw new HttpRequestError(404, "NOT_FOUND", "there is nothing at this path: see the README, HTTP API");
    }
    const allow = allowed.join(", ");
    throw new HttpRequestError(405, "METHOD_NOT_ALLOWED", `this resource takes ${allow}`, { allow });
  }

  /** The methods of a resource, for `Allow`; none if there is nothing at the path. */
  allowedMethods(path: string): string[] {
    const own = [...this.#methods].filter((method) => this.#router.find(method, path) !== null);
    if (own.length === 0) return [];
    return [...own.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])), "OPTIONS"];
  }
}

/** The router keeps our handler beside its own, which has another signature; its own is never called. */
function unused(): void {
  throw new Error("the router's own handlers are not called");
}
