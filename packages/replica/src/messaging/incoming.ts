/** Large messages come in parts: each sender's are put together here, one at a time. */
import type { ReplicaId } from "@presently/crdt";
import type { PartAckMessage, PartMessage } from "../messages.ts";
import type { ReplicaSettings } from "../options.ts";
import type { Millis } from "../outbox.ts";

/** What a frame takes besides the bytes, or the JSON, of its message. */
const ENVELOPE_BYTES = 65_536;
/** A character of JSON takes at most so many bytes of a frame. */
const ENCODED_TIMES = 3;

/** A message of which some parts have come. */
interface Assembly {
  readonly transfer: number;
  /** The peer over whose link the parts come: the sender itself, or one that passes them on. */
  readonly via: ReplicaId;
  readonly bytes: Uint8Array;
  received: number;
  /** Until when the next part is waited for; undefined until the next tick. */
  until: Millis | undefined;
}

/** What has come of a part: what its sender is to be told, and the frame that is complete with it. */
export interface Taken {
  readonly ack: PartAckMessage;
  readonly frame: Uint8Array | undefined;
}

/** Messages whose parts come in. */
export class Incoming {
  private readonly assemblies = new Map<ReplicaId, Assembly>();
  private heldBytes = 0;
  private readonly settings: ReplicaSettings;

  constructor(settings: ReplicaSettings) {
    this.settings = settings;
  }

  /** Takes in a part of a message. Cost: O(its bytes). */
  take(from: ReplicaId, via: ReplicaId, { transfer, total, offset, bytes }: PartMessage): Taken {
    const answer = (outcome: PartAckMessage["outcome"], received: number, frame?: Uint8Array): Taken => ({
      ack: { type: "part-ack", transfer, received, outcome },
      frame,
    });
    if (offset === 0) {
      // Its sender has given up the one before.
      this.drop(from);
      if (total === 0) return answer("done", 0);
      if (!this.hasRoomFor(total)) return answer("refused", 0);
      this.heldBytes += total;
      const assembly = { transfer, via, bytes: new Uint8Array(total), received: 0, until: undefined };
      this.assemblies.set(from, assembly);
    }
    const assembly = this.assemblies.get(from);
    const isNext =
      assembly?.transfer === transfer &&
      assembly.received === offset &&
      assembly.bytes.length === total &&
      bytes.length > 0 &&
      offset + bytes.length <= total;
    if (!isNext) {
      if (assembly?.transfer === transfer) this.drop(from);
      return answer("lost", 0);
    }
    assembly.bytes.set(bytes, offset);
    assembly.received += bytes.length;
    assembly.until = undefined;
    if (assembly.received < total) return answer("more", assembly.received);
    this.drop(from);
    return answer("done", total, assembly.bytes);
  }

  private hasRoomFor(total: number): boolean {
    const { messageBytesMax, broadcastBytesMax, messagePartsBytesMax } = this.settings;
    const totalMax = Math.max(messageBytesMax, ENCODED_TIMES * broadcastBytesMax) + ENVELOPE_BYTES;
    // One message may always come, whatever the bound of all.
    const isAlone = this.heldBytes === 0;
    return total <= totalMax && (isAlone || this.heldBytes + total <= messagePartsBytesMax);
  }

  /** The sender is gone: what has come of its message is no use. */
  drop(from: ReplicaId): void {
    const assembly = this.assemblies.get(from);
    if (assembly === undefined) return;
    this.assemblies.delete(from);
    this.heldBytes -= assembly.bytes.length;
  }

  /** A link is gone, and with it the parts that were to come over it. */
  peerDown(peer: ReplicaId): void {
    for (const [from, { via }] of this.assemblies) if (via === peer) this.drop(from);
  }

  /** Waits no longer for parts that do not come; returns when it next wants to be called. Cost: O(messages that come in parts). */
  tick(now: Millis): Millis {
    let next = Number.POSITIVE_INFINITY;
    for (const [from, assembly] of this.assemblies) {
      assembly.until ??= now + this.settings.messageTimeoutMs;
      if (assembly.until <= now) this.drop(from);
      else next = Math.min(next, assembly.until);
    }
    return next;
  }
}
