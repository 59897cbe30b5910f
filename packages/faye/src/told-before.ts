/**
 * Keeps events from before a subscription away from its client.
 *
 * By polling, events wait at the server until the client asks. Who leaves a channel and comes back misses what happens in
 * between: an event from before that gap would come after the new list, and change it for good. So each event is numbered,
 * and each subscription knows the number that it began at.
 */
import type { FayeMessage } from "./faye.ts";
import { isMap } from "./request.ts";

/** The note in `ext` of an event, which clients do not see. */
const NOTE = "presently";

export class ToldBefore {
  readonly #starts = new Map<string, Map<string, number>>();

  /** A subscription begins; it goes on if it has begun already. @param number of the last event that was told */
  begins(clientId: string, channel: string, number: number): void {
    const channels = this.#starts.get(clientId) ?? new Map<string, number>();
    this.#starts.set(clientId, channels);
    if (!channels.has(channel)) channels.set(channel, number);
  }

  ends(clientId: string, channel: string): void {
    const channels = this.#starts.get(clientId);
    if (channels?.delete(channel) && channels.size === 0) this.#starts.delete(clientId);
  }

  /** Takes the note off an event, and returns true if the event is older than the client's subscription. */
  includes(event: FayeMessage, clientId: string | undefined): boolean {
    const number = takeNote(event);
    if (number === undefined || clientId === undefined) return false;
    const start = this.#starts.get(clientId)?.get(event.channel as string);
    return start !== undefined && number <= start;
  }
}

/** `ext` of an event with this number. */
export function noteOf(number: number): Readonly<Record<string, unknown>> {
  return { [NOTE]: number };
}

/** Takes the note off a message. */
export function takeNote(message: FayeMessage): number | undefined {
  if (!isMap(message.ext) || !Object.hasOwn(message.ext, NOTE)) return undefined;
  const { [NOTE]: number, ...ext } = message.ext;
  if (Object.keys(ext).length === 0) delete message.ext;
  else message.ext = ext;
  return typeof number === "number" ? number : undefined;
}
