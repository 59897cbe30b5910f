/**
 * Presence in the cluster: a client of Faye is a session of the node, its subscription is an entry under its id on the
 * topic of the channel, of the same name unless the option `roster` says otherwise. Events come from what the node tells of these topics, whoever changed them: a client of
 * this server or of another, or a node that is lost.
 */
import { ClosedError, type People, type PersonEvent, type PresentlyNode } from "presently";
import {
  handOffOnDrain,
  isReservedTopic,
  type Roster,
  type RosterNames,
  type RosterSession,
  rosterOf,
} from "presently/drop-in";
import { isPublishable } from "./grammar.ts";
import { Members } from "./members.ts";
import type { PresenceStore } from "./presence-store.ts";
import { type IdAndValue, metaOf, type ValueShape, valuesOf } from "./presence-value.ts";
import type { PresenceRequest } from "./request.ts";

/** How long somebody whose client has to authenticate again stays: it asks for a token, shakes hands and subscribes. */
const RETURN_MS = 10_000;

export interface NodeStoreOptions {
  readonly node: PresentlyNode;
  readonly names: RosterNames;
  readonly shape: ValueShape;
  /** Whether a channel is one with presence. */
  readonly hasPresence: (channel: string) => boolean;
  /** Told of what happens on any channel of the cluster, in order for each channel. */
  readonly onEvents: (channel: string, events: readonly PersonEvent[]) => void;
}

export class NodeStore implements PresenceStore {
  readonly #options: NodeStoreOptions;
  readonly #roster: Roster;
  readonly #members = new Members();
  readonly #sessions = new Map<string, RosterSession>();
  readonly #channels = new Map<string, People>();
  readonly #unwatch: () => void;
  readonly #undrain: () => void;
  #changes = 0;
  #closed = false;

  constructor(options: NodeStoreOptions) {
    this.#options = options;
    this.#roster = rosterOf(options.node, options.names);
    this.#unwatch = options.node.watchTopics("", (change) => {
      if (change.type === "state") {
        for (const topic of change.topics) this.#watch(topic, false);
        return;
      }
      for (const topic of change.appeared) this.#watch(topic, true);
      // The leave of the last one comes behind this; only a channel that nobody was told of is empty already.
      for (const topic of change.vanished) this.#forgetIfEmpty(options.names.nameOf(topic) ?? "");
    });
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
    const session = this.#sessions.get(clientId) ?? this.#roster.session();
    try {
      node.batch(() => {
        session.track(channel, request.id, metaOf(request, this.#roster.get(channel, request.id)));
        const released = this.#members.join(clientId, channel, request.id);
        this.#sessions.set(clientId, session);
        if (released !== undefined) session.untrack(channel, released);
      });
    } finally {
      if (!this.#sessions.has(clientId)) session.close();
    }
    return undefined;
  }

  remove(channel: string, clientId: string): undefined {
    const released = this.#members.leave(clientId, channel);
    const session = this.#sessions.get(clientId);
    if (released === undefined || session === undefined) return undefined;
    if (!this.#members.has(clientId)) this.#sessions.delete(clientId);
    if (this.#members.has(clientId)) session.untrack(channel, released);
    else session.close();
    return undefined;
  }

  sendAway(clientId: string): void {
    this.#sessions.get(clientId)?.drop(RETURN_MS);
    this.#sessions.delete(clientId);
    this.#members.leaveAll(clientId);
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
    });
    this.#sessions.clear();
  }

  #stopWatching(): void {
    this.#unwatch();
    for (const people of this.#channels.values()) people.end();
    this.#channels.clear();
  }

  /** @param isNews whether those who are there have just come: clients are told of them */
  #watch(topic: string, isNews: boolean): void {
    const { names, hasPresence } = this.#options;
    const channel = names.nameOf(topic);
    if (channel === undefined || this.#channels.has(channel)) return;
    // Nothing can be published on a pattern.
    if (!isPublishable(channel) || !hasPresence(channel) || isReservedTopic(topic, "faye")) return;
    const people = this.#roster.watchPeople(channel, {}, (change) => {
      if (change.type === "diff") this.#tell(channel, change.events);
      else if (isNews)
        this.#tell(
          channel,
          change.people.map((person) => ({ type: "join", ...person })),
        );
      this.#forgetIfEmpty(channel);
    });
    this.#channels.set(channel, people);
  }

  #tell(channel: string, events: readonly PersonEvent[]): void {
    const told = events.filter(({ type }) => type !== "update");
    if (told.length === 0) return;
    this.#changes += 1;
    this.#options.onEvents(channel, told);
  }

  #forgetIfEmpty(channel: string): void {
    const people = this.#channels.get(channel);
    if (people?.size !== 0) return;
    this.#channels.delete(channel);
    people.end();
  }
}
