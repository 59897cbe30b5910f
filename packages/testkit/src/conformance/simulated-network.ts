/** The simulator's own network as a medium for the suite: it must keep what real transports promise. */
import { incarnationOf, nameOf, type ReplicaId, type TransportListener } from "@presently/replica";
import { Network } from "../network.ts";
import { NETWORK_DEFAULTS, type NetworkOptions } from "../network-options.ts";
import { Observers } from "../observer.ts";
import { SimulatedProcess } from "../process.ts";
import { VirtualTime } from "../virtual-time.ts";
import type { ConformanceNetwork, ConformingTransport, JoinOptions } from "./network.ts";

/**
 * A medium for the suite that rests on the simulated network, to hold the simulator to what real transports promise.
 *
 * @param seed everything that is left to chance follows from it
 */
export function simulatedConformanceNetwork(seed: string, options: NetworkOptions = {}): ConformanceNetwork {
  return new SimulatedMedium(seed, options);
}

class SimulatedMedium implements ConformanceNetwork {
  private readonly time = new VirtualTime();
  private readonly network: Network;
  /** Of each cluster, the newest process on each host. */
  private readonly clusters = new Map<string, Map<string, SimulatedProcess>>();
  private lives = 0;

  constructor(seed: string, options: NetworkOptions) {
    const settings = { ...NETWORK_DEFAULTS, silentAfterMs: 600_000, ...options };
    this.network = new Network(this.time, settings, seed, new Observers().forNetwork());
  }

  join({ cluster, replica, listener }: JoinOptions): ConformingTransport {
    const hosts = this.clusters.get(cluster) ?? new Map<string, SimulatedProcess>();
    this.clusters.set(cluster, hosts);
    const gate = new Gate(listener);
    const process = new SimulatedProcess({
      // Hosts of two clusters are not the same machines.
      host: `${cluster}/${nameOf(replica)}`,
      life: ++this.lives,
      replica: { name: nameOf(replica), incarnation: incarnationOf(replica) },
      clock: { skewMs: 0, driftPpm: 0 },
      network: this.network,
      processAt: (host) => hosts.get(host),
      onNotice: () => undefined,
      onInput: () => undefined,
      listener: gate,
    });
    const start = () => {
      hosts.set(process.host, process);
      for (const [host, other] of hosts) {
        process.dialer.add(host);
        other.dialer.add(process.host);
      }
      return Promise.resolve();
    };
    return simulatedTransport(process, gate, start);
  }

  stall(): void {
    for (const path of this.pairs()) this.network.block(...path);
  }

  resume(): void {
    for (const path of this.pairs()) this.network.heal(...path);
  }

  private *pairs(): Iterable<[from: string, to: string]> {
    for (const hosts of this.clusters.values())
      for (const from of hosts.keys()) for (const to of hosts.keys()) if (from !== to) yield [from, to];
  }

  elapse(durationMs: number): void {
    this.time.advance(durationMs);
  }

  close(): void {}
}

function simulatedTransport(
  process: SimulatedProcess,
  gate: Gate,
  start: () => Promise<void>,
): ConformingTransport {
  return {
    ...process.transport,
    start,
    close: () => {
      gate.isOpen = false;
      if (!process.ended) {
        process.leave(0);
        process.end(false);
      }
      return Promise.resolve();
    },
    bufferedBytes: (peer) => process.endOf(peer)?.out.queuedBytes ?? 0,
  };
}

/** Lets nothing through once the transport is closed. */
class Gate implements TransportListener {
  isOpen = true;
  private readonly listener: TransportListener;

  constructor(listener: TransportListener) {
    this.listener = listener;
  }

  peerUp(peer: ReplicaId): void {
    if (this.isOpen) this.listener.peerUp(peer);
  }

  peerDown(peer: ReplicaId, reason: string): void {
    if (this.isOpen) this.listener.peerDown(peer, reason);
  }

  unreachable(peer: ReplicaId, reason: string): void {
    if (this.isOpen) this.listener.unreachable(peer, reason);
  }

  frame(peer: ReplicaId, frame: Uint8Array): void {
    if (this.isOpen) this.listener.frame(peer, frame);
  }

  drained(peer: ReplicaId): void {
    if (this.isOpen) this.listener.drained(peer);
  }
}
