/**
 * The streams of all nodes: who numbers the messages of one, who keeps them, and who is told of them here.
 *
 * Whoever publishes asks the node in charge of the stream to number the message and send it to all nodes. If that node
 * does not answer, this one numbers it itself, in an epoch of its own: what is published reaches whoever can be reached,
 * and a place in the history that is no longer certain is refused (see `stream-log.ts`).
 */
import { randomBytes } from "node:crypto";
import { PresentlyError, type PresentlyNode, type ReplicaId } from "presently";
import type { Position } from "./command.ts";
import { CommandError } from "./errors.ts";
import { message as messageFrame } from "./frames.ts";
import { isMap, JsonText } from "./json.ts";
import type { Durations, Limits } from "./limits.ts";
import type { NoticeListener } from "./notice.ts";
import { inCharge } from "./rendezvous.ts";
import { SharedFrame } from "./shared-frame.ts";
import { isLaterEpoch, newEpoch, type StreamLog, type StreamMessage } from "./stream-log.ts";
import { type KeptStream, StreamStore } from "./stream-store.ts";
import { decodeExcerpt, decodeStreamMessage, encodeExcerpt, encodeStreamMessage } from "./stream-wire.ts";
import { WantedStreams } from "./wanted-streams.ts";

const STREAM_CHANNEL = "anycable:stream";
const PUBLISH_CHANNEL = "anycable:publish";
const LOG_CHANNEL = "anycable:log";
const LATER_CHANNEL = "anycable:later";
/** How long another node may take to say what it has of a stream, before one goes on without. */
const LOG_TIMEOUT_MS = 1_000;
/** How many nodes are asked for it: those that run for longest have seen most. */
const LOG_PEERS = 2;
/** Of a stream, what is sent to a node that has nothing of it; below what a message between nodes may have. */
const EXCERPT_BYTES_MAX = 48_000;

/** A message as it is delivered; without a position it is not kept. */
export interface Delivery {
  readonly except: string | undefined;
  readonly position: Position | undefined;
  readonly data: JsonText;
  readonly frame: SharedFrame;
  /** How often what is kept of the stream here had begun anew when this came. */
  readonly restarts: number;
}

export interface StreamSubscriber {
  deliver(delivery: Delivery): void;
}

/** Who is spared a message, and whether it is kept for those who were away. */
export interface PublishOptions {
  /** The session that is not to get it. */
  readonly except?: string | undefined;
  /** Not kept for those who come back. */
  readonly transient?: boolean | undefined;
}

export interface StreamsOptions {
  readonly node: PresentlyNode;
  readonly limits: Limits;
  readonly durations: Durations;
  readonly notice: NoticeListener;
  /** Wall clock, in milliseconds. */
  readonly wallClock: () => number;
}

export class Streams {
  readonly #options: StreamsOptions;
  readonly #subscribers = new Map<string, Set<StreamSubscriber>>();
  readonly #wanted: WantedStreams;
  readonly #store: StreamStore;
  readonly #endings: (() => void)[];
  #candidates: readonly ReplicaId[] | undefined;

