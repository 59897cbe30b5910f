/** Who is on a channel, through whichever protocol, and what clients are told of it. */
import type { People, PersonEvent, Presence, PresentlyNode } from "presently";
import { inCharge, type Roster as Presences } from "presently/drop-in";
import type { Settings } from "./options.ts";

/** One user of a channel, however many connections it has there. */
export interface RosterUser {
  /** The user's id as a text. */
  readonly id: string;
  /** How many connections of it are on the channel; 0: it has left. */
  readonly connections: number;
}

/** The users of one channel in the whole cluster; of a change, only those whom it concerns. */
export interface Roster {
  readonly channel: string;
  readonly users: readonly RosterUser[];
}

/** Published on the channel of a roster: the users that have changed, with what holds for them now. */
export type RosterChange = Roster;

/** The channel on which changes of the roster of `channel` are published. */
export function rosterChannel(channel: string, settings: Settings): string {
  return `${settings.scpPresenceChannel}/${channel}`;
}

/** The channel whose roster this one publishes; undefined if it is none of these. */
export function channelOfRoster(name: string, settings: Settings): string | undefined {
  const start = `${settings.scpPresenceChannel}/`;
  return name.startsWith(start) && name.length > start.length ? name.slice(start.length) : undefined;
}

/** Cost: O(presences on it). */
export function countConnections(channel: string, presences: readonly Presence[]): Roster {
  const connections = new Map<string, number>();
  for (const { key } of presences) connections.set(key, (connections.get(key) ?? 0) + 1);
  return { channel, users: Array.from(connections, ([id, count]) => ({ id, connections: count })) };
}

interface Feed {
  followers: number;
  readonly people: People;
}

/** Publishes the changes of those channels whose rosters somebody here follows. */
export class RosterFeeds {
  private readonly feeds = new Map<string, Feed>();
  private readonly node: PresentlyNode;
  private readonly presences: Presences;
  private readonly settings: Settings;
  private readonly publish: (channel: string, data: RosterChange) => void;

  constructor(
    node: PresentlyNode,
    presences: Presences,
    settings: Settings,
    publish: (channel: string, data: RosterChange) => void,
  ) {
    this.node = node;
    this.presences = presences;
    this.settings = settings;
    this.publish = publish;
  }

  /** @throws {LimitError} beyond `watchersMax` of the node; @throws {InvalidArgumentError} for a channel that is no topic */
  follow(channel: string): void {
    const feed = this.feeds.get(channel);
    if (feed !== undefined) {
      feed.followers++;
      return;
    }
    const people = this.presences.watchPeople(channel, {}, (change) => {
      if (change.type === "diff") this.tell(channel, change.events);
    });
    this.feeds.set(channel, { followers: 1, people });
  }

  unfollow(channel: string): void {
    const feed = this.feeds.get(channel);
    if (feed === undefined || --feed.followers > 0) return;
    feed.people.end();
    this.feeds.delete(channel);
  }

  close(): void {
    for (const { people } of this.feeds.values()) people.end();
    this.feeds.clear();
  }

  private tell(channel: string, events: readonly PersonEvent[]): void {
    const keys = new Set(events.flatMap((event) => (changesCount(event) ? [event.key] : [])));
    if (keys.size === 0) return;
    const users = Array.from(keys, (id) => ({ id, connections: this.presences.get(channel, id).length }));
    if (this.settings.publishers === "every" || this.isInCharge(channel))
      this.publish(rosterChannel(channel, this.settings), { channel, users });
  }

  /** One of the nodes on which somebody follows this roster publishes it for all. */
  private isInCharge(channel: string): boolean {
    const { node, settings } = this;
    const subject = rosterChannel(channel, settings);
    return inCharge(node, { subject, among: settings.names.topicOf(subject) }) === node.replica;
  }
}

/** Whether a person has more or fewer connections after this. */
function changesCount(event: PersonEvent): boolean {
  return event.type !== "update" || event.joins.length > 0 || event.leaves.length > 0;
}
