/** What one says of oneself, where it changes too often to be said each time. */

import { checkRoom, isMap, positive, require } from "./arguments.ts";
import type { Clock } from "./clock.ts";
import type { Meta } from "./person.ts";
import type { Room } from "./room.ts";
import { Throttled } from "./throttled.ts";

/** How often one's own meta is updated at most. */
export interface ThrottledUpdatesOptions {
  /** At least so long lies between two updates. Default 100 ms. */
  readonly intervalMs?: number;
  readonly clock?: Clock;
}

/** Sets fields of one's own meta, now and then. */
export interface ThrottledUpdates<M extends Meta> {
  /** These fields are different now; of each field the last value counts. Sent at once after a quiet interval. */
  set(fields: Partial<M>): void;
  /** Sends what waits at once. */
  flush(): void;
  /** Whether something waits. */
  readonly pending: boolean;
  /** Ends it; what waits is sent. Leaving the room does so too. */
  close(): void;
}

/**
 * Updates of a room's own meta, at most one in `intervalMs` and one on its way. What is refused, the room tells as its `error`.
 *
 * For what everybody must know, also who comes later: a meta is kept, and every change of it spreads to all nodes. What
 * only matters while it moves, a pointer for example, is better off as `liveValues`.
 */
export function throttledUpdates<M extends Meta>(
  room: Room<M>,
  options: ThrottledUpdatesOptions = {},
): ThrottledUpdates<M> {
  checkRoom(room);
  require(isMap(options), "options", "an object");
  const { clock } = options;
  const intervalMs = positive("intervalMs", options.intervalMs ?? 100, 0);
  const throttled = new Throttled<Partial<M>>(
    // What the room could not do, it tells its own listeners.
    (fields) => room.update((meta) => ({ ...meta, ...fields })).catch(() => {}),
    { intervalMs, combine: (waiting, fields) => ({ ...waiting, ...fields }), ...(clock && { clock }) },
  );
  const off = room.on("leaving", () => close());
  let closed = false;
  function close(): void {
    if (closed) return;
    closed = true;
    off();
    throttled.flush();
  }
  return {
    set(fields) {
      require(isMap(fields), "fields", "an object");
      if (!closed) throttled.set(fields);
    },
    flush: () => throttled.flush(),
    get pending() {
      return throttled.pending;
    },
    close,
  };
}
