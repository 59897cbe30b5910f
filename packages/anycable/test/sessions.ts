/** Sessions without sockets, at a clock that tests drive, on a real node. */
import type { PresentlyNode } from "presently";
import { RosterNames } from "presently/drop-in";
import type { ChannelDefinition } from "../src/channel-definition.ts";
import { type DurationOptions, type LimitOptions, resolveDurations, resolveLimits } from "../src/limits.ts";
import type { CableNotice } from "../src/notice.ts";
import { pubsubChannel } from "../src/pubsub-channel.ts";
import { CableSession, type Outlet } from "../src/session.ts";
import type { SessionServices } from "../src/session-services.ts";
import { PresenceHub } from "../src/stream-presence.ts";
import { Streams } from "../src/streams.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every shape.
export type Frame = any;

/** The server's end of a connection that is not there. */
export class FakeOutlet implements Outlet {
  readonly frames: Frame[] = [];
  readonly pings: number[] = [];
  closed: string | undefined;

  send(frame: string): void {
    this.frames.push(JSON.parse(frame));
  }

  ping(number: number): void {
    this.pings.push(number);
  }

  close(code: number, reason: string): void {
    this.closed ??= `${code} ${reason}`;
  }

  terminate(): void {
    this.closed ??= "terminated";
  }

  /** What it was told since the last call. */
  take(): Frame[] {
    return this.frames.splice(0).filter(({ type }) => type !== "ping");
  }
}

export class TestCable {
  readonly services: SessionServices;
  readonly notices: CableNotice[] = [];
  readonly channels = new Map<string, ChannelDefinition>();
  now = 1_000;
  #sids = 0;

  constructor(node: PresentlyNode, options: DurationOptions & { readonly limits?: LimitOptions } = {}) {
    const limits = resolveLimits(options.limits);
    const durations = resolveDurations(options);
    const notice = (told: CableNotice) => void this.notices.push(told);
    const now = () => this.now;
    const wallClock = () => 1_700_000_000_000 + this.now;
    this.services = {
      node,
      streams: new Streams({ node, limits, durations, notice, wallClock }),
      hub: new PresenceHub({ node, names: new RosterNames(), ttlMs: durations.presenceTtlMs }),
      limits,
      durations,
      notice,
      definitionOf: (channel) => this.channels.get(channel),
      now,
      wallClock,
      random: () => 0.5,
    };
    this.channels.set(
      "$pubsub",
      pubsubChannel({
        secret: undefined,
        isPublic: true,
        isReserved: () => false,
        presence: true,
        whisper: false,
      }),
    );
  }

  close(): void {
    this.services.streams.close();
  }

  open(rest: { readonly extended?: boolean; readonly pingIntervalMs?: number } = {}) {
    const session = new CableSession(this.services, { user: 7 });
    const outlet = this.#outlet(rest, (connection) => session.connect(connection));
    return { session, outlet };
  }

  resume(session: CableSession): FakeOutlet {
    return this.#outlet({}, (connection) => session.resume(connection));
  }

  #outlet(
    rest: { readonly extended?: boolean; readonly pingIntervalMs?: number },
    begin: (connection: Parameters<CableSession["connect"]>[0]) => void,
  ): FakeOutlet {
    const outlet = new FakeOutlet();
    const { extended = true, pingIntervalMs = this.services.durations.pingIntervalMs } = rest;
    begin({ outlet, sid: `sid${++this.#sids}`, extended, pingIntervalMs, pingPrecision: "s" });
    return outlet;
  }
}
