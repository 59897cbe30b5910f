/** Asks a running node over its HTTP API. */
import { CommandError, UsageError } from "./failure.ts";
import { readEvents, type ServerEvent } from "./server-events.ts";

/** Where `presently start` listens unless told otherwise. */
export const DEFAULT_URL = "http://127.0.0.1:4001";

const ANSWER_TIMEOUT_MS = 10_000;

/** One node, seen from outside. */
export class NodeClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  /**
   * @param token that is shown with every request
   * @throws {UsageError} unless it is an `http://` or `https://` URL, and the token one that a header field can hold
   */
  constructor(url: string, token?: string) {
    if (!URL.canParse(url) || !["http:", "https:"].includes(new URL(url).protocol)) {
      throw new UsageError(`--url ${JSON.stringify(url)} is not a URL such as ${DEFAULT_URL}`);
    }
    this.#base = url.replace(/\/+$/, "");
    if (token !== undefined && !/^[\w.~+/-]+=*$/.test(token))
      throw new UsageError("the token has characters that no token has");
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** The URL that was given. */
  get url(): string {
    return this.#base;
  }

  /**
   * The JSON at a path.
   *
   * @throws {CommandError} when no node answers, or when it refuses
   */
  async get<T>(path: string): Promise<T> {
    const response = await this.#fetch(path, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
    return (await this.#jsonOf(response)) as T;
  }

  /**
   * Deletes what is at a path; gives the answer, if there is one.
   *
   * @throws {CommandError} when no node answers, or when it refuses
   */
  async delete<T = void>(path: string): Promise<T> {
    const response = await this.#fetch(path, AbortSignal.timeout(ANSWER_TIMEOUT_MS), "DELETE");
    return (response.status === 204 ? undefined : await this.#jsonOf(response)) as T;
  }

  /**
   * The events of a topic, from the state on, until the node ends the stream or `signal` fires.
   *
   * @throws {CommandError} when no node answers, or when it refuses
   */
  async *events(topic: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const response = await this.#fetch(`/api/topics/${encodeURIComponent(topic)}/events`, signal);
    if (!response.ok || response.body === null) {
      await this.#jsonOf(response);
      throw new CommandError(`${this.#base} sent no events`);
    }
    try {
      yield* readEvents(response.body);
    } catch (cause) {
      throw new CommandError(`lost the node at ${this.#base} (${reasonOf(cause)})`, { cause });
    }
  }

  async #fetch(path: string, signal: AbortSignal, method = "GET"): Promise<Response> {
    try {
      return await fetch(this.#base + path, { method, signal, headers: this.#headers });
    } catch (cause) {
      throw this.#unreachable(cause);
    }
  }

  async #jsonOf(response: Response): Promise<unknown> {
    let body: unknown;
    try {
      body = await response.json();
    } catch (cause) {
      throw new CommandError(`${this.#base} answers, but not as a node does: name a node with --url`, {
        cause,
      });
    }
    if (response.ok) return body;
    if (response.status === 401)
      throw new CommandError(
        `${this.#base} asks for a token that it knows: give one with --token-file or PRESENTLY_TOKEN`,
      );
    const message = (body as { error?: { message?: unknown } } | null)?.error?.message;
    throw new CommandError(
      typeof message === "string" ? message : `${this.#base} answers ${response.status}`,
    );
  }

  #unreachable(cause: unknown): CommandError {
    return new CommandError(
      `no node answers at ${this.#base} (${reasonOf(cause)}): start one with "presently start --name n1", or name another with --url`,
      { cause },
    );
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause as { code?: unknown; message?: unknown } | undefined;
  return String(inner?.code ?? inner?.message ?? cause.message);
}
