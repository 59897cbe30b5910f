/** All event streams of a node: who may open one, how many there may be, and what each holds. */
import type { ServerResponse } from "node:http";
import { LimitError, type Meta, type Session } from "@presently/replica";
import { RosterNames } from "../drop-in/roster-names.ts";
import { onTopicMessage } from "../drop-in/topic-messages.ts";
import type { HttpConfig } from "../node-options.ts";
import { EventFeed } from "./event-feed.ts";
import { EventStream, encodeMessage, heartbeatComment } from "./event-stream.ts";
import type { NoticeBoard } from "./notice-board.ts";
import type { ServedNode } from "./served-node.ts";

/** What a client asks for. With a key it is present on the topic for as long as its stream is open. */
export interface EventsRequest {
  readonly topic: string;
  readonly key?: string | undefined;
  readonly meta?: Meta | undefined;
}

type Bounds = Pick<
  HttpConfig,
  "streamsMax" | "eventBufferBytesMax" | "eventBuffersBytesMax" | "eventHeartbeatMs"
>;

/** Opens event streams and keeps them going. */
export class EventHub {
  readonly #node: ServedNode;
  readonly #bounds: Bounds;
  readonly #feeds = new Map<string, EventFeed>();
  readonly #streams = new Set<EventStream>();
  readonly #unlisten: () => void;
  #bufferedBytes = 0;
  #heartbeat: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(node: ServedNode, bounds: Bounds) {
    this.#node = node;
    this.#bounds = bounds;
    this.#unlisten = onTopicMessage(node, new RosterNames(), (topic, { event, data }) =>
      this.#feeds.get(topic)?.send(encodeMessage(JSON.stringify({ topic, event, data }))),
    );
  }

  /** Streams that are open now. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * Answers with a stream: the state, then every diff.
   *
   * @throws before anything was sent, and with nothing changed: what `track` and `watch` throw, or `LimitError`
   */
  open(response: ServerResponse, { topic, key, meta }: EventsRequest): void {
    this.#checkRoom();
    // Tracked first, so that the state shows the caller to itself.
    const session = key === undefined ? undefined : this.#node.session();
    let feed: EventFeed;
    try {
      session?.track(topic, key!, meta ?? {});
      feed = this.#feedOf(topic);
    } catch (error) {
      session?.close();
      throw error;
    }
    this.#begin(response, feed, (stream) => this.#forget(stream, feed, session));
  }

  /** Answers with a stream of notices: those that the board has kept, then every further one. @throws as `open` */
  openNotices(response: ServerResponse, board: NoticeBoard): void {
    this.#checkRoom();
    this.#begin(response, board, (stream) => {
      this.#streams.delete(stream);
      board.delete(stream);
    });
  }

  #begin(
    response: ServerResponse,
    feed: EventFeed | NoticeBoard,
    onClose: (stream: EventStream) => void,
  ): void {
    const stream = new EventStream(response, {
      bufferBytesMax: this.#bounds.eventBufferBytesMax,
      onBufferedChange: (differenceBytes) => {
        this.#bufferedBytes += differenceBytes;
      },
      onClose: () => onClose(stream),
    });
    this.#streams.add(stream);
    this.#startHeartbeat();
    try {
      feed.add(stream);
    } catch (error) {
      // A stream without its first state is of no use, and must not keep its caller present.
      response.destroy();
      throw error;
    }
  }

  /**
   * Ends every stream. The presences of their callers stay as they are: the node is about to leave, and whether they
   * outlive it for a while is the hand-off's concern.
   */
  close(): void {
    this.#closed = true;
    this.#unlisten();
    clearInterval(this.#heartbeat);
    for (const stream of this.#streams) stream.end();
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
  }

  #checkRoom(): void {
    const { streamsMax, eventBuffersBytesMax } = this.#bounds;
    if (this.#streams.size >= streamsMax) {
      throw new LimitError("http.streamsMax", streamsMax, "too many event streams are open");
    }
    if (this.#bufferedBytes >= eventBuffersBytesMax) {
      throw new LimitError(
        "http.eventBuffersBytesMax",
        eventBuffersBytesMax,
        "the event streams are too slow",
      );
    }
  }

  #feedOf(topic: string): EventFeed {
    let feed = this.#feeds.get(topic);
    if (feed === undefined) {
      feed = new EventFeed(this.#node, topic);
      this.#feeds.set(topic, feed);
    }
    return feed;
  }

  #forget(stream: EventStream, feed: EventFeed, session: Session | undefined): void {
    this.#streams.delete(stream);
    if (this.#closed) return;
    feed.delete(stream);
    if (feed.size === 0) {
      feed.close();
      this.#feeds.delete(feed.topic);
    }
    session?.close();
  }

  /** One timer for all streams; it stops by itself when there is none. */
  #startHeartbeat(): void {
    this.#heartbeat ??= setInterval(() => {
      if (this.#streams.size === 0) {
        clearInterval(this.#heartbeat);
        this.#heartbeat = undefined;
      }
      for (const stream of this.#streams) stream.send(heartbeatComment);
    }, this.#bounds.eventHeartbeatMs).unref();
  }
}
