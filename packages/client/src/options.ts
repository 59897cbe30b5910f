/** What a client can be told, with its defaults and its bounds. */
import { isMap, positive, require } from "./arguments.ts";
import { type Clock, systemClock } from "./clock.ts";
import { ClientError, limitReached } from "./errors.ts";

/** A WebSocket, as browsers, Node.js from 22 on and the npm package `ws` have it; or `LongPoll` of phoenix.js. */
// biome-ignore lint/suspicious/noExplicitAny: every WebSocket types its events in its own way, and none is called here by them.
export type Transport = new (url: string, protocols?: any) => any;

/** Who the client is to the server, and how it connects and connects again. */
export interface ClientOptions {
  /** The name under which this client is present. Sent as the connect parameter `keyParameter`; with a token, its claim counts. */
  readonly key?: string;
  /** Default `user_id`, which is the default of the server. */
  readonly keyParameter?: string;
  /** A JSON web token that does not change; for one that expires, `getToken`. */
  readonly token?: string;
  /** Asked before every attempt to connect, so that it can give a token that is fresh. What it throws is told as `TOKEN_FAILED`. */
  readonly getToken?: () => string | Promise<string>;
  /** More parameters of the connection. */
  readonly params?: Readonly<Record<string, string>>;
  /** Default: the `WebSocket` of the browser or of Node.js 22; on Node.js 20, give that of the package `ws`. */
  readonly transport?: Transport;
  /** How long an attempt to connect may take, `getToken` included. Default 10,000 ms. */
  readonly connectTimeoutMs?: number;
  /** How long the server may take to answer a join, an update or a message. Default 10,000 ms. */
  readonly timeoutMs?: number;
  /** Default 30,000 ms; a server closes what was silent for 60 s. A dead connection shows after at most twice as long. */
  readonly heartbeatIntervalMs?: number;
  /** How long to wait before the n-th attempt to connect. Default: as phoenix.js, 10 ms to 5 s, at random between half of it and all. */
  readonly reconnectAfterMs?: (tries: number) => number;
  /** How long to wait before the n-th attempt to join a room that could not be joined. Default: 1, 2, 5 and then 10 s, as phoenix.js. */
  readonly rejoinAfterMs?: (tries: number) => number;
  /** How many refusals in a row, each of a fresh token, end the attempts to connect. Default 3; without `getToken` it is the first. */
  readonly refusalsMax?: number;
  /** Rooms that may be joined at a time. Default 100, which is the bound of the server. */
  readonly roomsMax?: number;
  /** Messages of one room that may be unanswered or wait for the connection. Default 100. */
  readonly pendingMax?: number;
  /** UTF-8 bytes, as JSON, of one message or of what one says of oneself. Default 60,000: a server closes what sends 64 KiB. */
  readonly messageBytesMax?: number;
  /** For tests. The timers of phoenix.js keep to the real one. */
  readonly clock?: Clock;
}

/** The options, checked and complete. */
export interface Settings
  extends Required<
    Omit<ClientOptions, "key" | "keyParameter" | "token" | "getToken" | "params" | "transport">
  > {
  readonly url: string;
  readonly transport: Transport;
  readonly params: Readonly<Record<string, string>>;
  readonly getToken: (() => string | Promise<string>) | undefined;
  /** Whether each attempt may have another token. */
  readonly tokenChanges: boolean;
}

/** The steps of phoenix.js. Spread, so that the clients of a node that died do not all come at the same moment. */
const RECONNECT_STEPS_MS = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000];
const REJOIN_STEPS_MS = [1_000, 2_000, 5_000];

/** @throws {ClientError} `INVALID_ARGUMENT`, `NO_TRANSPORT` */
export function settingsOf(url: string | URL, options: ClientOptions): Settings {
  require(isMap(options), "options", "an object");
  for (const name of ["getToken", "transport", "reconnectAfterMs", "rejoinAfterMs"] as const)
    require(["undefined", "function"].includes(typeof options[name]), name, "a function");
  const { key, keyParameter = "user_id", token, getToken, params, clock = systemClock } = options;
  if (token !== undefined && getToken !== undefined)
    throw new ClientError("INVALID_ARGUMENT", "token and getToken: give one of the two");
  return {
    url: checkedUrl(url),
    transport: options.transport ?? globalTransport(),
    params: { ...params, ...(key !== undefined && { [keyParameter]: key }) },
    getToken: getToken ?? (token === undefined ? undefined : () => token),
    tokenChanges: getToken !== undefined,
    connectTimeoutMs: positive("connectTimeoutMs", options.connectTimeoutMs ?? 10_000),
    timeoutMs: positive("timeoutMs", options.timeoutMs ?? 10_000),
    heartbeatIntervalMs: positive("heartbeatIntervalMs", options.heartbeatIntervalMs ?? 30_000),
    reconnectAfterMs: options.reconnectAfterMs ?? reconnectAfterMs,
    rejoinAfterMs: options.rejoinAfterMs ?? ((tries) => REJOIN_STEPS_MS[tries - 1] ?? 10_000),
    refusalsMax: positive("refusalsMax", options.refusalsMax ?? 3),
    roomsMax: positive("roomsMax", options.roomsMax ?? 100),
    pendingMax: positive("pendingMax", options.pendingMax ?? 100),
    messageBytesMax: positive("messageBytesMax", options.messageBytesMax ?? 60_000),
    clock,
  };
}

/**
 * Returns a value as it travels: a frozen copy, which no later change of the original reaches.
 *
 * @throws {ClientError} `INVALID_ARGUMENT` for what JSON or UTF-8 cannot say; `LIMIT_REACHED` for what no server would take
 */
export function taken<T>(value: T, { messageBytesMax }: Settings, topic: string): T {
  const text = jsonOf(value);
  // UTF-8 has one to three bytes for each unit of a text.
  if (text.length * 3 > messageBytesMax && new TextEncoder().encode(text).length > messageBytesMax)
    throw limitReached("messageBytesMax", messageBytesMax, "bytes of one message", topic);
  return JSON.parse(text, (name, part: unknown) => {
    if (HALF_CHARACTER.test(name) || (typeof part === "string" && HALF_CHARACTER.test(part)))
      throw new ClientError(
        "INVALID_ARGUMENT",
        "what is said must be well-formed Unicode, without half characters",
        { topic },
      );
    return Object.freeze(part);
  });
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch (cause) {
    throw new ClientError("INVALID_ARGUMENT", "what is said must be JSON", { cause });
  }
}

/** Half of a surrogate pair: with the flag `u`, a whole one is one character. */
const HALF_CHARACTER = /\p{Surrogate}/u;

function reconnectAfterMs(tries: number): number {
  return (RECONNECT_STEPS_MS[tries - 1] ?? 5_000) * (0.5 + Math.random() / 2);
}

/** phoenix.js wants `ws:` or a path of the page's own host; whoever copies an address from a browser has `http:`. */
function checkedUrl(url: string | URL): string {
  const text = String(url).replace(/^http/, "ws").replace(/\/+$/, "");
  if (/^(wss?:\/\/[^/?#]|\/)[^?#]*$/.test(text)) return text;
  throw new ClientError(
    "INVALID_ARGUMENT",
    `url must be the address of a socket, such as wss://example.com/socket or /socket, and is ${String(url)}`,
  );
}

function globalTransport(): Transport {
  if (typeof globalThis.WebSocket === "function") return globalThis.WebSocket;
  throw new ClientError(
    "NO_TRANSPORT",
    'there is no WebSocket here, as in Node.js 20: install ws, and give transport: WebSocket of import { WebSocket } from "ws"',
  );
}
