/** A membership at explicit times, and all that it wants done and said: for tests of who counts, and when. */
import { type Notice, type ReplicaId, type ReplicaOptions, replicaId } from "../src/index.ts";
import { Membership } from "../src/membership.ts";
import { resolveReplicaOptions } from "../src/options.ts";

export const [A, B, C, D, E] = ["a", "b", "c", "d", "e"].map((name) => replicaId(name, 1)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
  ReplicaId,
];
export const NEVER = Number.POSITIVE_INFINITY;

/** Replica a, and all that it wants done and said. */
export class Seen {
  readonly membership: Membership;
  private calls: string[] = [];
  readonly notices: Notice[] = [];
  /** Whom followers are told of. */
  readonly changed: ReplicaId[] = [];

  constructor(options: Partial<ReplicaOptions> = {}) {
    const settings = resolveReplicaOptions({ name: "a", incarnation: 1, evictAfterMs: 60_000, ...options });
    const say = (call: string) => void this.calls.push(call);
    this.membership = new Membership(A, settings, {
      shown: (replica) => say(`shown ${replica}`),
      hidden: (replica) => say(`hidden ${replica}`),
      evicted: (replica, reason) => say(`evicted ${replica} ${reason}`),
      evictionForgotten: (replica) => say(`readmitted ${replica}`),
      probe: (peers, replica) => say(`ask ${peers.join(" ")} about ${replica}`),
      redial: (replica) => say(`redial ${replica}`),
      newerSelf: (incarnation) => say(`newer life ${incarnation}`),
      changed: (replica) => this.changed.push(replica),
      notice: (notice) => this.notices.push(notice),
    });
  }

  /** What was wanted since the last call. */
  get told(): string[] {
    return this.calls.splice(0);
  }

  /** Own heartbeats of these replicas. */
  beat(counter: number, now: number, ...replicas: readonly ReplicaId[]): void {
    for (const replica of replicas) this.membership.learn({ replica, counter, agoMs: 0 }, replica, now);
  }

  /** Links with these, each with a first heartbeat. */
  link(now: number, ...replicas: readonly ReplicaId[]): void {
    for (const replica of replicas)
      if (!this.membership.linked(replica, now)) throw new Error(`a link with ${replica} is turned away`);
    this.beat(1, now, ...replicas);
    this.told;
  }

  deny(replica: ReplicaId, now: number, ...from: readonly ReplicaId[]): void {
    this.answer({ replica, counter: 0, agoMs: 0, vouches: false }, now, ...from);
  }

  answer(
    ack: { replica: ReplicaId; counter: number; agoMs: number; vouches: boolean },
    now: number,
    ...from: readonly ReplicaId[]
  ): void {
    for (const peer of from) this.membership.answered({ type: "probe-ack", ...ack }, peer, now);
  }

  status(replica: ReplicaId): string | undefined {
    return this.membership.get(replica)?.status;
  }

  /** Runs the clock as a shell would, and collects the times at which something was wanted. */
  run(from: number, to: number): string[] {
    const log: string[] = [];
    for (let now = from; now <= to; ) {
      const next = this.membership.tick(now);
      for (const call of this.told) log.push(`${now} ${call}`);
      const { nextDeadline } = this.membership;
      if (next !== nextDeadline) throw new Error(`the tick at ${now} says ${next}, and not ${nextDeadline}`);
      now = Math.max(now + 1, Math.min(next, to + 1));
    }
    return log;
  }
}
