/**
 * Presence in one topic over phoenix.js, as it comes from npm, where the node serves clients of it (`--phoenix`).
 *
 * The client connects again by itself, and its `Presence` keeps the list; here they are given the page's words.
 */

const RETRY_FIRST_MS = 400;
const RETRY_MAX_MS = 5_000;

/** Gives the client and where it connects; undefined if this node serves none. */
export async function findPhoenix() {
  try {
    const response = await fetch("/phoenix.json");
    const { socket, key, client } = await response.json();
    if (client === undefined) return undefined;
    return { socket, key, client: await import(client) };
  } catch {
    // The node went away between the page and this question. The page works as one of a node without it.
    return undefined;
  }
}

export class PhoenixStream {
  #phoenix;
  #handlers;
  #socket;
  #name;
  #failures = 0;
  #closed = false;
  #waiting = false;

  /**
   * @param {{ phoenix: { socket: string, key: string, client: any }, topic: string, name: string, meta: object }} options
   * @param {{ onState: (list: any[]) => void, onChange: (list: any[]) => void,
   *   onStatus: (status: import("./topic-stream.js").StreamStatus) => void }} handlers
   *   `onState` after each join, `onChange` after each diff; both get everybody
   */
  constructor({ phoenix, topic, name, meta }, handlers) {
    this.#phoenix = phoenix;
    this.#handlers = handlers;
    this.#name = name;
    handlers.onStatus({ kind: "connecting" });
    this.#socket = new phoenix.client.Socket(phoenix.socket, {
      params: { [phoenix.key]: name },
      reconnectAfterMs: (tries) => this.#retryAfterMs(tries),
      rejoinAfterMs: (tries) => waitMs(tries),
    });
    this.#socket.onOpen(() => {
      this.#failures = 0;
      this.#waiting = false;
    });
    this.#join(topic, meta);
    this.#socket.connect();
  }

  /** Ends the presence. Nothing is reported any more. */
  close() {
    this.#closed = true;
    this.#socket.disconnect();
  }

  /** Connects at once, if it is waiting: the network or the page is back. */
  retryNow() {
    if (this.#closed || !this.#waiting) return;
    this.#waiting = false;
    this.#socket.disconnect();
    this.#socket.connect();
  }

  #join(topic, meta) {
    const channel = this.#socket.channel(topic, { meta });
    const presence = new this.#phoenix.client.Presence(channel);
    let joinRef;
    presence.onSync(() => {
      if (this.#closed) return;
      const list = presence.list((key, { metas }) => [key, metas.map((each) => entryOf(key, each))]);
      // The first after a join is the state: what came and went meanwhile was not seen.
      if (joinRef === channel.joinRef()) this.#handlers.onChange(list);
      else {
        joinRef = channel.joinRef();
        this.#handlers.onState(list);
        this.#handlers.onStatus({ kind: "live" });
      }
    });
    channel.join().receive("error", ({ reason }) => this.#refused(reason));
  }

  /** The client asks how long to wait whenever it has lost its connection. */
  #retryAfterMs(tries) {
    const afterMs = waitMs(tries);
    this.#waiting = true;
    this.#failures++;
    if (!this.#closed) this.#handlers.onStatus({ kind: "waiting", retryAtMs: performance.now() + afterMs });
    if (this.#failures === 2) void this.#askWhy();
    return afterMs;
  }

  /** A WebSocket never says why it failed; the same over long-polling says whether it was refused. */
  async #askWhy() {
    const query = new URLSearchParams({ [this.#phoenix.key]: this.#name, vsn: "2.0.0" });
    try {
      const response = await fetch(`${this.#phoenix.socket}/longpoll?${query}`);
      if ((await response.json()).status === 403)
        this.#refused("The node refuses this name: it may have 255 bytes.");
    } catch {
      // The node cannot be reached, which is what trying again is for.
    }
  }

  #refused(message) {
    if (this.#closed) return;
    this.close();
    this.#handlers.onStatus({ kind: "refused", message });
  }
}

/** Grows with each try, and differs from one page to the next. */
function waitMs(tries) {
  return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
}

/** A meta as the page knows it. A reference of Presently begins with the name of the node. */
function entryOf(key, { phx_ref: ref, phx_ref_prev: previousRef, online_at: onlineAt, ...rest }) {
  const since = /^\d{1,12}$/.test(onlineAt) ? Number(onlineAt) * 1_000 : undefined;
  return { key, ref, previousRef, node: ref.slice(0, ref.lastIndexOf("@")), meta: { since, ...rest } };
}
