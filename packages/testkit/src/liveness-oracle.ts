/**
 * Verdicts are right within their bounds: nobody who has gone is shown for longer than the time-out, or again, a crash in a healthy
 * cluster is seen at once, and nobody who lives is declared down in a network that has been whole for a while.
 */
import { incarnationOf, type Notice, nameOf, type ReplicaId } from "@presently/replica";
import type { SimulatedCluster } from "./cluster.ts";
import { InvariantError } from "./errors.ts";
import type { ClusterObserver, FaultKind } from "./observer.ts";
import type { SimulatedProcess } from "./process.ts";

/** For late frames, probes, and clocks that run slow. */
const SLACK_MS = 1_500;
/** A crash that refuses dials is seen within this time, late frames included. */
const CRASH_SEEN_WITHIN_MS = 1_500;

export class LivenessOracle implements ClusterObserver {
  private readonly cluster: SimulatedCluster;
  /** Replicas that are no more: since when, and how long they may be shown on top of the time-out. */
  private readonly gone = new Map<ReplicaId, { at: number; graceMs: number }>();
  private readonly ids = new Map<SimulatedProcess, ReplicaId>();
  /** Whose goodbye each process has taken to its end: they never return. */
  private readonly left = new WeakMap<SimulatedProcess, Set<ReplicaId>>();
  /** The newest life of each node that each process has met: earlier ones never return either. */
  private readonly newest = new WeakMap<SimulatedProcess, Map<string, number>>();
  private readonly stalledAt = new Map<SimulatedProcess, number>();
  /** The last thing that happened, if it was a crash in a healthy cluster. */
  private crash: ReplicaId | undefined = undefined;
  /** When anything last happened that can hold frames back for long: what is old may since have come as if it were new. */
  private delayedAt = 0;
  private changedAt = 0;
  private slow = false;

  constructor(cluster: SimulatedCluster) {
    this.cluster = cluster;
  }

  started(process: SimulatedProcess): void {
    this.ids.set(process, process.id);
    this.change();
  }

  ended(process: SimulatedProcess, how: string): void {
    const handoffMs = Number(/hand-off (\d+)/.exec(how)?.[1] ?? 0);
    this.gone.set(process.id, { at: this.now, graceMs: handoffMs });
    const sudden = how === "crashed" && !process.superseded && this.isCalm();
    this.change();
    if (sudden) this.crash = process.id;
  }

  fault(kind: FaultKind): void {
    this.change();
    if (kind !== "cut") this.delayedAt = this.now;
    if (kind === "slow") this.slow = true;
    if (kind === "mend-all") this.slow = false;
  }

  /** An operator made a node forget another. */
  evictedByOrder(): void {
    this.change();
  }

  notice(process: SimulatedProcess, { type, message, replica }: Notice): void {
    if (type === "reincarnated") {
      this.gone.set(this.ids.get(process)!, { at: this.now, graceMs: 0 });
      this.ids.set(process, process.id);
      this.change();
    } else if (type === "name-conflict") {
      this.checkYield(process, message);
      this.gone.set(process.id, { at: this.now, graceMs: 0 });
      this.change();
    } else if (type === "replica-evicted" && message.endsWith("(left)")) {
      this.left.set(process, (this.left.get(process) ?? new Set()).add(replica as ReplicaId));
    } else if (type === "replica-up") {
      this.checkReturn(process, replica as ReplicaId, message);
    } else if (type === "stalled") {
      this.stalledAt.set(process, this.now);
    } else if (type === "replica-down" && this.hasJustStalled(process)) {
      throw new InvariantError(
        "verdicts",
        `${process.id} has just stood still itself, and says that ${message}`,
      );
    } else if (type === "replica-down" && !this.gone.has(replica as ReplicaId) && this.isCalm()) {
      throw new InvariantError("verdicts", `${process.id} says in a healthy cluster that ${message}`);
    }
  }

  /** Only a process that runs takes a name from another. */
  private checkYield(process: SimulatedProcess, message: string): void {
    for (const other of this.cluster.processes)
      if (other !== process && other.name === process.name && !other.superseded) return;
    throw new InvariantError("names", `${process.id} stops for nobody: ${message}`);
  }

  private checkReturn(process: SimulatedProcess, replica: ReplicaId, message: string): void {
    if (this.left.get(process)?.has(replica))
      throw new InvariantError("ghosts", `${process.id} says that ${message}, whose goodbye it has heard`);
    const newest = this.newest.get(process) ?? new Map<string, number>();
    this.newest.set(process, newest);
    const [name, incarnation] = [nameOf(replica), incarnationOf(replica)];
    const known = newest.get(name) ?? 0;
    if (incarnation < known)
      throw new InvariantError("ghosts", `${process.id} says that ${message}, and has met ${name}@${known}`);
    newest.set(name, incarnation);
  }

  /** Whether it has not had the time yet to hear what came in meanwhile. */
  private hasJustStalled(process: SimulatedProcess): boolean {
    const { heartbeatIntervalMs } = process.endpoint.replica.settings;
    return this.now - (this.stalledAt.get(process) ?? Number.NEGATIVE_INFINITY) < heartbeatIntervalMs * 0.9;
  }

  /** @throws {InvariantError} Cost: O(processes squared). */
  check(): void {
    const { now } = this;
    for (const process of this.cluster.processes) {
      if (process.paused || process.superseded || process.leaving) continue;
      for (const { replica, status } of process.endpoint.cluster()) {
        const gone = this.gone.get(replica);
        if (gone === undefined || status === "down" || status === "self") continue;
        const bound = this.boundOf(process) + gone.graceMs;
        // Also who starts later hears how long ago the last sign of life was.
        const since = Math.max(gone.at, this.delayedAt);
        if (!this.slow && now - since > bound)
          throw new InvariantError(
            "ghosts",
            `${process.id} still counts ${replica} (${status}), gone for ${Math.round(now - gone.at)} ms`,
          );
        if (replica === this.crash && now - this.changedAt > CRASH_SEEN_WITHIN_MS)
          throw new InvariantError(
            "crashes",
            `${process.id} still counts ${replica} (${status}), which crashed ${Math.round(now - gone.at)} ms ago in a healthy cluster`,
          );
      }
    }
  }

  private change(): void {
    this.changedAt = this.now;
    this.crash = undefined;
  }

  private boundOf(process: SimulatedProcess): number {
    const { downAfterMs, heartbeatIntervalMs } = process.endpoint.replica.settings;
    return (downAfterMs + 2 * heartbeatIntervalMs) * 1.02 + SLACK_MS;
  }

  /** Whether nothing has been wrong, and nobody has come or gone, for longer than anything takes to show. */
  private isCalm(): boolean {
    const { network, processes } = this.cluster;
    for (const process of processes) {
      if (process.paused) return false;
      const settledMs =
        this.boundOf(process) + network.settings.silentAfterMs + network.settings.handshakeTimeoutMs;
      if (this.now - this.changedAt < settledMs) return false;
    }
    for (const path of network.paths.all()) if (!path.isHealthy) return false;
    return true;
  }

  private get now(): number {
    return this.cluster.time.now;
  }
}
