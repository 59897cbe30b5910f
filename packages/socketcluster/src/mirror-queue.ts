/**
 * What the table still has to be told: for each socket and channel the last word only, so that it stays as small as the set
 * of what has changed, however long the database is away.
 */
import type { SocketRecord } from "./records.ts";

/** The record that should be there; without one, it should be gone. */
export interface MirrorChange {
  readonly socketId: string;
  readonly channel: string;
  readonly record: SocketRecord | undefined;
}

export class MirrorQueue {
  private readonly changes = new Map<string, MirrorChange>();
  private readonly max: number;
  /** Changes that found no room. */
  missed = 0;

  /** @param max socket and channel pairs; what goes beyond is missed, and made good by the next refresh and cleaning */
  constructor(max: number) {
    this.max = max;
  }

  get size(): number {
    return this.changes.size;
  }

  add(change: MirrorChange): void {
    const name = nameOf(change);
    if (this.changes.size >= this.max && !this.changes.has(name)) this.missed++;
    else this.changes.set(name, change);
  }

  /** The oldest changes, which are then the caller's. */
  take(count: number): MirrorChange[] {
    const taken: MirrorChange[] = [];
    for (const [name, change] of this.changes) {
      if (taken.length === count) break;
      taken.push(change);
      this.changes.delete(name);
    }
    return taken;
  }

  /** What was taken and could not be written; whatever was said since is newer. */
  giveBack(changes: readonly MirrorChange[]): void {
    for (const change of changes) if (!this.changes.has(nameOf(change))) this.add(change);
  }
}

/** Neither part can hold a zero character where the two meet: ids of sockets are base64. */
function nameOf({ socketId, channel }: MirrorChange): string {
  return `${socketId}\0${channel}`;
}
