/** Dials every other host for ever, with a back-off, as the mesh does with what it is configured with. */
import { incarnationOf, nameOf, type ReplicaId } from "@presently/replica";
import type { Task } from "./event-queue.ts";
import type { Network } from "./network.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Random } from "./random.ts";

const NOT_REACHED = "it cannot be reached";

interface Target {
  readonly host: string;
  /** Whom we last had a link with there. */
  peer: ReplicaId | undefined;
  /** Whom the replica has asked for since. */
  wanted: ReplicaId | undefined;
  failures: number;
  dialling: boolean;
  next: Task | undefined;
}

export class Dialer {
  private readonly targets = new Map<string, Target>();
  private readonly process: SimulatedProcess;
  private readonly network: Network;
  private readonly processAt: (host: string) => SimulatedProcess | undefined;
  private readonly random: Random;
  private stopped = false;

  constructor(
    process: SimulatedProcess,
    network: Network,
    processAt: (host: string) => SimulatedProcess | undefined,
  ) {
    this.process = process;
    this.network = network;
    this.processAt = processAt;
    this.random = network.stream("dial", process.host, process.life);
  }

  /** Dials this host from now on; of two processes that start to at once, one comes first. */
  add(host: string): void {
    if (this.targets.has(host) || host === this.process.host) return;
    const target: Target = {
      host,
      peer: undefined,
      wanted: undefined,
      failures: 0,
      dialling: false,
      next: undefined,
    };
    this.targets.set(host, target);
    this.dialLater(target, this.random() * this.network.settings.dialMinMs * 0.2);
  }

  /** The replica wants to know whether it can reach a peer whose link was lost. */
  redial(peer: ReplicaId): void {
    for (const target of this.targets.values()) {
      // A node that has restarted is found where it was.
      if (target.peer === undefined || nameOf(target.peer) !== nameOf(peer)) continue;
      target.wanted = peer;
      this.dial(target);
      return;
    }
    this.network.later(this.process, () => this.process.listener.unreachable(peer, NOT_REACHED));
  }

  linked(host: string, peer: ReplicaId): void {
    const target = this.targets.get(host);
    if (target === undefined) return;
    target.failures = 0;
    const missed = target.wanted;
    target.peer = peer;
    target.wanted = undefined;
    if (missed !== undefined && missed !== peer) {
      this.network.later(this.process, () => this.process.listener.unreachable(missed, NOT_REACHED));
    }
  }

  unlinked(host: string): void {
    const target = this.targets.get(host);
    if (target !== undefined && !target.dialling) this.backOff(target);
  }

  stop(): void {
    this.stopped = true;
    for (const { next } of this.targets.values()) next?.cancel();
  }

  private dialLater(target: Target, delayMs: number): void {
    if (this.stopped) return;
    target.next?.cancel();
    const { time } = this.network;
    target.next = time.schedule(time.now + delayMs, () => this.process.input(() => this.dial(target)));
  }

  private backOff(target: Target): void {
    const { dialMinMs, dialMaxMs } = this.network.settings;
    const longest = Math.min(dialMaxMs, dialMinMs * 2 ** Math.min(target.failures, 30));
    this.dialLater(target, longest / 2 + (longest / 2) * this.random());
  }

  private dial(target: Target): void {
    if (this.stopped || target.dialling) return;
    target.next?.cancel();
    target.dialling = true;
    const { time, paths } = this.network;
    const roundTripMs =
      this.network.latency(paths.between(this.process.host, target.host), this.random) +
      this.network.latency(paths.between(target.host, this.process.host), this.random);
    time.schedule(time.now + roundTripMs, () => this.process.input(() => this.answer(target)));
  }

  private answer(target: Target): void {
    if (this.stopped) return;
    const other = this.processAt(target.host);
    const outcome = this.network.reach(this.process, target.host, other);
    if (outcome === "open") {
      target.dialling = false;
      if (this.network.hasConnection(this.process, other!)) return;
      // Another process says that it is who we are: it keeps the id, and whoever dialled yields.
      if (other!.id === this.process.id) this.process.endpoint.newerLifeSeen(incarnationOf(this.process.id));
      if (other!.id === this.process.id || !other!.accepts) this.fail(target);
      else this.network.connect(this.process, other!);
    } else if (outcome === "refused") {
      target.dialling = false;
      this.fail(target);
    } else {
      const { time, settings } = this.network;
      time.schedule(time.now + settings.handshakeTimeoutMs, () =>
        this.process.input(() => {
          if (this.stopped) return;
          target.dialling = false;
          if (this.process.endAt(target.host) === undefined) this.fail(target);
        }),
      );
    }
  }

  private fail(target: Target): void {
    target.failures++;
    this.backOff(target);
    const missed = target.wanted ?? target.peer;
    if (missed === undefined || this.process.endAt(target.host) !== undefined) return;
    target.wanted = undefined;
    this.process.listener.unreachable(missed, NOT_REACHED);
  }
}
