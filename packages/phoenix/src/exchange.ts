/** The topics of this node, and the way of broadcasts to those of all nodes. */
import { randomUUID } from "node:crypto";
import { InvalidArgumentError, type PresentlyNode } from "presently";
import { MUST_BE_WELL_FORMED, type Roster } from "presently/drop-in";
import { CLUSTER_CHANNEL, decodeEnvelope, encodeEnvelope } from "./envelope.ts";
import { EncodedJson, type Payload, toJson, UserBroadcast } from "./message.ts";
import type { NoticeListener } from "./notice.ts";
import type { PresenceFeedOptions } from "./presence-feed.ts";
import { SharedBroadcast } from "./shared-broadcast.ts";
import { Topic } from "./topic.ts";

/** The event that closes connections, broadcast on the topic that is their id: as in Phoenix. */
export const DISCONNECT = "disconnect";

/** A connection that has an id. */
export interface Identified {
  /** Closes the connection; its client connects again. */
  disconnect(): void;
}

export interface ExchangeOptions {
  readonly node: PresentlyNode;
  /** The presences of the node, by the names of the clients. */
  readonly roster: Roster;
  readonly feedOf: (
    topic: string,
  ) => Pick<PresenceFeedOptions, "fetch" | "metas" | "dispatch" | "diffIntervalMs">;
  readonly notice: NoticeListener;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #topics = new Map<string, Topic>();
  readonly #connections = new Map<string, Set<Identified>>();
  readonly #unlisten: () => void;
  readonly #instance = randomUUID();
  #members = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#unlisten = options.node.onBroadcast(CLUSTER_CHANNEL, (payload) => this.#receive(payload));
  }

  close(): void {
    this.#unlisten();
  }

  /** A name for a new member, unique in the cluster. */
  memberId(): string {
    return `${this.#instance}:${++this.#members}`;
  }

  /** The room, held for the caller until it calls `release`. @param topic what clients call it */
  hold(name: string, topic = name): Topic {
    let room = this.#topics.get(name);
    if (room === undefined) {
      const { node, roster, feedOf, notice } = this.#options;
      const feed = { ...feedOf(topic), node: roster, topic: name, notice };
      const subscription = node.subscribe(CLUSTER_CHANNEL, name);
      room = new Topic(feed, subscription, () => this.#topics.delete(name));
      this.#topics.set(name, room);
    }
    room.hold();
    return room;
  }

  /**
   * Sends to all channels of the topic in the cluster, those of this node at once. Nodes that have none get nothing.
   *
   * @param except the id of the member that is not to get it
   * @throws {LimitError} beyond `broadcastBytesMax` of the node
   * @throws {InvalidArgumentError} for text with half a surrogate pair
   * @throws {ClosedError} of a node that is stopping
   */
  broadcast(topic: string, event: string, payload: Payload, except = ""): void {
    const isBytes = payload instanceof Uint8Array || payload instanceof UserBroadcast;
    const content = isBytes ? payload : new EncodedJson(toJson(payload));
    if (content instanceof EncodedJson && hasHalfCharacter(content.text))
      throw new InvalidArgumentError("payload", MUST_BE_WELL_FORMED);
    const broadcast = new SharedBroadcast(topic, event, content);
    // Connections by id are many and seldom asked for: no node is told where they are.
    const options = event === DISCONNECT ? {} : { topics: [topic] };
    this.#options.node.broadcast(CLUSTER_CHANNEL, encodeEnvelope({ broadcast, from: except }), options);
  }

  /** Hands a message to the members of a room at this node. */
  deliverHere(room: string, event: string, payload: Payload): void {
    this.#topics.get(room)?.deliver(new SharedBroadcast(room, event, new EncodedJson(toJson(payload))), "");
  }

  identify(id: string, connection: Identified): void {
    const connections = this.#connections.get(id);
    if (connections === undefined) this.#connections.set(id, new Set([connection]));
    else connections.add(connection);
  }

  forget(id: string, connection: Identified): void {
    const connections = this.#connections.get(id);
    if (connections?.delete(connection) && connections.size === 0) this.#connections.delete(id);
  }

  #receive(payload: unknown): void {
    const envelope = decodeEnvelope(payload);
    if (envelope === undefined) {
      const message = "a node sent a broadcast that cannot be read: does it run another version?";
      this.#options.notice({ type: "malformed-broadcast", level: "warn", message });
      return;
    }
    const { broadcast, from } = envelope;
    if (broadcast.event === DISCONNECT)
      for (const connection of [...(this.#connections.get(broadcast.room) ?? [])]) connection.disconnect();
    this.#topics.get(broadcast.room)?.deliver(broadcast, from);
  }
}

/** Whether JSON that `JSON.stringify` wrote has half a surrogate pair: that is all that it escapes like this. */
function hasHalfCharacter(json: string): boolean {
  return json.includes("\\ud") && /(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(json);
}
