/** Pops that wait for an element. Those of one process are served in the order in which they came. */
import type { KeyspaceClock } from "./messenger.ts";

/** How long after an owner could not be asked it is asked again for an element that is seen here. */
const RETRY_MS = 100;

interface Waiter {
  readonly keys: readonly string[];
  readonly settle: (popped: readonly [string, string] | null) => void;
  /** Its owner is being asked now: whatever comes of it is its own, even after its time. */
  asking: boolean;
  late: boolean;
}

export interface WaitingPopsPort {
  readonly clock: KeyspaceClock;
  /** Whether an element is seen on a list. */
  readonly hasElements: (key: string) => boolean;
  /** Takes the last element, by way of the owner; null if it has none. */
  readonly pop: (key: string) => Promise<string | null>;
}

export class WaitingPops {
  private readonly port: WaitingPopsPort;
  private readonly waiters = new Set<Waiter>();
  private serving = false;
  private again = false;
  private cancelRetry: (() => void) | undefined;

  constructor(port: WaitingPopsPort) {
    this.port = port;
  }

  /** Takes an element of the first of the lists that has one, as soon as one has; null after `timeoutMs`. */
  wait(keys: readonly string[], timeoutMs: number): Promise<readonly [string, string] | null> {
    return new Promise((resolve) => {
      const cancel = this.port.clock.schedule(timeoutMs, () => {
        waiter.late = true;
        if (!waiter.asking) waiter.settle(null);
      });
      const waiter: Waiter = {
        keys,
        asking: false,
        late: false,
        settle: (popped) => {
          cancel();
          this.waiters.delete(waiter);
          resolve(popped);
        },
      };
      this.waiters.add(waiter);
      this.wake();
    });
  }

  get size(): number {
    return this.waiters.size;
  }

  /** An element may have come to a list. Serves after the change that it is told of. */
  wake(): void {
    this.again = true;
    if (this.serving || this.waiters.size === 0) return;
    this.serving = true;
    void Promise.resolve()
      .then(() => this.serve())
      .finally(() => {
        this.serving = false;
        // Whoever called in the moment between the last look and this one.
        if (this.again) this.wake();
      });
  }

  /** Ends all that wait, with null. */
  close(): void {
    this.cancelRetry?.();
    for (const waiter of this.waiters) waiter.settle(null);
  }

  private async serve(): Promise<void> {
    while (this.again) {
      this.again = false;
      for (const waiter of this.waiters) await this.serveOne(waiter);
    }
  }

  private async serveOne(waiter: Waiter): Promise<void> {
    for (const key of waiter.keys) {
      if (!this.port.hasElements(key)) continue;
      waiter.asking = true;
      let element: string | null;
      try {
        element = await this.port.pop(key);
      } catch {
        // The owner is away, or the key holds something else: nothing was taken, and the element may still be there.
        element = null;
        this.cancelRetry?.();
        this.cancelRetry = this.port.clock.schedule(RETRY_MS, () => this.wake());
      }
      waiter.asking = false;
      if (element !== null) return waiter.settle([key, element]);
      if (waiter.late) return waiter.settle(null);
    }
  }
}
