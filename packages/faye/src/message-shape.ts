/**
 * What may come in as a message of the Bayeux protocol?
 *
 * Faye trusts that a channel is a text and a list a list. What is neither makes it throw, count to whatever a client says is
 * the length of a list, or expand a channel of a hundred thousand parts into as many names. So a message is looked at before
 * Faye does, and one that no client would send is answered with an error and goes no further.
 */
import type { FayeMessage } from "./faye.ts";
import { isMap } from "./request.ts";

/** Characters of a channel. Faye makes a name of every part of it: their sum grows with the square of the length. */
const CHANNEL_LENGTH_MAX = 1_024;

/** Characters of what names clients, messages, versions and transports. */
const NAME_LENGTH_MAX = 256;

/** Faye knows six types of connections. */
const CONNECTION_TYPES_MAX = 32;

/** `setTimeout` takes no more, and waits not at all for what is longer. */
const TIMEOUT_MS_MAX = 2_147_483_647;

/** Faye puts an error of its own in place of ours if something is missing that a message must have. */
const COMPLETE = {
  data: null,
  subscription: [],
  version: "1.0",
  supportedConnectionTypes: ["long-polling"],
} as const;

/**
 * Whether Faye can deal with a message.
 *
 * @param depthMax levels of maps and lists, the message itself included. Cost: O(message)
 */
export function isWellFormed(message: unknown, depthMax: number): message is FayeMessage {
  if (!isMap(message) || !isPlain(message, depthMax)) return false;
  const { channel, clientId, id, subscription, version, minimumVersion, connectionType } = message;
  const { supportedConnectionTypes: types, advice } = message;
  return (
    isText(channel, CHANNEL_LENGTH_MAX) &&
    [clientId, connectionType].every((name) => isAbsent(name) || isText(name, NAME_LENGTH_MAX)) &&
    [id, version, minimumVersion].every((name) => isAbsent(name) || isName(name)) &&
    (isAbsent(types) || isListOfTexts(types, CONNECTION_TYPES_MAX, NAME_LENGTH_MAX)) &&
    (isAbsent(subscription) ||
      isText(subscription, CHANNEL_LENGTH_MAX) ||
      isListOfTexts(subscription, Number.POSITIVE_INFINITY, CHANNEL_LENGTH_MAX)) &&
    (isAbsent(advice) || isAdvice(advice))
  );
}

/** A message that Faye answers with an error, whatever it was: of the one that came, only what is harmless is left. */
export function badRequest(message: unknown): FayeMessage {
  const { channel, clientId, id } = isMap(message) ? message : ({} as FayeMessage);
  return {
    ...(isText(channel, CHANNEL_LENGTH_MAX) && { channel }),
    ...(isText(clientId, NAME_LENGTH_MAX) && { clientId }),
    ...(isName(id) && { id }),
    ...COMPLETE,
    error: "400::Bad request",
  };
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isText(value: unknown, lengthMax: number): value is string {
  return typeof value === "string" && value.length <= lengthMax;
}

function isName(value: unknown): boolean {
  return typeof value === "number" || isText(value, NAME_LENGTH_MAX);
}

function isListOfTexts(value: unknown, countMax: number, lengthMax: number): boolean {
  return Array.isArray(value) && value.length <= countMax && value.every((item) => isText(item, lengthMax));
}

function isAdvice(value: unknown): boolean {
  if (!isMap(value)) return false;
  const { timeout } = value;
  return isAbsent(timeout) || (typeof timeout === "number" && timeout >= 0 && timeout <= TIMEOUT_MS_MAX);
}

/** Neither deeper than allowed, nor with the one name that changes what a map is when Faye copies it. */
function isPlain(value: unknown, depthLeft: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depthLeft === 0 || Object.hasOwn(value, "__proto__")) return false;
  return Object.values(value).every((part) => isPlain(part, depthLeft - 1));
}
