/**
 * One attempt to connect, in the place of the WebSocket that phoenix.js would make.
 *
 * phoenix.js asks for its token with a function that has to answer at once, and waits for ever for a server that does not
 * answer. So it is given this: something like a WebSocket, that first asks for the token, and then is a WebSocket, within
 * a time.
 */
import type { Clock } from "./clock.ts";
import type { Transport } from "./options.ts";

export interface AttemptOptions {
  readonly transport: Transport;
  readonly getToken: (() => string | Promise<string>) | undefined;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  /** The attempt has failed; with an error if that was `getToken`. Told before phoenix.js hears of it. */
  readonly onFailed: (tokenError?: { readonly cause: unknown }) => void;
}

const TOKEN_PREFIX = "base64url.bearer.phx.";
const STATE = { connecting: 0, open: 1, closing: 2, closed: 3 } as const;
/** What a browser gives as the code of a connection that broke. */
const ABNORMAL = 1006;

/** The class that phoenix.js makes its connections of. */
export function attemptsOf(options: AttemptOptions): new (url: string) => object {
  return class extends Attempt {
    constructor(url: string) {
      super(url, options);
    }
  };
}

type Handler = (event: unknown) => void;
const nothing: Handler = () => {};

class Attempt {
  onopen = nothing;
  onerror = nothing;
  onmessage = nothing;
  onclose = nothing;
  /** Set by phoenix.js after construction, for the connection that is made after it. */
  binaryType = "arraybuffer";
  timeout = 0;
  readonly #options: AttemptOptions;
  // biome-ignore lint/suspicious/noExplicitAny: see Transport.
  #inner: any;
  #abandoned = false;
  #settled = false;
  readonly #stopTimer: () => void;

  constructor(url: string, options: AttemptOptions) {
    this.#options = options;
    this.#stopTimer = options.clock.after(options.connectTimeoutMs, () => this.#tookTooLong());
    void this.#open(url);
  }

  get readyState(): number {
    if (this.#abandoned) return STATE.closed;
    return this.#inner === undefined ? STATE.connecting : this.#inner.readyState;
  }

  get bufferedAmount(): number {
    return this.#inner?.bufferedAmount ?? 0;
  }

  /** Long-polling needs no heartbeats. */
  get skipHeartbeat(): boolean {
    return this.#inner?.skipHeartbeat ?? false;
  }

  send(data: unknown): void {
    this.#inner.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#stopTimer();
    this.#settled = true;
    if (this.#inner === undefined) this.#abandoned = true;
    else if (code === undefined) this.#inner.close();
    else this.#inner.close(code, reason);
  }

  async #open(url: string): Promise<void> {
    let protocols: string[] | undefined;
    try {
      const token = await this.#options.getToken?.();
      if (token !== undefined) protocols = ["phoenix", TOKEN_PREFIX + encoded(token)];
    } catch (cause) {
      this.#fail({ cause });
      return;
    }
    if (this.#abandoned) return;
    try {
      this.#inner = new this.#options.transport(url, protocols);
    } catch (cause) {
      // A browser refuses some addresses at once: an insecure one from a secure page.
      this.#fail({ cause });
      return;
    }
    this.#listen(this.#inner);
  }

  // biome-ignore lint/suspicious/noExplicitAny: see Transport.
  #listen(inner: any): void {
    inner.binaryType = this.binaryType;
    inner.timeout = this.timeout;
    inner.onopen = (event: unknown) => {
      this.#settled = true;
      this.#stopTimer();
      this.onopen(event);
    };
    inner.onmessage = (event: unknown) => this.onmessage(event);
    inner.onerror = (event: unknown) => this.onerror(event);
    inner.onclose = (event: unknown) => {
      this.#stopTimer();
      if (!this.#settled) {
        this.#settled = true;
        this.#options.onFailed();
      }
      this.onclose(event);
    };
  }

  #tookTooLong(): void {
    if (this.#settled) return;
    const { connectTimeoutMs } = this.#options;
    if (this.#inner === undefined)
      this.#fail({
        cause: new Error(`getToken gave nothing within ${connectTimeoutMs} ms (connectTimeoutMs)`),
      });
    else this.#inner.close();
  }

  /** There is nothing to connect with. */
  #fail(tokenError: { readonly cause: unknown }): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#abandoned = true;
    this.#stopTimer();
    this.#options.onFailed(tokenError);
    this.onerror(tokenError.cause);
    this.onclose({ code: ABNORMAL, reason: "", wasClean: false });
  }
}

/** As phoenix.js does it, but that `/`, which may not stand in the name of a subprotocol, is `_`. */
function encoded(token: string): string {
  return btoa(token).replaceAll("=", "").replaceAll("/", "_");
}
