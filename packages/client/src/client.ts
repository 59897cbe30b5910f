/** The connection of a client to one endpoint, and its rooms. */
import { Socket, type SocketConnectOption } from "phoenix";
import { checkTopic, isMap, require } from "./arguments.ts";
import { attemptsOf } from "./attempt.ts";
import { Emitter, type Unsubscribe } from "./emitter.ts";
import { ClientError, limitReached } from "./errors.ts";
import { type ClientOptions, type Settings, settingsOf } from "./options.ts";
import type { Meta } from "./person.ts";
import { isRefused } from "./refusal.ts";
import { type AnyRoom, Room, type RoomHost } from "./room.ts";
import type { RoomOptions } from "./room-snapshot.ts";

/**
 * `idle` until the first room is joined; `connecting`; `connected`; `reconnecting` after the connection broke; `refused`: it
 * tries no more until `connect` is called; `closed`, for good.
 */
export type ClientStatus = "idle" | "connecting" | "connected" | "reconnecting" | "refused" | "closed";

/** What `client.on` can listen to, with what each listener is given. */
export interface ClientEvents {
  readonly status: readonly [status: ClientStatus];
  /** The server refuses this client (`UNAUTHORIZED`), or `getToken` failed (`TOKEN_FAILED`). */
  readonly error: readonly [error: ClientError];
}

/**
 * Makes a client. It connects when the first room is joined, and again whenever the connection breaks, until it is closed.
 *
 * @param url  where the server has its socket: `wss://example.com/socket`, or `/socket` on the page's own host
 * @throws {ClientError} `INVALID_ARGUMENT`, `NO_TRANSPORT`
 */
export function createClient(url: string | URL, options: ClientOptions = {}): Client {
  return new Client(url, options);
}

/** One connection and the rooms that share it. Made by `createClient`; connects again by itself until it is closed. */
export class Client {
  readonly #settings: Settings;
  readonly #host: RoomHost;
  readonly #rooms = new Map<string, AnyRoom>();
  readonly #emitter = new Emitter<ClientEvents>();
  #socket: Socket | undefined;
  #status: ClientStatus = "idle";
  #error: ClientError | undefined;
  /** The token of the last attempt. */
  #token: string | undefined;
  #tokensAsked = 0;
  /** Attempts that failed since the last one that did not. */
  #failures = 0;
  #refusals = 0;
  #closing: Promise<void> | undefined;
  readonly #ending = new AbortController();

