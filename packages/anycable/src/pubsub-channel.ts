/** The channel `$pubsub`: streams by their names, signed or public, without any code of the application. */
import type { ChannelDefinition } from "./channel-definition.ts";
import { verifyStream } from "./signed-stream.ts";

export const PUBSUB_CHANNEL = "$pubsub";

/** The channel of `turbo_stream_from` in Rails. */
export const TURBO_CHANNEL = "Turbo::StreamsChannel";

export interface PubsubOptions {
  /** Signs the names of streams; without it, no signed name is accepted. */
  readonly secret: string | undefined;
  /** Whether names are accepted as they are. */
  readonly isPublic: boolean;
  /** Whether a name is none that a client may choose; who signs may choose it. */
  readonly isReserved: (stream: string) => boolean;
  /** Whether signed streams have presence; public ones have. */
  readonly presence: boolean;
  /** Whether clients may whisper on signed streams; on public ones they may. */
  readonly whisper: boolean;
}

export function pubsubChannel({
  secret,
  isPublic,
  isReserved,
  presence,
  whisper,
}: PubsubOptions): ChannelDefinition {
  return {
    subscribe: (subscription) => {
      const { signed_stream_name: signed, stream_name: name } = subscription.params;
      // A signed name wins, also when it is wrong.
      if (signed !== undefined && signed !== null && signed !== "") {
        if (typeof signed !== "string" || secret === undefined) return false;
        const stream = verifyStream(secret, signed);
        if (stream === undefined) return false;
        subscription.streamFrom(stream, { whisper });
        if (presence) subscription.presenceFrom(stream);
        return undefined;
      }
      if (!isPublic || typeof name !== "string" || name === "" || isReserved(name)) return false;
      subscription.streamFrom(name, { whisper: true });
      subscription.presenceFrom(name);
      return undefined;
    },
  };
}

/** Turbo's streams: signed with the same secret, and without presence. Undefined without a secret: then there are none. */
export function turboChannel(secret: string | undefined): ChannelDefinition | undefined {
  if (secret === undefined) return undefined;
  return pubsubChannel({ secret, isPublic: false, isReserved: () => true, presence: false, whisper: false });
}
