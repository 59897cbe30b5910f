/** What clients may say: the commands of `actioncable-v1-json` and `actioncable-v1-ext-json`. */
import { CommandError } from "./errors.ts";
import { isMap, parseJson } from "./json.ts";

/** Where in a stream a client was. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** What a client has missed at most: since a time in seconds, or since the last message that it saw of a stream. */
export interface HistoryRequest {
  readonly since: number | undefined;
  readonly streams: ReadonlyMap<string, Position>;
}

/** Who a client says it is on a stream. */
export interface PresenceRequest {
  readonly id: string;
  /** Undefined if there is none. */
  readonly info: unknown;
}

export type Command = ChannelCommand | { readonly type: "ping" } | { readonly type: "pong" };

/** Commands about one subscription. */
export type ChannelCommand =
  | {
      readonly type: "subscribe";
      readonly identifier: string;
      readonly history: HistoryRequest | undefined;
      readonly presence: PresenceRequest | undefined;
    }
  | { readonly type: "unsubscribe" | "leave"; readonly identifier: string }
  | { readonly type: "message"; readonly identifier: string; readonly data: unknown }
  | { readonly type: "whisper"; readonly identifier: string; readonly data: unknown }
  | { readonly type: "history"; readonly identifier: string; readonly history: HistoryRequest }
  | { readonly type: "join"; readonly identifier: string; readonly presence: PresenceRequest }
  | { readonly type: "presence"; readonly identifier: string; readonly withRecords: boolean };

/** @throws {CommandError} for everything else */
export function decodeCommand(text: string): Command {
  const frame = parseJson(text);
  if (!isMap(frame)) throw new CommandError("not a map");
  const { command } = frame;
  if (command === "ping" || command === "pong") return { type: command };
  const { identifier } = frame;
  if (typeof identifier !== "string" || identifier === "") throw new CommandError("no identifier");
  switch (command) {
    case "subscribe":
      return {
        type: "subscribe",
        identifier,
        history: frame.history === undefined ? undefined : historyIn(frame.history),
        presence: frame.presence === undefined ? undefined : presenceIn(frame.presence),
      };
    case "unsubscribe":
    case "leave":
      return { type: command, identifier };
    case "message":
      return { type: command, identifier, data: messageIn(frame.data) };
    case "whisper":
      if (frame.data === undefined) throw new CommandError("whisper without data");
      return { type: command, identifier, data: frame.data };
    case "history":
      return { type: command, identifier, history: historyIn(frame.history) };
    case "join":
      return { type: command, identifier, presence: presenceIn(frame.presence) };
    case "presence":
      return { type: command, identifier, withRecords: wantsRecords(frame.data) };
    default:
      throw new CommandError("unknown command");
  }
}

/** The identifier of a subscription names a channel, and has the parameters of it besides. */
export function decodeIdentifier(identifier: string): {
  readonly channel: string;
  readonly params: Readonly<Record<string, unknown>>;
} {
  const fields = parseJson(identifier);
  if (!isMap(fields)) throw new CommandError("the identifier is not a map");
  const { channel, ...params } = fields;
  if (typeof channel !== "string") throw new CommandError("the identifier names no channel");
  return { channel, params };
}

/** Clients send it as JSON in a text. */
function messageIn(data: unknown): unknown {
  return typeof data === "string" ? parseJson(data) : data;
}

function historyIn(history: unknown): HistoryRequest {
  if (!isMap(history)) throw new CommandError("history is not a map");
  const { since, streams = {} } = history;
  if (!isMap(streams)) throw new CommandError("history.streams is not a map");
  const positions = new Map<string, Position>();
  for (const [stream, position] of Object.entries(streams)) {
    if (!isMap(position)) throw new CommandError("a position is not a map");
    const { epoch, offset } = position;
    if (typeof epoch !== "string" || !Number.isSafeInteger(offset)) throw new CommandError("not a position");
    positions.set(stream, { epoch, offset: offset as number });
  }
  return { since: typeof since === "number" && since > 0 ? since : undefined, streams: positions };
}

function presenceIn(presence: unknown): PresenceRequest {
  if (!isMap(presence)) throw new CommandError("presence without data");
  const { id, info } = presence;
  if (typeof id === "number" && Number.isFinite(id)) return { id: String(id), info };
  if (typeof id !== "string" || id === "") throw new CommandError("presence without an id");
  return { id, info };
}

/** `return_records: false` asks for the number alone. */
function wantsRecords(data: unknown): boolean {
  const options = typeof data === "string" ? parseJson(data) : data;
  return !(isMap(options) && options.return_records === false);
}
