/** What histories reached: fuzzing that never gets into a situation says nothing about it. */
import { decodeMessage, type Message, type Notice, type ReplicaId, type TopicDiff } from "@presently/replica";
import type { Direction, End } from "./connection.ts";
import type { ClusterObserver, FaultKind } from "./observer.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Dot } from "./reference.ts";
import type { World } from "./world.ts";

/** Every situation that is counted. */
export const SITUATIONS = [
  "an update",
  "an entry removed by another node",
  "an add concurrent with a remove",
  "a remove known before its add",
  "a delta behind a gap",
  "a pull",
  "a pull given up",
  "a sync from the log",
  "a full sync",
  "a full sync in several frames",
  "an entry ahead of the vector",
  "a relay through a third node",
  "a divergence found",
  "an entry added again",
  "a suspicion",
  "a suspicion refuted",
  "a node down",
  "a node back from down",
  "an eviction by time",
  "an eviction by a newer life",
  "an eviction by order",
  "a goodbye",
  "a key taken over in a hand-off",
  "a resurrection attempt",
  "a stale life turned away",
  "a clock set back",
  "a name taken over",
  "a process that stood still",
  "a frame lost with its link",
  "a link closed for silence",
  "a half-open link replaced",
  "a congested link",
  "a link drained",
  "a push left out",
  "a cut",
  "a stall",
  "a slow link",
] as const;

/** One of `SITUATIONS`, in words. */
export type Situation = (typeof SITUATIONS)[number];

const BY_NOTICE: Partial<Record<Notice["type"], Situation>> = {
  "replica-suspect": "a suspicion",
  "replica-down": "a node down",
  "replica-leaving": "a goodbye",
  divergence: "a divergence found",
  readded: "an entry added again",
  reincarnated: "a clock set back",
  "name-conflict": "a name taken over",
  stalled: "a process that stood still",
  "pull-timeout": "a pull given up",
};

const BY_FAULT: Partial<Record<FaultKind, Situation>> = {
  cut: "a cut",
  stall: "a stall",
  slow: "a slow link",
};

/** Counts how often histories reached each situation: an observer of clusters, which several runs may share. */
export class Coverage implements ClusterObserver {
  readonly counts = new Map<Situation, number>(SITUATIONS.map((situation) => [situation, 0]));
  private readonly down = new WeakMap<SimulatedProcess, Set<ReplicaId>>();
  private readonly evicted = new WeakMap<SimulatedProcess, Set<ReplicaId>>();
  private readonly skipped = new WeakMap<SimulatedProcess, number>();
  private readonly openSyncs = new WeakSet<SimulatedProcess>();

  /** Situations that were never reached. */
  get missing(): Situation[] {
    return SITUATIONS.filter((situation) => this.counts.get(situation) === 0);
  }

  hit(situation: Situation): void {
    this.counts.set(situation, this.counts.get(situation)! + 1);
  }

  /** Counts what another one counted. */
  add(other: Coverage): void {
    for (const [situation, count] of other.counts)
      this.counts.set(situation, this.counts.get(situation)! + count);
  }

  started(process: SimulatedProcess): void {
    this.down.set(process, new Set());
    this.evicted.set(process, new Set());
  }

  fault(kind: FaultKind): void {
    const situation = BY_FAULT[kind];
    if (situation !== undefined) this.hit(situation);
  }

  notice(process: SimulatedProcess, { type, message, replica }: Notice): void {
    const situation = BY_NOTICE[type];
    if (situation !== undefined) this.hit(situation);
    const id = replica as ReplicaId;
    const down = this.down.get(process)!;
    if (type === "replica-down") down.add(id);
    if (type === "replica-up" && message.endsWith("again"))
      this.hit(down.delete(id) ? "a node back from down" : "a suspicion refuted");
    if (type === "replica-evicted") {
      this.evicted.get(process)!.add(id);
      if (message.endsWith("(evicted)"))
        this.hit(down.delete(id) ? "an eviction by time" : "an eviction by a newer life");
    }
  }