  constructor(options: StreamsOptions) {
    this.#options = options;
    const { node, limits, durations, wallClock } = options;
    this.#store = new StreamStore(limits, durations, wallClock);
    this.#wanted = new WantedStreams(node, STREAM_CHANNEL);
    this.#endings = [
      node.onBroadcast(STREAM_CHANNEL, (payload, from) => this.#receive(payload, from)),
      node.onMessage(LATER_CHANNEL, (payload) => this.#superseded(payload)),
      node.onRequest(PUBLISH_CHANNEL, (payload) => this.#publishFor(payload)),
      node.onRequest(LOG_CHANNEL, (payload) => this.#excerptFor(payload)),
      node.onReplica(() => {
        this.#candidates = undefined;
      }),
    ];
  }

  close(): void {
    for (const end of this.#endings) end();
    this.#wanted.close();
  }

  /** Settles when what is not kept of these streams comes here from all nodes that can be reached; undefined if it does. */
  attend(streams: Iterable<string>): undefined | Promise<unknown> {
    return this.#wanted.attend(streams);
  }

  /** Tells the subscriber of every message, until the returned function is called. */
  subscribe(stream: string, subscriber: StreamSubscriber): () => void {
    const subscribers = this.#subscribers.get(stream) ?? new Set();
    this.#subscribers.set(stream, subscribers.add(subscriber));
    this.#wanted.attend([stream]);
    return () => {
      if (subscribers.delete(subscriber) && subscribers.size === 0) this.#subscribers.delete(stream);
    };
  }

  /**
   * Sends to all subscribers, on all nodes. Settles when the message has its number; those of one caller keep their order.
   *
   * @throws {LimitError} beyond `broadcastBytesMax` of the node
   */
  async publish(stream: string, data: JsonText, options: PublishOptions = {}): Promise<void> {
    const { node, notice } = this.#options;
    if (options.transient === true) {
      this.whisper(stream, data, options.except);
      return;
    }
    const draft = { stream, data: data.text, id: randomId(), except: options.except };
    const charged = inCharge(stream, this.#candidateIds()) ?? node.replica;
    if (charged !== node.replica) {
      try {
        await node.request(charged as ReplicaId, PUBLISH_CHANNEL, encodeStreamMessage(draft));
        return;
      } catch (error) {
        if (!(error instanceof PresentlyError)) throw error;
        if (error.code === "LIMIT_REACHED" || error.code === "INVALID_ARGUMENT") throw error;
        const message = `${charged} does not number messages of a stream that it is in charge of: this node does`;
        notice({ type: "publish-failed", level: "warn", message, code: error.code, error });
      }
    }
    await this.#number(draft);
  }

  /** Sends to all subscribers but one, on the nodes that have any, without a number: it is not kept. */
  whisper(stream: string, data: JsonText, except: string | undefined): void {
    const { node } = this.#options;
    const message = encodeStreamMessage({ stream, data: data.text, id: "", except });
    node.broadcast(STREAM_CHANNEL, message, { topics: [stream] });
  }

  /** Tells the subscribers at this node, of what every node tells its own. It is not kept. */
  deliverHere(stream: string, data: JsonText): void {
    this.#deliver(stream, data, undefined, undefined);
  }

  /** As `attend`, and asks other nodes for what this one does not have of these streams. */
  prepare(streams: Iterable<string>): undefined | Promise<unknown> {
    const names = [...streams];
    const loading: Promise<unknown>[] = [];
    for (const later of [this.attend(names), ...names.map((stream) => this.#load(stream))])
      if (later !== undefined) loading.push(later);
    return loading.length === 0 ? undefined : Promise.all(loading);
  }

  /** What is kept of a stream. */
  log(stream: string): StreamLog {
    return this.#store.log(stream);
  }

  /** How often what is kept of a stream here had to begin anew. */
  restarts(stream: string): number {
    return this.#store.touch(stream).restarts;
  }

  /** Forgets what is too old. Cost: O(what is kept). */
  sweep(): void {
    this.#wanted.sweep((stream) => this.#subscribers.has(stream));
    this.#store.sweep((stream) => this.#subscribers.has(stream));
  }

  #publishFor(payload: unknown): unknown {
    const draft = decodeStreamMessage(payload);
    if (draft === undefined) throw new CommandError("not a message");
    return this.#number(draft);
  }

  /** Gives a message its number, in the order of the calls, and sends it to all nodes. */
  #number(draft: Omit<StreamMessage, "at" | "position" | "after">): undefined | Promise<void> {
    const loading = this.#load(draft.stream);
    if (loading === undefined) this.#send(draft);
    else return loading.then(() => this.#send(draft));
    return undefined;
  }

  #send(draft: Omit<StreamMessage, "at" | "position" | "after">): void {
    const { node, wallClock } = this.#options;
    const at = wallClock();
    const kept = this.#store.touch(draft.stream);
    const { tail } = kept.log;
    const { laterEpoch } = kept;
    const isSuperseded =
      laterEpoch !== undefined && (tail === undefined || isLaterEpoch(laterEpoch, tail.epoch));
    const isOurs = tail !== undefined && kept.ownEpoch === tail.epoch && !isSuperseded;
    const position = isOurs
      ? { epoch: tail.epoch, offset: tail.offset + 1 }
      : { epoch: newEpoch(isSuperseded ? laterEpoch : tail?.epoch, at, randomId()), offset: 1 };
    kept.ownEpoch = position.epoch;
    // Every node keeps it: a client may come back to any. This one hears its own broadcast during the call, and does so then.
    node.broadcast(
      STREAM_CHANNEL,
      encodeStreamMessage({ ...draft, at, position, after: isOurs ? undefined : tail }),
    );
  }

  /** Another node knows of an epoch that is later than the one in which we number: what comes next begins another. */
  #superseded(payload: unknown): void {
    if (!isMap(payload)) return;
    const { stream, epoch } = payload;
    const kept = typeof stream === "string" ? this.#store.find(stream) : undefined;
    if (kept === undefined || typeof epoch !== "string") return;
    if (kept.laterEpoch === undefined || isLaterEpoch(epoch, kept.laterEpoch)) kept.laterEpoch = epoch;
  }

  #receive(payload: unknown, from: ReplicaId): void {
    const message = decodeStreamMessage(payload);
    if (message === undefined) {
      const text = "a node sent a message that cannot be read: does it run another version?";
      this.#options.notice({ type: "malformed-message", level: "warn", message: text });
      return;
    }
    const { stream, data, except, position, at, after, id } = message;
    let place = position;
    if (position !== undefined && at !== undefined) {
      const became = this.#store.append({ stream, data, except, id, position, at, after });
      if (became === "known") return;
      if (became === "stale") {
        place = undefined;
        this.#options.node.send(from, LATER_CHANNEL, {
          stream,
          epoch: this.#store.touch(stream).log.tail?.epoch,
        });
      }
    }
    this.#deliver(stream, new JsonText(data), place, except);
  }

  #deliver(stream: string, text: JsonText, place: Position | undefined, except: string | undefined): void {
    const subscribers = this.#subscribers.get(stream);
    if (subscribers === undefined) return;
    const { restarts = 0 } = this.#store.find(stream) ?? {};
    const frame = new SharedFrame((identifier) =>
      messageFrame(identifier, text, place === undefined ? undefined : { stream, position: place }),
    );
    for (const subscriber of [...subscribers])
      subscriber.deliver({ except, position: place, data: text, frame, restarts });
  }

  #load(stream: string): undefined | Promise<void> {
    const kept = this.#store.touch(stream);
    if (kept.complete) return undefined;
    const peers = this.#elders();
    if (peers.length === 0) {
      kept.complete = true;
      return undefined;
    }
    kept.loading ??= this.#ask(stream, kept, peers).finally(() => {
      kept.loading = undefined;
      kept.complete = true;
    });
    return kept.loading;
  }

  async #ask(stream: string, kept: KeptStream, peers: readonly ReplicaId[]): Promise<void> {
    const { node } = this.#options;
    const asked = peers.map((peer) => node.request(peer, LOG_CHANNEL, stream, { timeoutMs: LOG_TIMEOUT_MS }));
    for (const answer of await Promise.allSettled(asked)) {
      // A node that does not say what it has leaves a shorter history, and no wrong one.
      if (answer.status === "rejected") continue;
      const excerpt = decodeExcerpt(answer.value);
      if (excerpt === undefined) continue;
      this.#store.adopt(kept, stream, excerpt);
    }
  }

  #excerptFor(stream: unknown): unknown {
    const kept = typeof stream === "string" ? this.#store.find(stream) : undefined;
    return kept === undefined ? {} : encodeExcerpt(kept.log.excerpt(EXCERPT_BYTES_MAX));
  }

  /** Those that can number messages: this node, and those that it has a link with. */
  #candidateIds(): readonly ReplicaId[] {
    this.#candidates ??= this.#options.node
      .cluster()
      .filter(
        ({ status, linked }) => status === "self" || (linked && (status === "up" || status === "suspect")),
      )
      .map(({ replica }) => replica);
    return this.#candidates;
  }

  #elders(): readonly ReplicaId[] {
    const { replica: own } = this.#options.node;
    const others = this.#candidateIds().filter((replica) => replica !== own);
    return others.sort((one, other) => incarnationOf(one) - incarnationOf(other)).slice(0, LOG_PEERS);
  }
}

function incarnationOf(replica: ReplicaId): number {
  return Number(replica.slice(replica.lastIndexOf("@") + 1));
}

function randomId(): string {
  return randomBytes(6).toString("base64url");
}
