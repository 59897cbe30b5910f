/** The node's API, with the token if there is one. */

const TOKEN_NAME = "presently.token";
const TIMEOUT_MS = 10_000;

/** A request that was refused or failed. `status` is 0 if no answer came. */
export class ApiError extends Error {
  /** @param {{ status: number, code: string, message: string }} answer */
  constructor({ status, code, message }) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }

  /** Whether a token, or another one, may help. */
  get needsToken() {
    return tokenHelps(this);
  }
}

/** A page of another origin, or under another host, is refused whoever asks. */
export function tokenHelps({ status, code }) {
  return status === 401 || (status === 403 && code === "FORBIDDEN");
}

export class Api {
  #storage;
  /** Where storage is forbidden, it is kept until the page is loaded again. */
  #token;

  /** @param {Storage} storage  of the tab: a token that outlives it would be found by the next person */
  constructor(storage) {
    this.#storage = storage;
    try {
      this.#token = storage.getItem(TOKEN_NAME) ?? undefined;
    } catch {
      this.#token = undefined;
    }
  }

  /** @returns {string | undefined} */
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token;
    try {
      if (token === undefined) this.#storage.removeItem(TOKEN_NAME);
      else this.#storage.setItem(TOKEN_NAME, token);
    } catch {
      // It is in memory, which is all that is needed until the page is loaded again.
    }
  }

  /** Why something was refused, in a sentence. */
  explain({ status, message }) {
    const unasked = status === 401 && this.#token === undefined;
    return unasked ? "This node asks for a token." : `${message[0]?.toLocaleUpperCase()}${message.slice(1)}.`;
  }

  /** Reads JSON. @returns {Promise<any>} @throws {ApiError} */
  async get(path, signal) {
    return (await this.#ask("GET", path, signal)).body;
  }

  /** Does something that changes things; the body is undefined if there is none. @throws {ApiError} */
  async act(method, path) {
    return this.#ask(method, path, AbortSignal.timeout(TIMEOUT_MS));
  }

  /** An event stream cannot carry header fields, so its address carries the token. */
  streamUrl(path) {
    if (this.#token === undefined) return path;
    return `${path}?${new URLSearchParams({ access_token: this.#token })}`;
  }

  async #ask(method, path, signal) {
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    let response;
    try {
      response = await fetch(path, { method, headers, signal, cache: "no-store" });
      const text = await response.text();
      const body = text === "" ? undefined : JSON.parse(text);
      if (response.ok) return { status: response.status, body };
      throw new ApiError({
        status: response.status,
        code: body?.error?.code ?? "",
        message: body?.error?.message ?? `the node answered ${response.status}`,
      });
    } catch (cause) {
      if (cause instanceof ApiError) throw cause;
      throw new ApiError(unanswered(cause, response));
    }
  }
}

function unanswered(cause, response) {
  if (cause instanceof SyntaxError) {
    const message = `the answer (${response.status}) is no JSON: is something between this page and the node?`;
    return { status: response.status, code: "NOT_JSON", message };
  }
  const late = cause instanceof DOMException && cause.name === "TimeoutError";
  return late
    ? {
        status: 0,
        code: "TIMEOUT",
        message: "the node did not answer in time; it may have done it all the same",
      }
    : { status: 0, code: "UNREACHABLE", message: "the node cannot be reached" };
}
