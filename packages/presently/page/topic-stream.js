/**
 * A state and the changes after it over server-sent events, for as long as it is not closed: a topic, with or without
 * being present there (then key and meta are in the URL), or the notices of a node.
 *
 * A lost stream is opened again with capped, jittered back-off, and each new one starts with a whole state. (An EventSource
 * would try again by itself, but not after every kind of failure, not in every browser, and without saying when.)
 */

const RETRY_FIRST_MS = 400;
const RETRY_MAX_MS = 5_000;

/**
 * @typedef {{ kind: "connecting" } | { kind: "live" } | { kind: "waiting", retryAtMs: number }
 *   | { kind: "refused", message: string, status: number, code: string }} StreamStatus  `retryAtMs` by
 *   `performance.now()`; after `refused` nothing more is tried
 */

export class TopicStream {
  #url;
  #handlers;
  #diffEvent;
  /** @type {EventSource | undefined} */
  #source;
  #timer;
  #failures = 0;
  #closed = false;

  /**
   * @param {string} url
   * @param {{ onState: (state: any) => void, onDiff: (diff: any) => boolean, onStatus: (status: StreamStatus) => void }} handlers
   *   `onDiff` answers whether the diff followed; if not, the stream is opened anew for the sake of its state
   * @param {string} diffEvent  what the changes are called on the wire
   */
  constructor(url, handlers, diffEvent = "diff") {
    this.#url = url;
    this.#diffEvent = diffEvent;
    this.#handlers = handlers;
    this.#open();
  }

  /** Ends the presence. Nothing is reported any more. */
  close() {
    this.#closed = true;
    this.#drop();
  }

  /** Tries at once, if it is waiting: the network or the page is back. */
  retryNow() {
    if (this.#closed || this.#source !== undefined || this.#timer === undefined) return;
    this.#open();
  }

  #open() {
    this.#drop();
    this.#handlers.onStatus({ kind: "connecting" });
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener("state", (event) => {
      this.#failures = 0;
      this.#handlers.onState(JSON.parse(event.data));
      this.#handlers.onStatus({ kind: "live" });
    });
    source.addEventListener(this.#diffEvent, (event) => {
      if (!this.#handlers.onDiff(JSON.parse(event.data))) this.#open();
    });
    source.addEventListener("error", () => {
      this.#drop();
      void this.#failed();
    });
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
  }

  async #failed() {
    this.#failures++;
    const longestMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1));
    const waitMs = longestMs * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#open(), waitMs);
    this.#handlers.onStatus({ kind: "waiting", retryAtMs: performance.now() + waitMs });
    if (this.#failures < 2) return;
    const refusal = await refusalOf(this.#url);
    // Meanwhile it may have been opened or closed.
    if (refusal === undefined || this.#closed || this.#source !== undefined) return;
    this.#drop();
    this.#closed = true;
    this.#handlers.onStatus({ kind: "refused", ...refusal });
  }
}

/** Why the server will not take this request however often it is repeated; undefined when it may. */
async function refusalOf(url) {
  // An EventSource never says why it failed, so the same is asked in a way that does.
  const controller = new AbortController();
  try {
    const response = await fetch(url, { signal: controller.signal });
    const lasting = response.status >= 400 && response.status < 500 && response.status !== 429;
    if (!lasting) return undefined;
    const { code = "", message = response.statusText } = (await response.json()).error ?? {};
    return { message, code, status: response.status };
  } catch {
    // The node cannot be reached, which is what trying again is for.
    return undefined;
  } finally {
    controller.abort();
  }
}
