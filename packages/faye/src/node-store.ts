/**
 * Presence in the cluster: a client of Faye is a session of the node, its subscription is an entry under its id on the
 * topic of the channel, of the same name unless the option `roster` says otherwise. Events come from what the node tells of these topics, whoever changed them: a client of
 * this server or of another, or a node that is lost.
 */
import { ClosedError, type PresentlyNode } from "presently";
import {
  handOffOnDrain,
  type Roster,
  type RosterNames,
  type RosterSession,
  rosterOf,
} from "presently/drop-in";
import { ChannelRoster, type RosterEvent } from "./channel-roster.ts";
import { Directory } from "./directory.ts";
import { isPublishable } from "./grammar.ts";
import { Members } from "./members.ts";
import type { PresenceStore } from "./presence-store.ts";
import { type IdAndValue, metaOf, type ValueShape, valuesOf } from "./presence-value.ts";
import type { PresenceRequest } from "./request.ts";

export interface NodeStoreOptions {
  readonly node: PresentlyNode;
  readonly names: RosterNames;
  readonly shape: ValueShape;
  /** Told of what happens on any channel of the cluster, in order for each channel. */
  readonly onEvents: (channel: string, events: readonly RosterEvent[]) => void;
}

interface WatchedChannel {
  readonly roster: ChannelRoster;
  /** Whether some node has clients on it. */
  listed: boolean;
  unwatch: () => void;
}

export class NodeStore implements PresenceStore {
  readonly #options: NodeStoreOptions;
  readonly #roster: Roster;
  readonly #members = new Members();
  readonly #sessions = new Map<string, RosterSession>();
  readonly #directory: Directory;
  readonly #channels = new Map<string, WatchedChannel>();
  readonly #unwatch: () => void;
  readonly #undrain: () => void;
  /** Ids that were on a channel before the client that is being added; it gets them in its list, and they are no news. */
  #before: ReadonlySet<string> = new Set();
  #changes = 0;
  #closed = false;

  constructor(options: NodeStoreOptions) {
    this.#options = options;
    this.#roster = rosterOf(options.node, options.names);
    this.#directory = new Directory(options.node);
    this.#unwatch = this.#directory.watch((channel, isListed) => this.#listed(channel, isListed));
    // Its peers go on showing who was here until the hand-off ends: this server has nothing more to say.
    void options.node.whenStopping.then(() => this.#stopWatching());
    this.#undrain = handOffOnDrain(options.node);
  }

  get clients(): number {
    return this.#members.size;
  }

  get changes(): number {
    return this.#changes;
  }

  channelsOf(clientId: string): number {
    return this.#members.channelsOf(clientId);
  }

  /**
   * @throws {LimitError} {InvalidArgumentError} for what the node does not take; nothing has changed then
   * @throws {ClosedError} when the node has stopped
   */
  add(channel: string, clientId: string, request: PresenceRequest): undefined {
    const { node } = this.#options;
    if (this.#closed || node.stopping) throw new ClosedError("this node");
    const isFirst = this.#members.clientsOn(channel) === 0;
    if (isFirst) this.#before = new Set(this.#roster.list(channel).map(({ key }) => key));
    const session = this.#sessions.get(clientId) ?? this.#roster.session();
    try {
      node.batch(() => {
        session.track(channel, request.id, metaOf(request, this.#roster.get(channel, request.id)));
        if (isFirst) this.#list(session, channel, request.id);
        const { released } = this.#members.join(clientId, channel, request.id);
        this.#sessions.set(clientId, session);
        if (released !== undefined) session.untrack(channel, released);
      });
    } finally {
      this.#before = new Set();
      if (!this.#sessions.has(clientId)) session.close();
    }
    return undefined;
  }

  remove(channel: string, clientId: string): undefined {
    const { released, edge } = this.#members.leave(clientId, channel);
    const session = this.#sessions.get(clientId);
    if (released === undefined || session === undefined) return undefined;
    if (!this.#members.has(clientId)) this.#sessions.delete(clientId);
    this.#options.node.batch(() => {
      if (this.#members.has(clientId)) session.untrack(channel, released);
      else session.close();
      if (edge && isPublishable(channel)) this.#directory.remove(channel);
    });
    return undefined;
  }

  idOf(channel: string, clientId: string): string | undefined {
    return this.#members.idOf(clientId, channel);
  }

  values(channel: string): readonly IdAndValue[] {
    return valuesOf(this.#roster.list(channel), this.#options.shape);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#undrain();
    this.#stopWatching();
    this.#options.node.batch(() => {
      for (const session of this.#sessions.values()) session.close();
      this.#directory.close();
    });
    this.#sessions.clear();
  }

  #stopWatching(): void {
    this.#unwatch();
    for (const { unwatch } of this.#channels.values()) unwatch();
    this.#channels.clear();
  }

  /** Nobody is told about the roster of a pattern: nothing can be published there. */
  #list(session: RosterSession, channel: string, id: string): void {
    if (!isPublishable(channel)) return;
    try {
      this.#directory.add(channel);
    } catch (error) {
      session.untrack(channel, id);
      throw error;
    }
  }

  #listed(channel: string, isListed: boolean): void {
    const known = this.#channels.get(channel);
    if (known !== undefined) {
      known.listed = isListed;
      this.#forgetIfEmpty(channel, known);
      return;
    }
    if (!isListed) return;
    const watched: WatchedChannel = { roster: new ChannelRoster(), listed: true, unwatch: () => undefined };
    this.#channels.set(channel, watched);
    try {
      watched.unwatch = this.#roster.watch(channel, (change) => {
        const all = watched.roster.apply(change);
        const events = change.type === "diff" ? all : all.filter(({ id }) => !this.#before.has(id));
        if (events.length > 0) {
          this.#changes += 1;
          this.#options.onEvents(channel, events);
        }
        this.#forgetIfEmpty(channel, watched);
      });
    } catch (error) {
      // No watcher is left to give: the node says so, and the next change of the directory tries again.
      this.#channels.delete(channel);
      throw error;
    }
  }

  /** Both must be so: the news that a channel has nobody left may come before the news of who left it. */
  #forgetIfEmpty(channel: string, watched: WatchedChannel): void {
    if (watched.listed || !watched.roster.empty || this.#channels.get(channel) !== watched) return;
    this.#channels.delete(channel);
    watched.unwatch();
  }
}
