/** Whoever looks on while a cluster runs: traces, timelines, coverage and oracles are observers. */
import type { Notice, TopicDiff } from "@presently/replica";
import type { NetworkObserver } from "./network.ts";
import type { SimulatedProcess } from "./process.ts";

export type FaultKind = "cut" | "stall" | "slow" | "mend" | "mend-all" | "pause" | "resume" | "hostile";

/** Told of what happens in a cluster, in order and as it happens; leaves out what it does not care for, and changes nothing. */
export interface ClusterObserver extends Partial<NetworkObserver> {
  started?(process: SimulatedProcess): void;
  ended?(process: SimulatedProcess, how: string): void;
  /** Something was done to the network or to a process, also in words. */
  fault?(kind: FaultKind, what: string): void;
  /** A watched topic has changed. */
  changed?(process: SimulatedProcess, diff: TopicDiff): void;
  notice?(process: SimulatedProcess, notice: Notice): void;
  /** A process has handled an input: its state may have changed. */
  input?(process: SimulatedProcess): void;
}

/** Tells several observers. */
export class Observers {
  private readonly all: ClusterObserver[] = [];

  add(observer: ClusterObserver): void {
    this.all.push(observer);
  }

  /** Calls one hook of all that have it. */
  tell<H extends keyof ClusterObserver>(
    hook: H,
    ...facts: Parameters<NonNullable<ClusterObserver[H]>>
  ): void {
    for (const observer of this.all)
      (observer[hook] as ((...facts: unknown[]) => void) | undefined)?.(...facts);
  }

  /** As the network wants it. */
  forNetwork(): NetworkObserver {
    return {
      linked: (one) => this.tell("linked", one),
      unlinked: (end, reason) => this.tell("unlinked", end, reason),
      sent: (direction, frame) => this.tell("sent", direction, frame),
      delivering: (direction, frame) => this.tell("delivering", direction, frame),
      delivered: (direction, frame) => this.tell("delivered", direction, frame),
      lost: (direction, frame) => this.tell("lost", direction, frame),
      congested: (direction) => this.tell("congested", direction),
      drained: (direction) => this.tell("drained", direction),
      overflowed: (direction) => this.tell("overflowed", direction),
      refused: (end, code, reason) => this.tell("refused", end, code, reason),
      replaced: (end) => this.tell("replaced", end),
    };
  }
}