  /** @internal Clients come from `createClient`. */
  constructor(url: string | URL, options: ClientOptions) {
    this.#settings = settingsOf(url, options);
    this.#host = {
      settings: this.#settings,
      key: options.key,
      leaving: new Set(),
      connected: () => this.#socket?.isConnected() ?? false,
      ended: (topic) => void this.#rooms.delete(topic),
    };
  }

  get status(): ClientStatus {
    return this.#status;
  }

  /** Why it is not connected, as far as that is known. */
  get error(): ClientError | undefined {
    return this.#error;
  }

  /** The rooms that are joined, or about to be. */
  get topics(): readonly string[] {
    return [...this.#rooms.keys()];
  }

  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (...words: ClientEvents[Name]) => void,
  ): Unsubscribe {
    return this.#emitter.on(event, listener);
  }

  /**
   * Becomes present in a room, for as long as this client lives or until it leaves.
   *
   * @throws {ClientError} `ALREADY_JOINED`, `LIMIT_REACHED` (`roomsMax`), `CLOSED`
   */
  join<M extends Meta = Record<string, unknown>>(topic: string, options: RoomOptions<M> = {}): Room<M> {
    checkTopic(topic);
    require(isMap(options), "options", "an object");
    if (this.#closing !== undefined) throw new ClientError("CLOSED", "this client is closed: make another");
    const { roomsMax } = this.#settings;
    if (this.#rooms.has(topic))
      throw new ClientError("ALREADY_JOINED", `${topic} is joined already: client.room(topic) gives it`, {
        topic,
      });
    if (this.#rooms.size >= roomsMax) throw limitReached("roomsMax", roomsMax, "joined rooms", topic);
    const room = new Room<M>(topic, this.#host, options);
    this.#rooms.set(topic, room);
    if (this.#status === "idle") this.connect();
    // A moment later, so that what is said of oneself in the same breath is said with the join.
    else queueMicrotask(() => this.#connectRoom(room));
    return room;
  }

  /** The room that was joined under this topic. */
  room<M extends Meta = Record<string, unknown>>(topic: string): Room<M> | undefined {
    checkTopic(topic);
    return this.#rooms.get(topic);
  }

  /** Connects, if it does not do so already: at once, or again after it was refused. */
  connect(): void {
    if (this.#status !== "idle" && this.#status !== "refused") return;
    this.#failures = 0;
    this.#refusals = 0;
    this.#error = undefined;
    this.#socket ??= this.#newSocket();
    this.#become("connecting");
    this.#socket.connect();
  }

  /** Leaves all rooms and closes the connection, for good. Settles when it is closed. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const rooms = [...this.#rooms.values(), ...this.#host.leaving];
    const channels = rooms.map((room) => room.abandon());
    const socket = this.#socket;
    this.#become("closed");
    this.#ending.abort();
    await new Promise<void>((resolve) => {
      if (socket === undefined) resolve();
      else socket.disconnect(resolve);
    });
    // Without a connection, that only stops their timers.
    for (const channel of channels) channel?.leave();
    this.#emitter.clear();
  }

  #newSocket(): Socket {
    const { url, transport, getToken, connectTimeoutMs, clock, params, ...settings } = this.#settings;
    const attempts = attemptsOf({
      transport,
      connectTimeoutMs,
      clock,
      getToken: getToken === undefined ? undefined : () => this.#askToken(getToken),
      onFailed: (failure) => this.#attemptFailed(failure),
    });
    const socket = new Socket(url, {
      params,
      transport: attempts as SocketConnectOption["transport"],
      timeout: settings.timeoutMs,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      reconnectAfterMs: settings.reconnectAfterMs,
      rejoinAfterMs: settings.rejoinAfterMs,
    });
    // phoenix.js does not connect again while its page is hidden. Who has another tab in front is still present.
    Object.defineProperty(socket, "pageHidden", { get: () => false, set: () => {} });
    socket.onOpen(() => this.#opened(socket));
    socket.onClose(() => this.#lost());
    return socket;
  }

  async #askToken(getToken: () => string | Promise<string>): Promise<string> {
    const asked = ++this.#tokensAsked;
    const token = await getToken();
    // One that was given up may come later than the next.
    if (asked === this.#tokensAsked) this.#token = token;
    return token;
  }

  #opened(socket: Socket): void {
    this.#failures = 0;
    this.#refusals = 0;
    this.#error = undefined;
    this.#become("connected");
    for (const room of [...this.#rooms.values()]) room.connect(socket);
  }

  #connectRoom(room: AnyRoom): void {
    if (this.#socket?.isConnected() && this.#closing === undefined) room.connect(this.#socket);
  }

  #lost(): void {
    if (this.#status === "connected") this.#become("reconnecting");
  }

  #attemptFailed(failure: { readonly cause: unknown } | undefined): void {
    this.#failures++;
    if (failure !== undefined) {
      const message =
        "there is no connection without a token: getToken failed, or the address cannot be opened";
      this.#failed(new ClientError("TOKEN_FAILED", message, { temporary: true, cause: failure.cause }));
      return;
    }
    // There was a token this time.
    if (this.#error?.code === "TOKEN_FAILED") this.#error = undefined;
    // Asked seldom, and not after the first: most often the server is only away for a moment.
    if (this.#failures > 1 && Number.isInteger(Math.log2(this.#failures))) void this.#askWhy();
  }

  async #askWhy(): Promise<void> {
    const failures = this.#failures;
    const refused = await isRefused(this.#settings, this.#token, this.#ending.signal);
    // Meanwhile it may have connected, or have been closed.
    if (!refused || this.#failures < failures || !this.#isTrying) return;
    const { tokenChanges, refusalsMax } = this.#settings;
    const isLast = !tokenChanges || ++this.#refusals >= refusalsMax;
    const message =
      "the server refuses this client: its token is missing, wrong or expired, its key is empty or too long, or the " +
      `page's origin is not allowed. ${isLast ? "Correct that, and call connect()" : "Trying again with another token"}`;
    const error = new ClientError("UNAUTHORIZED", message, { temporary: !isLast });
    if (isLast) {
      this.#socket?.disconnect();
      this.#become("refused");
      for (const room of this.#rooms.values()) room.refusedWith(error);
    }
    this.#failed(error);
  }

  get #isTrying(): boolean {
    return this.#status === "connecting" || this.#status === "reconnecting";
  }

  #failed(error: ClientError): void {
    this.#error = error;
    this.#emitter.emit("error", error);
  }

  #become(status: ClientStatus): void {
    if (this.#status === status || this.#status === "closed") return;
    this.#status = status;
    this.#emitter.emit("status", status);
  }
}
