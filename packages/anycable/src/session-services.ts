/** What all sessions of a cable share. */
import type { PresentlyNode } from "presently";
import type { Permissions } from "presently/drop-in";
import type { ChannelDefinition } from "./channel-definition.ts";
import type { Durations, Limits } from "./limits.ts";
import type { NoticeListener } from "./notice.ts";
import type { PresenceHub } from "./stream-presence.ts";
import type { Streams } from "./streams.ts";

export interface SessionServices {
  readonly node: PresentlyNode;
  readonly streams: Streams;
  readonly hub: PresenceHub;
  readonly limits: Limits;
  readonly durations: Durations;
  readonly notice: NoticeListener;
  /** What clients may do; undefined where everybody may do everything. */
  readonly permissions?: Permissions | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: definitions of one cable share one type of identifiers, which only the cable knows.
  readonly definitionOf: (channel: string) => ChannelDefinition<any> | undefined;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Milliseconds of the wall clock. */
  readonly wallClock: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}
