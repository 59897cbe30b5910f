/**
 * When is the user count published? At once after a disconnect; after a connect only when its socket has had the time to
 * subscribe to the count; and not at all just after the start, when everybody connects anew. Pure: time is handed in.
 */
export class CountSchedule {
  private readonly delayMs: number;
  private readonly blockedUntil: number;
  /** A connect that is not published yet: the first, and the last. */
  private firstConnectAt = Number.POSITIVE_INFINITY;
  private lastConnectAt = Number.NEGATIVE_INFINITY;
  private disconnected = false;

  constructor(options: { readonly delayMs: number; readonly blockedUntil: number }) {
    this.delayMs = options.delayMs;
    this.blockedUntil = options.blockedUntil;
  }

  connect(now: number): void {
    this.firstConnectAt = Math.min(this.firstConnectAt, now);
    this.lastConnectAt = now;
  }

  disconnect(): void {
    this.disconnected = true;
  }

  /** When to publish next; infinity: not before something happens. */
  get dueAt(): number {
    const at = this.disconnected ? Number.NEGATIVE_INFINITY : this.firstConnectAt + this.delayMs;
    return Math.max(at, this.blockedUntil);
  }

  /** Whether to publish now; if so, that is done. A later connect is published again when its own delay is over. */
  take(now: number): boolean {
    if (now < this.dueAt) return false;
    this.disconnected = false;
    // One publication cannot serve whoever connected less than the delay ago.
    this.firstConnectAt =
      this.lastConnectAt + this.delayMs > now ? this.lastConnectAt : Number.POSITIVE_INFINITY;
    return true;
  }
}
