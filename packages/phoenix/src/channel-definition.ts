/** What an application says about the channels of a topic. */

import type { Meta, MetaInput } from "presently";
import type { Channel } from "./channel.ts";
import type { Payload } from "./message.ts";
import type { PresenceDiff, PresenceMap, PresenceMeta } from "./presence-map.ts";
import type { Reply } from "./reply.ts";
import type { MaybePromise } from "./settle.ts";

/**
 * Why a channel ended: its client left, its connection is gone, its client joined the topic again, the application
 * stopped it, a callback threw, the server disconnected the client, its identity expired, or the server drains.
 */
export type EndReason =
  | "left"
  | "closed"
  | "duplicate_join"
  | "stopped"
  | "crashed"
  | "disconnected"
  | "expired"
  | "drained";

/** Answers a message of a client; nothing returned, nothing replied. Throwing ends the channel; the client rejoins. */
export type Handler<Assigns, M extends object = Meta> = (
  payload: Payload,
  channel: Channel<Assigns, M>,
  // biome-ignore lint/suspicious/noConfusingVoidType: a callback without a return statement is one that does not reply.
) => MaybePromise<Reply | undefined | void>;

/** As `Handler`, for whatever event comes. */
export type AnyHandler<Assigns, M extends object = Meta> = (
  event: string,
  payload: Payload,
  channel: Channel<Assigns, M>,
  // biome-ignore lint/suspicious/noConfusingVoidType: as for `Handler`.
) => MaybePromise<Reply | undefined | void>;

/** Every callback may be asynchronous; those of one channel run one after the other, in the order of the messages. */
export interface ChannelDefinition<Assigns = unknown, M extends object = Meta> {
  /**
   * What the topic is called in the cluster, for joins that are to be kept apart from others of the same topic. Must give
   * every topic names of its own, and must not throw. Default: as clients call it.
   */
  readonly room?: (topic: string, params: Payload) => string;
  /** The channel asks by itself what its client may do: nothing is asked of the node's `access` before. Default false. */
  readonly asksItself?: boolean;
  /** Lets the client in (`{ ok }`, or nothing returned) or not (`{ error }`). Default: everybody may join. */
  readonly join?: (
    params: Payload,
    channel: Channel<Assigns, M>,
    // biome-ignore lint/suspicious/noConfusingVoidType: as for `Handler`.
  ) => MaybePromise<Reply | undefined | void>;
  /** By event, or one function for all. An event without a handler is answered with the error `unhandled event`. */
  readonly handleIn?: Readonly<Record<string, Handler<Assigns, M>>> | AnyHandler<Assigns, M>;
  /**
   * Which events of a client say something to others, so that it must be allowed to publish on the topic (by the node's
   * `access`). Default: all.
   */
  readonly publishes?: (event: string) => boolean;
  /** Called with broadcasts of these events in place of sending them; may `push` something else. */
  readonly handleOut?: Readonly<
    Record<string, (payload: Payload, channel: Channel<Assigns, M>) => MaybePromise<unknown>>
  >;
  /** Called once, after the channel has ended. */
  readonly terminate?: (reason: EndReason, channel: Channel<Assigns, M>) => MaybePromise<unknown>;
  /** `false`: clients of this channel are told nothing of presence. Default: they get state and diffs. */
  readonly presence?: PresenceDefinition<Assigns, M> | false;
}

/** Who is tracked on joining a channel, under which key and with what meta, and what clients are told of it. */
export interface PresenceDefinition<Assigns = unknown, M extends object = Meta> {
  /**
   * Tracks everybody who joins under the key that this gives; nobody who gets `undefined`, and nobody who may not be
   * present under that key (by the node's `access`): those only watch. Default: track yourself.
   */
  readonly key?: (channel: Channel<Assigns, M>, params: Payload) => string | number | undefined;
  /** Whether a client is told of presence from its join on. Default: yes. Others are told once `pushPresenceState` is called. */
  readonly shows?: (channel: Channel<Assigns, M>, params: Payload) => boolean;
  /** The meta of those who are tracked so. Default: `{ online_at }`, the time in seconds as a text. */
  readonly meta?: (channel: Channel<Assigns, M>, params: Payload) => MetaInput<M>;
  /**
   * Keeps what was tracked for so long after a connection broke: who tracks the same key at this node in that time was
   * never away. Leaving, and everything the server does, ends presence at once. Default 0: a broken connection is a leave.
   */
  readonly lingerMs?: number;
  /**
   * How long the diffs of a topic are merged at one node once they have taken a thousand frames in this time: who comes and
   * goes meanwhile is in none of them. 0 never merges. Raising it makes rooms with many clients and much coming and going
   * cheaper, and their lists later by as much. Default 50 ms; at most 60,000.
   */
  readonly diffIntervalMs?: number;
  /**
   * Adds fields to what clients see: called once for each list, and once for the joins and once for the leaves of each
   * diff, also when they are empty. Must give back every key with its `metas`. May be slow: order is kept.
   */
  readonly fetch?: (topic: string, presences: PresenceMap<M>) => MaybePromise<PresenceMap<M>>;
  /** The first state of `handleMetas`. */
  readonly init?: () => unknown;
  /**
   * Told of every diff, one at a time, with everybody who is present after it; what it returns is the next state.
   * Called for the topics that have a channel at this node, and for those that are observed.
   */
  readonly handleMetas?: (
    topic: string,
    diff: PresenceDiff<M>,
    presences: Readonly<Record<string, readonly PresenceMeta<M>[]>>,
    // biome-ignore lint/suspicious/noExplicitAny: the state is whatever `init` made.
    state: any,
  ) => MaybePromise<unknown>;
  /** Called with each diff in place of sending it; `deliver` sends it to the clients of this node. */
  readonly dispatch?: (
    topic: string,
    diff: PresenceDiff<M>,
    deliver: (diff?: PresenceDiff<M>) => void,
  ) => void;
}