  /** Before a node removes what it shows of a key. */
  kicked(world: World, process: SimulatedProcess, topic: string, key: string, removes: readonly Dot[]): void {
    if (removes.some(({ replica }) => replica !== process.id)) this.hit("an entry removed by another node");
    if (removes.length === 0) return;
    for (const [other, models] of world.sessions) {
      if (other === process || other.ended) continue;
      const seen = process.endpoint.replica.state.vectorOf(other.id);
      for (const model of models) {
        const presence = model?.session.closed === false ? model.session.get(topic, key) : undefined;
        const unseen = [...other.endpoint.replica.state.entriesOf(other.id)].some(
          ([number, entry]) => entry.presence === presence && number > seen,
        );
        if (unseen) this.hit("an add concurrent with a remove");
      }
    }
  }

  evictedByOrder(): void {
    this.hit("an eviction by order");
  }

  /** At a check of a process. */
  looked(process: SimulatedProcess): void {
    const { state, counters } = process.endpoint.replica;
    for (const origin of state.originIds()) {
      if (state.pendingOf(origin).size > 0) this.hit("a remove known before its add");
      if (state.aheadOf(origin) > 0) this.hit("an entry ahead of the vector");
    }
    if (counters.pushesSkipped > (this.skipped.get(process) ?? 0)) this.hit("a push left out");
    this.skipped.set(process, counters.pushesSkipped);
  }

  changed(_: SimulatedProcess, { updates }: TopicDiff): void {
    for (const { before, after } of updates)
      this.hit(before.node === after.node ? "an update" : "a key taken over in a hand-off");
  }

  delivering({ sender, receiver }: Direction, frame: Uint8Array): void {
    const type = frame[1];
    if (type === 18) this.hit("a pull");
    const evicted = this.evicted.get(receiver.process)!;
    if (type !== 16 && type !== 19 && (type !== 17 || evicted.size === 0)) return;
    const message = decodeMessage(frame);
    if (message?.type === "delta") this.noteDelta(receiver.process, message);
    if (message?.type === "sync") this.noteSync(receiver.process, message, sender.process.id);
    if (message?.type === "heartbeat" && message.heard.some(({ replica }) => evicted.has(replica)))
      this.hit("a resurrection attempt");
  }

  private noteDelta(process: SimulatedProcess, { delta }: Extract<Message, { type: "delta" }>): void {
    if (delta.from > process.endpoint.replica.state.vectorOf(delta.origin)) this.hit("a delta behind a gap");
  }

  private noteSync(
    process: SimulatedProcess,
    message: Extract<Message, { type: "sync" }>,
    from: ReplicaId,
  ): void {
    if (message.deltas.length > 0) this.hit("a sync from the log");
    if (message.full && message.last) {
      this.hit("a full sync");
      if (this.openSyncs.has(process)) this.hit("a full sync in several frames");
    }
    if (message.full && !message.last) this.openSyncs.add(process);
    else this.openSyncs.delete(process);
    const { state } = process.endpoint.replica;
    const relayed =
      message.deltas.some(({ origin, to }) => origin !== from && to > state.vectorOf(origin)) ||
      message.entries.some(
        ({ origin, numbers }) => origin !== from && numbers.some((n) => n > state.vectorOf(origin)),
      );
    if (relayed) this.hit("a relay through a third node");
  }

  lost(): void {
    this.hit("a frame lost with its link");
  }

  unlinked(_: End, reason: string): void {
    if (reason === "nothing came for too long") this.hit("a link closed for silence");
    if (reason.startsWith("STALE_INCARNATION")) this.hit("a stale life turned away");
  }

  replaced(): void {
    this.hit("a half-open link replaced");
  }

  congested(): void {
    this.hit("a congested link");
  }

  drained(): void {
    this.hit("a link drained");
  }
}
