/**
 * Which of two concurrent writes is the later one, when no two clocks agree?
 *
 * A hybrid logical clock: microseconds of the wall clock, pushed forward by every stamp that was seen, so that what was
 * written after seeing a write is later than it, whatever the clocks say. A peer whose clock is far ahead cannot drag
 * ours along by more than `skewMaxMs`; its own writes then win over concurrent ones, and over nothing else, for a write
 * that was seen is replaced by its dot, not by its stamp.
 *
 * Source: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks", OPODIS 2014.
 */
export class HybridClock {
  private last = 0;
  private readonly skewMaxMs: number;

  constructor(skewMaxMs: number) {
    this.skewMaxMs = skewMaxMs;
  }

  /** A stamp above all that were given or witnessed. */
  next(wallMs: number): number {
    this.last = Math.max(this.last + 1, Math.floor(wallMs * 1_000));
    return this.last;
  }

  /** Takes note of another replica's stamp. */
  witness(stamp: number, wallMs: number): void {
    const most = Math.floor((wallMs + this.skewMaxMs) * 1_000);
    if (stamp > this.last) this.last = Math.max(this.last, Math.min(stamp, most));
  }
}
