/** Turns what happens on the channels of the cluster into messages for the clients of this server. */
import type { PersonEvent } from "presently";
import { isPublishable } from "./grammar.ts";
import { dataOf, inPortions, type PresenceEvent } from "./presence-event.ts";
import { type IdAndValue, latestOf, shownValue, type ValueShape } from "./presence-value.ts";

export interface AnnouncerOptions {
  readonly shape: ValueShape;
  readonly idsPerEvent: number;
  readonly publish: (channel: string, data: unknown) => void;
}

export class Announcer {
  readonly #options: AnnouncerOptions;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Tells of changes that the node told of; those who went are told of first. */
  changed(channel: string, events: readonly PersonEvent[]): void {
    const { shape, idsPerEvent } = this.#options;
    const gone: IdAndValue[] = [];
    const come: IdAndValue[] = [];
    for (const event of events) {
      if (event.type === "update") continue;
      const presence = event.type === "join" ? latestOf(event.presences)! : event.presence;
      if (event.type === "join") come.push([event.key, shownValue(presence, shape)]);
      else gone.push([event.key, null]);
    }
    for (const event of inPortions("unsubscribe", gone, idsPerEvent)) this.tell(channel, event);
    for (const event of inPortions("subscribe", come, idsPerEvent)) this.tell(channel, event);
  }

  /** Tells of one event. A pattern is no channel: nobody can be told there. */
  tell(channel: string, event: PresenceEvent): void {
    if (isPublishable(channel)) this.#options.publish(channel, dataOf(event));
  }
}
