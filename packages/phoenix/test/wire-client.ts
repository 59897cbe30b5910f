/** Clients without a socket: frames go in as text, and come out as they were sent. */
import type { PresentlyNode } from "presently";
import type { ChannelDefinition } from "../src/channel-definition.ts";
import { Connection, type ConnectionServices } from "../src/connection.ts";
import { Exchange } from "../src/exchange.ts";
import { createFetcher, fetchNothing } from "../src/fetcher.ts";
import type { Frame } from "../src/frame.ts";
import { type LimitOptions, resolveLimits } from "../src/limits.ts";
import { Lingering } from "../src/lingering.ts";
import { MetasListener } from "../src/metas-listener.ts";
import type { PhoenixNotice } from "../src/notice.ts";
import { serializerFor } from "../src/serializer.ts";
import { SocketPresence } from "../src/socket-presence.ts";
import { Tracker } from "../src/tracker.ts";

export interface SwitchboardOptions {
  readonly limits?: LimitOptions;
  /** The clock; default stands still. */
  readonly now?: () => number;
  readonly permissions?: ConnectionServices["permissions"];
}

/** What a `PhoenixSocket` is made of, less its transports. */
export class Switchboard {
  readonly notices: PhoenixNotice[] = [];
  readonly presence: SocketPresence;
  readonly exchange: Exchange;
  readonly lingering = new Lingering();
  readonly #services: ConnectionServices;

  constructor(
    node: PresentlyNode,
    // biome-ignore lint/suspicious/noExplicitAny: tests give assigns of every type.
    definitionOf: (topic: string) => ChannelDefinition<any> | undefined,
    options: SwitchboardOptions = {},
  ) {
    const limits = resolveLimits(options.limits);
    const notice = (told: PhoenixNotice) => void this.notices.push(told);
    const fetcherOf = (topic: string) => {
      const presence = definitionOf(topic)?.presence || undefined;
      if (presence?.fetch === undefined) return fetchNothing;
      return createFetcher({ fetch: presence.fetch, timeoutMs: limits.fetchTimeoutMs, notice });
    };
    this.exchange = new Exchange({
      node,
      roster: node,
      notice,
      feedOf: (topic) => {
        const presence = definitionOf(topic)?.presence;
        const { dispatch, diffIntervalMs } = presence || {};
        const metas = MetasListener.of(presence, notice);
        return { fetch: fetcherOf(topic), metas, dispatch, diffIntervalMs };
      },
    });
    const newTracker = () => new Tracker(node, this.lingering);
    this.presence = new SocketPresence({ roster: node, newTracker, exchange: this.exchange, fetcherOf });
    this.#services = {
      node,
      exchange: this.exchange,
      presence: this.presence,
      newTracker,
      limits,
      notice,
      now: options.now ?? (() => 0),
      definitionOf,
      isReserved: () => false,
      permissions: options.permissions,
      ended: () => undefined,
    };
  }

  /** Connects a client. */
  connect(options: { assigns?: unknown; socketId?: string; vsn?: string } = {}): WireClient {
    return new WireClient(this.#services, options);
  }
}

/** A message as it came, as the array of five. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape.
export type Received = readonly [joinRef: any, ref: any, topic: any, event: any, payload: any];

export class WireClient {
  /** Everything that came and was not taken, oldest first. */
  received: Received[] = [];
  /** Text and binary frames as they came. */
  readonly frames: Frame[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly connection: Connection;

  constructor(
    services: ConnectionServices,
    { assigns = {}, socketId, vsn = "2.0.0" }: { assigns?: unknown; socketId?: string; vsn?: string },
  ) {
    this.connection = new Connection({
      services,
      serializer: serializerFor(vsn)!,
      assigns,
      socketId,
      info: {
        transport: "websocket",
        authToken: undefined,
        params: {},
        headers: {},
        remoteAddress: "127.0.0.1",
        identity: undefined,
        url: "/socket/websocket",
      },
      outlet: {
        takesBinary: true,
        send: (frame) => {
          this.frames.push(frame);
          if (frame.text !== undefined) this.received.push(JSON.parse(frame.text));
        },
        close: (code, reason) => {
          this.closed = { code, reason };
        },
      },
    });
  }

  send(
    ...message: readonly [joinRef: unknown, ref: unknown, topic: string, event: string, payload?: unknown]
  ): void {
    const [joinRef, ref, topic, event, payload = {}] = message;
    this.connection.receive(JSON.stringify([joinRef, ref, topic, event, payload]));
  }

  /** Joins, under a ref that is the join's own. */
  join(topic: string, ref = "1", params: unknown = {}): void {
    this.send(ref, ref, topic, "phx_join", params);
  }

  /** What came since the last call. */
  take(): Received[] {
    const taken = this.received;
    this.received = [];
    return taken;
  }

  /** What came of one event since the last call. */
  takeEvents(event: string): Received[] {
    return this.take().filter((message) => message[3] === event);
  }
}
