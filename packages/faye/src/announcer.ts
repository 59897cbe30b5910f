/** Turns what happens on the channels of the cluster into messages for the clients of this server. */
import type { PresentlyNode } from "presently";
import type { RosterEvent } from "./channel-roster.ts";
import { isPublishable } from "./grammar.ts";
import { dataOf, inPortions, type PresenceEvent } from "./presence-event.ts";
import { type IdAndValue, shownValue, type ValueShape } from "./presence-value.ts";
import { speakerFor } from "./speaker.ts";

export interface AnnouncerOptions {
  readonly shape: ValueShape;
  readonly idsPerEvent: number;
  /** Faye carries messages to all servers by itself: each event is for one of them to tell. */
  readonly clustered: boolean;
  readonly publish: (channel: string, data: unknown) => void;
}

export class Announcer {
  readonly #options: AnnouncerOptions;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Tells of changes that the node told of; those who went are told of first. */
  changed(channel: string, events: readonly RosterEvent[], node: PresentlyNode): void {
    const { clustered, shape } = this.#options;
    const cluster = clustered ? node.cluster() : [];
    const told = clustered
      ? events.filter(({ presence }) => speakerFor(presence.replica, cluster) === node.replica)
      : events;
    const entriesOf = (type: RosterEvent["type"]) =>
      told
        .filter((event) => event.type === type)
        .map(
          ({ id, presence }): IdAndValue => [id, type === "subscribe" ? shownValue(presence, shape) : null],
        );
    for (const type of ["unsubscribe", "subscribe"] as const) {
      for (const event of inPortions(type, entriesOf(type), this.#options.idsPerEvent))
        this.tell(channel, event);
    }
  }

  /** Tells of one event. A pattern is no channel: nobody can be told there. */
  tell(channel: string, event: PresenceEvent): void {
    if (isPublishable(channel)) this.#options.publish(channel, dataOf(event));
  }
}
