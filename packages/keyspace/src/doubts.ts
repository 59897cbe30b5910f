/** Processes that are seen to be up and did not answer somebody here: what stands for them is hidden here until they do. */
import type { ReplicaId } from "presently";
import type { KeyspaceClock } from "./messenger.ts";
import type { Ownership } from "./ownership.ts";

const ASK_AGAIN_MS = 500;

export interface DoubtsPort {
  readonly clock: KeyspaceClock;
  readonly ownership: Ownership;
  /** Settles when the replica answers; rejects when it does not. */
  readonly ask: (host: ReplicaId) => Promise<unknown>;
  /** Something has come to show or to hide. */
  readonly changed: () => void;
}

export class Doubts {
  private readonly port: DoubtsPort;
  private isClosed = false;

  constructor(port: DoubtsPort) {
    this.port = port;
  }

  /** Begins to doubt the process of an origin; returns false if it is not seen to be up anyway. */
  begin(origin: ReplicaId): boolean {
    const { ownership, changed } = this.port;
    const host = ownership.hostOf(origin);
    if (host === undefined || !ownership.isUp(host)) return false;
    if (!ownership.doubt(origin, true)) return true;
    changed();
    void this.follow(origin, host);
    return true;
  }

  close(): void {
    this.isClosed = true;
  }

  /** Asks until there is an answer, or the process is not seen to be up any more: then that decides. */
  private async follow(origin: ReplicaId, host: ReplicaId): Promise<void> {
    const { ownership, clock, ask, changed } = this.port;
    while (!this.isClosed && ownership.isUp(host)) {
      const isThere = await ask(host).then(
        () => true,
        () => false,
      );
      if (isThere) break;
      await new Promise<void>((resolve) => clock.schedule(ASK_AGAIN_MS, resolve));
    }
    if (this.isClosed) return;
    ownership.doubt(origin, false);
    changed();
  }
}
