/** Active or away: a field of one's meta that follows what one does. Being away is not being absent. */
import { type ActivitySource, pageActivity } from "./activity.ts";
import { checkRoom, isMap, positive, require } from "./arguments.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Emitter, type Unsubscribe } from "./emitter.ts";
import type { Meta } from "./person.ts";
import type { Room } from "./room.ts";

/** Whether somebody who is present is at it; `away` is still present. */
export type Status = "active" | "away";

/** A meta that says it. */
export interface StatusMeta {
  readonly status?: Status;
}

/** After how long one counts as away, and what is taken as a sign of life. */
export interface TrackStatusOptions {
  /** Without a sign of life for so long one is away. Default 300,000 ms. */
  readonly idleMs?: number;
  /** Hidden for so long, one is away. Default 0: at once. */
  readonly hiddenMs?: number;
  /** Default: the page. */
  readonly activity?: ActivitySource;
  readonly clock?: Clock;
}

/** What `trackStatus` gives: the status that is told now, and how to end it. */
export interface StatusTracker {
  readonly status: Status;
  onChange(listener: (status: Status) => void): Unsubscribe;
  /** Ends it; the room keeps what was said last. Leaving the room does so too. */
  stop(): void;
}

/**
 * Keeps the field `status` of one's own meta: `away` when the page is hidden or nothing was touched for `idleMs`, and `active`
 * at the first sign of life. What the room could not say, it tells as its `error`.
 *
 * @throws {ClientError} `NO_ACTIVITY_SOURCE` outside a page, without `activity`
 */
export function trackStatus<M extends Meta & StatusMeta>(
  room: Room<M>,
  options: TrackStatusOptions = {},
): StatusTracker {
  checkRoom(room);
  require(isMap(options), "options", "an object");
  const say = (status: Status) => {
    // What the room could not do, it tells its own listeners.
    room.update((meta) => (meta.status === status ? meta : { ...meta, status })).catch(() => {});
  };
  const tracker = new Tracker(say, options);
  room.on("leaving", () => tracker.stop());
  return tracker;
}

class Tracker implements StatusTracker {
  readonly #say: (status: Status) => void;
  readonly #source: ActivitySource;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #hiddenMs: number;
  readonly #emitter = new Emitter<{ change: [status: Status] }>();
  readonly #off: Unsubscribe;
  #status: Status | undefined;
  /** The last sign of life. */
  #activeAtMs: number;
  /** Since when it is hidden; undefined while it can be seen. */
  #hiddenAtMs: number | undefined;
  #stopTimer: Unsubscribe | undefined;

  constructor(say: (status: Status) => void, options: TrackStatusOptions) {
    const { idleMs = 300_000, hiddenMs = 0, activity = pageActivity(), clock = systemClock } = options;
    this.#say = say;
    this.#source = activity;
    this.#clock = clock;
    this.#idleMs = positive("idleMs", idleMs);
    this.#hiddenMs = positive("hiddenMs", hiddenMs, 0);
    this.#activeAtMs = clock.now();
    if (activity.hidden) this.#hiddenAtMs = this.#activeAtMs;
    this.#off = activity.listen({
      activity: () => this.#signOfLife(),
      visibility: () => this.#visibilityChanged(),
    });
    this.#look();
  }

  get status(): Status {
    return this.#status!;
  }

  onChange(listener: (status: Status) => void): Unsubscribe {
    return this.#emitter.on("change", listener);
  }

  stop(): void {
    this.#off();
    this.#stopTimer?.();
    this.#emitter.clear();
  }

  /** Called for every movement of a pointer: while one is active it only notes the time. */
  #signOfLife(): void {
    this.#activeAtMs = this.#clock.now();
    if (this.#status === "away") this.#look();
  }

  #visibilityChanged(): void {
    const nowMs = this.#clock.now();
    if (this.#source.hidden) this.#hiddenAtMs ??= nowMs;
    else {
      this.#hiddenAtMs = undefined;
      // Whoever brings the page to the front is there.
      this.#activeAtMs = nowMs;
    }
    this.#look();
  }

  /** Says what is true now, and looks again when that may end by itself. */
  #look(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    const nowMs = this.#clock.now();
    const idleAtMs = this.#activeAtMs + this.#idleMs;
    const awayAtMs =
      this.#hiddenAtMs === undefined ? idleAtMs : Math.min(idleAtMs, this.#hiddenAtMs + this.#hiddenMs);
    if (awayAtMs > nowMs) this.#stopTimer = this.#clock.after(awayAtMs - nowMs, () => this.#look());
    const status = awayAtMs > nowMs ? "active" : "away";
    if (status === this.#status) return;
    this.#status = status;
    this.#say(status);
    this.#emitter.emit("change", status);
  }
}

/**
 * One status of all tabs and devices of a person: who is active at one of them is active. A connection that says nothing of it
 * counts as active.
 */
export function mergeStatus(metas: readonly StatusMeta[]): Status {
  require(Array.isArray(metas) && metas.every(isMap), "metas", "a list of metas");
  return metas.every(({ status }) => status === "away") && metas.length > 0 ? "away" : "active";
}
