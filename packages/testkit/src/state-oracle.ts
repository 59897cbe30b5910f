/**
 * Every replica equals the naive reference: what it holds of each origin is what the events of its vector leave over.
 * That equal vectors imply equal states follows. Where somebody has been forgotten, who made or removed an entry, it may
 * have been forgotten as well that it is gone: there only less can be said, until the full exchange that settles it.
 */
import { StateHash, seedOf } from "@presently/crdt";
import type { Presence, ReplicaId, StateView } from "@presently/replica";
import { InvariantError } from "./errors.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Dot, Reference, Vector } from "./reference.ts";
import { sameMeta } from "./sessions.ts";

export class StateOracle {
  private readonly reference: Reference;
  /** Replicas that anybody has forgotten, or was about to. */
  private readonly forgotten: ReadonlySet<ReplicaId>;

  constructor(reference: Reference, forgotten: ReadonlySet<ReplicaId>) {
    this.reference = reference;
    this.forgotten = forgotten;
  }

  /**
   * @param sweepsAreOver whether all entries of who came or went have been shown or hidden
   * @throws {InvariantError} Cost: O(events of all replicas).
   */
  check(process: SimulatedProcess, sweepsAreOver: boolean): void {
    const { state } = process.endpoint.replica;
    const vector = state.vector();
    for (const [origin, seen] of vector) {
      const made = this.reference.made(origin);
      if (seen > made) fail("events", process, `has seen event ${seen} of ${origin}, which has made ${made}`);
    }
    for (const origin of state.originIds()) {
      this.checkEntries(process, state, origin);
      if (!this.forgotten.has(origin)) this.checkOrigin(process, state, origin, vector);
    }
    this.checkHashes(process, state);
    if (sweepsAreOver) this.checkView(process, state);
  }

  /** Nothing is invented, forgotten replicas or not. */
  private checkEntries(process: SimulatedProcess, state: StateView, origin: ReplicaId): void {
    for (const [number, { presence }] of state.entriesOf(origin)) {
      const adds = this.reference.event({ replica: origin, number })?.adds;
      const same =
        adds !== undefined &&
        adds.topic === presence.topic &&
        adds.key === presence.key &&
        sameMeta(adds.meta, presence.meta);
      if (!same) fail("entries", process, `holds ${describe(presence)}, which was never added like that`);
    }
  }

  private checkOrigin(process: SimulatedProcess, state: StateView, replica: ReplicaId, vector: Vector): void {
    const entries = state.entriesOf(replica);
    const seen = vector.get(replica) ?? 0;
    for (let number = 1; number <= seen; number++) {
      const dot = { replica, number };
      const adds = this.reference.event(dot)!.adds;
      if (adds === undefined || this.isVague(dot)) continue;
      const removed = this.reference.isRemoved(dot, vector);
      if (removed && entries.has(number))
        fail(
          "reference",
          process,
          `holds ${adds.key} (${nameOf(dot)}), which an event that it has seen removed`,
        );
      if (!removed && !entries.has(number))
        fail(
          "reference",
          process,
          `lacks ${adds.key} (${nameOf(dot)}), which no event that it has seen removed`,
        );
    }
    for (const number of entries.keys()) {
      const dot = { replica, number };
      if (number > seen && !this.isVague(dot) && this.reference.isRemoved(dot, vector))
        fail("reference", process, `holds ${nameOf(dot)} ahead of its vector, and knows that it is removed`);
    }
    this.checkPending(process, state, replica, vector);
  }

  private checkPending(
    process: SimulatedProcess,
    state: StateView,
    replica: ReplicaId,
    vector: Vector,
  ): void {
    const held = state.pendingOf(replica);
    const expected = this.reference.pending(replica, vector);
    for (const number of expected) {
      if (!held.has(number) && !this.isVague({ replica, number }))
        fail(
          "pending",
          process,
          `has forgotten that ${nameOf({ replica, number })} is removed before it has seen it`,
        );
    }
    for (const number of held) {
      if (!expected.includes(number) && !this.isVague({ replica, number }))
        fail("pending", process, `keeps ${nameOf({ replica, number })} as removed for no reason`);
    }
  }

  /** Whether it was removed by somebody who has been forgotten: then not everybody can know. */
  private isVague(dot: Dot): boolean {
    return this.reference.removersOf(dot).some(({ replica }) => this.forgotten.has(replica));
  }

  /** Whether somebody has put another in its place: that may be here already, ahead of the remove that belongs to it. */
  private isUpdated(dot: Dot): boolean {
    return this.reference.removersOf(dot).some((by) => this.reference.event(by)!.adds !== undefined);
  }

  private checkHashes(process: SimulatedProcess, state: StateView): void {
    for (const [origin, { vector, hash }] of state.digest()) {
      const expected = new StateHash(seedOf(origin));
      let ahead = 0;
      for (const number of state.entriesOf(origin).keys()) {
        if (number <= vector) expected.toggle(number);
        else ahead++;
      }
      if (hash !== expected.value)
        fail("hash", process, `has another hash of ${origin} than of what it holds of it`);
      if (ahead !== state.aheadOf(origin))
        fail("hash", process, `counts ${state.aheadOf(origin)} entries ahead, not ${ahead}`);
    }
  }

  /** Readers see the entries of the replicas that count, and no others; a leaver's may have been taken over. */
  private checkView(process: SimulatedProcess, state: StateView): void {
    const shown = new Set<Presence>();
    const { replica } = process.endpoint;
    const successors = new Set<string>();
    for (const { topic } of replica.topics()) {
      for (const presence of replica.list(topic)) {
        shown.add(presence);
        if (presence.previousRef !== undefined) successors.add(presence.previousRef);
      }
    }
    const known = new Set<ReplicaId>();
    let expected = 0;
    for (const { replica: origin, status } of process.endpoint.cluster()) {
      known.add(origin);
      for (const [number, { presence }] of state.entriesOf(origin)) {
        if (!shown.has(presence)) {
          if (status === "leaving" || successors.has(presence.ref)) continue;
          if (this.isUpdated({ replica: origin, number })) continue;
        }
        if (status !== "down") expected++;
        if ((status !== "down") !== shown.has(presence))
          fail(
            "views",
            process,
            `${shown.has(presence) ? "shows" : "hides"} ${describe(presence)}, of ${origin}, which is ${status}`,
          );
      }
    }
    if (expected === shown.size) return;
    const strays = [...shown].filter(
      (stray) => ![...state.entriesOf(stray.replica).values()].some(({ presence }) => presence === stray),
    );
    fail("views", process, `shows ${strays.map(describe).join(", ")}, which is not in its set`);
  }
}

function fail(invariant: string, process: SimulatedProcess, what: string): never {
  throw new InvariantError(invariant, `${process.id} ${what}`);
}

function describe({ key, topic, ref }: Presence): string {
  return `${key} on ${topic} (${ref})`;
}

function nameOf({ replica, number }: Dot): string {
  return `${replica}#${number}`;
}
