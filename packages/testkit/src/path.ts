/** The way from one host to another: what is done to everything that takes it. One direction only. */
import type { Direction } from "./connection.ts";

export class Path {
  readonly from: string;
  readonly to: string;
  /** Nothing gets through and nobody is told: packets vanish, and are sent again until the path is free. */
  blocked = false;
  /** A dial is answered at once that nobody is there. */
  refused = false;
  bytesPerMs = Number.POSITIVE_INFINITY;
  /** On top of the latency of the network. */
  extraLatencyMs = 0;
  /** Directions of open connections that take it. */
  readonly directions = new Set<Direction>();

  constructor(from: string, to: string) {
    this.from = from;
    this.to = to;
  }

  get isHealthy(): boolean {
    return !this.blocked && !this.refused && this.bytesPerMs === Number.POSITIVE_INFINITY;
  }

  heal(): void {
    this.blocked = false;
    this.refused = false;
    this.bytesPerMs = Number.POSITIVE_INFINITY;
    this.extraLatencyMs = 0;
  }
}

/** All paths between hosts, made when they are first asked for. */
export class Paths {
  private readonly paths = new Map<string, Path>();

  between(from: string, to: string): Path {
    const name = `${from} ${to}`;
    let path = this.paths.get(name);
    if (path === undefined) {
      path = new Path(from, to);
      this.paths.set(name, path);
    }
    return path;
  }

  all(): Iterable<Path> {
    return this.paths.values();
  }
}
