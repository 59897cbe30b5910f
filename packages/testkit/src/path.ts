/** The way from one host to another: what is done to everything that takes it. One direction only. */
import type { Direction } from "./connection.ts";

export class Path {
  readonly from: string;
  readonly to: string;
  /** Nothing gets through and nobody is told: packets vanish, and are sent again until the path is free. */
  blocked = false;
  /** A dial is answered at once that nobody is there. */
  refused = false;
  bytesPerMs: number;
  /** The sender is told that nothing should be pushed, whatever is in its buffer. */
  congested = false;
  /** On top of the latency of the network. */
  extraLatencyMs = 0;
  /** Directions of open connections that take it. */
  readonly directions = new Set<Direction>();

  private readonly usualBytesPerMs: number;

  constructor(from: string, to: string, bytesPerMs: number) {
    this.from = from;
    this.to = to;
    this.usualBytesPerMs = bytesPerMs;
    this.bytesPerMs = bytesPerMs;
  }

  get isHealthy(): boolean {
    return !this.blocked && !this.refused && this.bytesPerMs === this.usualBytesPerMs;
  }

  heal(): void {
    this.blocked = false;
    this.refused = false;
    this.bytesPerMs = this.usualBytesPerMs;
    this.extraLatencyMs = 0;
  }
}

/** All paths between hosts, made when they are first asked for. */
export class Paths {
  private readonly paths = new Map<string, Path>();
  private readonly bytesPerMs: number;

  constructor(bytesPerMs: number) {
    this.bytesPerMs = bytesPerMs;
  }

  between(from: string, to: string): Path {
    const name = `${from} ${to}`;
    let path = this.paths.get(name);
    if (path === undefined) {
      path = new Path(from, to, this.bytesPerMs);
      this.paths.set(name, path);
    }
    return path;
  }

  all(): Iterable<Path> {
    return this.paths.values();
  }
}
