/** Local changes on their way to the peers: those of a flush interval go out together, to everybody who keeps up. */
import type { EventNumber, ReplicaId } from "@presently/crdt";
import type { Content } from "./content.ts";
import type { Counters } from "./counters.ts";
import type { Life } from "./life.ts";
import type { Messenger } from "./messaging/messenger.ts";
import type { ReplicaSettings } from "./options.ts";
import type { Millis, Outbox } from "./outbox.ts";
import type { Peers } from "./peers.ts";

/** Local changes that are sent without waiting for the flush interval, to keep frames small. */
const OPEN_CHANGES_MAX = 1_000;
/** Lingering entries that one message names. */
const LINGERING_PER_FRAME = 8_000;

export class Flusher {
  private wanted = false;
  /** By then the flush interval since the last one is over. */
  private nextAt: Millis = Number.NEGATIVE_INFINITY;
  /** Of the local changes that wait, at a guess. */
  private openBytes = 0;
  private readonly content: Content;
  private readonly messenger: Messenger;
  private readonly peers: Peers;
  private readonly life: Life;
  private readonly settings: ReplicaSettings;
  private readonly counters: Counters;
  private readonly outbox: Outbox;

  constructor(
    content: Content,
    messenger: Messenger,
    peers: Peers,
    life: Life,
    settings: ReplicaSettings,
    counters: Counters,
    outbox: Outbox,
  ) {
    this.content = content;
    this.messenger = messenger;
    this.peers = peers;
    this.life = life;
    this.settings = settings;
    this.counters = counters;
    this.outbox = outbox;
  }

  /** A local change waits to be sent, of about so many bytes. */
  changed(bytes: number): void {
    this.openBytes += bytes;
    if (this.openBytes >= this.settings.frameBytesTarget || this.content.set.openSize >= OPEN_CHANGES_MAX)
      this.flush();
    else this.want();
  }

  /** Something is to be flushed soon. */
  want(): void {
    if (this.wanted) return;
    this.wanted = true;
    this.outbox.wake(0);
  }

  /** When `tick` has something to do. */
  get dueAt(): Millis {
    return this.wanted ? this.nextAt : Number.POSITIVE_INFINITY;
  }

  /** What comes after a quiet time goes out with its turn of the event loop; what follows, once in a flush interval. */
  tick(now: Millis): void {
    if (now < this.nextAt) return;
    if (this.content.set.openSize > 0 || this.messenger.hasInterestsToTell)
      this.nextAt = now + this.settings.flushIntervalMs;
    this.flush();
  }

  /** Sends the local changes to every peer that keeps up; the others pull them later. */
  flush(): void {
    this.wanted = false;
    this.openBytes = 0;
    if (!this.life.over) this.messenger.tellInterests();
    const delta = this.content.set.takeDelta();
    const lingering = this.content.locals.takeUntold();
    if ((delta === undefined && lingering.length === 0) || this.life.over) return;
    const { ready, skipped } = this.peers.ready();
    if (delta !== undefined) {
      this.counters.deltasMade++;
      this.counters.pushesSkipped += skipped;
      if (ready.length > 0) this.outbox.send(ready, { type: "delta", delta });
    }
    this.tellLingering(ready, lingering);
  }

  /** Tells a peer, one that is new or has drained, of all own entries that linger. */
  tellAllLingering(peer: ReplicaId): void {
    this.tellLingering([peer], this.content.locals.lingeringNumbers());
  }

  /** A note, and no more: a peer that does not keep up is told when it has drained. */
  private tellLingering(peers: readonly ReplicaId[], numbers: readonly EventNumber[]): void {
    if (peers.length === 0) return;
    for (let start = 0; start < numbers.length; start += LINGERING_PER_FRAME) {
      const part = numbers.slice(start, start + LINGERING_PER_FRAME).sort((one, other) => one - other);
      this.outbox.send(peers, { type: "linger", numbers: part });
    }
  }
}
