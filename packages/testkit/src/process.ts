/** One process of a simulated cluster: the real endpoint and replica, on a host, with a clock of its own. */
import {
  Endpoint,
  type Notice,
  type ReplicaId,
  type ReplicaOptions,
  type Session,
  type Transport,
  type TransportListener,
} from "@presently/replica";
import type { End } from "./connection.ts";
import { Dialer } from "./dialer.ts";
import { PlannedError } from "./errors.ts";
import type { Network } from "./network.ts";
import { type ClockOptions, ProcessClock } from "./process-clock.ts";
import type { WatchedTopic } from "./watched-topic.ts";

export interface ProcessOptions {
  readonly host: string;
  /** Numbers all processes of a cluster. */
  readonly life: number;
  readonly replica: ReplicaOptions;
  readonly clock: ClockOptions;
  readonly network: Network;
  readonly processAt: (host: string) => SimulatedProcess | undefined;
  /** Told of what the replica says, and of every input after it was handled. */
  readonly onNotice: (process: SimulatedProcess, notice: Notice) => void;
  readonly onInput: (process: SimulatedProcess) => void;
  /** Who is told what the network has to tell. Default: its replica. */
  readonly listener?: TransportListener;
}

/** One process on one host: the real endpoint and replica, with a clock that may be off, and that can be paused or killed. */
export class SimulatedProcess {
  readonly host: string;
  readonly life: number;
  /** The name of its node. */
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly listener: TransportListener;
  readonly transport: Transport;
  readonly clock: ProcessClock;
  readonly notices: Notice[] = [];
  /** Topics that are watched from the start, as an application sees them. */
  readonly watched = new Map<string, WatchedTopic>();
  /** For whoever drives it. */
  readonly sessions: Session[] = [];
  /** It stands still: nothing it is told or has planned runs. */
  paused = false;
  ended = false;
  /** It ended together with its host: nobody is told. */
  vanished = false;
  /** A newer life of its name has taken over: its links are closed for good. */
  superseded = false;
  /** It has said goodbye. */
  leaving = false;
  /** So many more calls of its listeners throw. */
  throws = 0;
  readonly dialer: Dialer;
  private readonly network: Network;
  private readonly onInput: (process: SimulatedProcess) => void;
  private readonly ends = new Map<string, End>();
  private readonly endsByPeer = new Map<ReplicaId, End>();
  private lateTimers: (() => void)[] = [];
  private backlog: (() => void)[] = [];
  /** Its links at its end. */
  private graves: End[] = [];

  constructor(options: ProcessOptions) {
    const { network, replica } = options;
    this.host = options.host;
    this.life = options.life;
    this.name = replica.name;
    this.network = network;
    this.onInput = options.onInput;
    this.dialer = new Dialer(this, network, options.processAt);
    this.clock = new ProcessClock(network.time, options.clock, (run) => () => this.timer(run));
    this.transport = this.newTransport();
    this.endpoint = new Endpoint({
      replica,
      transport: () => this.transport,
      clock: this.clock,
      onNotice: (notice) => {
        this.notices.push(notice);
        options.onNotice(this, notice);
        this.listen();
      },
      onRenamed: () => this.hangUp("its replica was renamed"),
      onSuperseded: () => {
        this.superseded = true;
        this.dialer.stop();
        this.hangUp("a newer life of its name has taken over");
      },
    });
    this.listener = options.listener ?? this.endpoint;
  }

  get id(): ReplicaId {
    return this.endpoint.replica.id;
  }

  /** Whether it is running, not standing still. */
  get running(): boolean {
    return !this.ended && !this.paused;
  }

  /** Whether it opens a link with whoever dials it. */
  get accepts(): boolean {
    return !this.superseded && !this.leaving;
  }

  private newTransport(): Transport {
    return {
      send: (peer, frame) => {
        const end = this.endsByPeer.get(peer);
        if (end !== undefined) this.network.send(end, frame);
      },
      congested: (peer) => {
        const out = this.endsByPeer.get(peer)?.out;
        return out !== undefined && (out.congested || out.path.congested);
      },
      redial: (peer) => this.dialer.redial(peer),
      refuse: (peer, code, reason) => {
        const end = this.endsByPeer.get(peer);
        if (end === undefined) return;
        this.network.observer.refused(end, code, reason);
        this.network.later(this, () => this.network.close(end, `${code}: ${reason}`, false));
      },
    };
  }

  /** One of its listeners is called. @throws {PlannedError} as many times as was ordered */
  listen(): void {
    if (this.throws === 0) return;
    this.throws--;
    throw new PlannedError();
  }

  // What happens to it.

  /** Runs an input now, or once the process goes on. */
  input(run: () => void): void {
    if (this.ended) return;
    if (this.paused) this.backlog.push(run);
    else {
      run();
      this.onInput(this);
    }
  }

  private timer(run: () => void): void {
    if (this.ended) return;
    if (this.paused) this.lateTimers.push(run);
    else {
      run();
      this.onInput(this);
    }
  }

  receive(end: End, frame: Uint8Array): void {
    this.listener.frame(end.peer, frame);
    this.onInput(this);
  }

  linkUp(end: End): void {
    const before = this.ends.get(end.other.process.host) ?? this.endsByPeer.get(end.peer);
    if (before !== undefined) {
      this.network.observer.replaced(before);
      this.network.close(before, "the peer has opened another link", true);
    }
    this.ends.set(end.other.process.host, end);
    this.endsByPeer.set(end.peer, end);
    this.dialer.linked(end.other.process.host, end.peer);
    this.listener.peerUp(end.peer);
    this.onInput(this);
  }

  linkDown(end: End): void {
    const { host } = end.other.process;
    if (this.ends.get(host) === end) this.ends.delete(host);
    if (this.endsByPeer.get(end.peer) !== end) return;
    this.endsByPeer.delete(end.peer);
    this.dialer.unlinked(host);
    this.listener.peerDown(end.peer, "the link is gone");
  }

  /** The end of its link with whoever is at a host. */
  endAt(host: string): End | undefined {
    return this.ends.get(host);
  }

  /** The end of its link with a peer. */
  endOf(peer: ReplicaId): End | undefined {
    return this.endsByPeer.get(peer);
  }

  /** The ends of all its links. */
  links(): Iterable<End> {
    return this.ends.values();
  }

  private hangUp(reason: string): void {
    for (const end of [...this.ends.values()]) this.network.close(end, reason, false);
  }

  // What is done to it.

  pause(): void {
    this.paused = true;
    this.listenToSilence();
  }

  /** Goes on: first what its timers missed, then what it was told, then what waits in its sockets. */
  resume(): void {
    this.paused = false;
    const { time } = this.network;
    const missed = [...this.lateTimers, ...this.backlog];
    this.lateTimers = [];
    this.backlog = [];
    for (const run of missed) time.schedule(time.now, () => this.input(run));
    this.listenToSilence();
    for (const end of this.ends.values()) end.other.out.release();
  }

  private listenToSilence(): void {
    for (const end of this.ends.values()) {
      this.network.watchSilence(end.out);
      this.network.watchSilence(end.other.out);
    }
  }

  /** Says goodbye; its links close behind that. */
  leave(handoffMs: number): void {
    this.endpoint.leave(handoffMs);
    this.leaving = true;
    this.dialer.stop();
    this.hangUp("the node has stopped");
  }

  /** It ends at once. Its host closes its connections, unless it goes as well. */
  end(vanished: boolean): void {
    this.ended = true;
    this.vanished = vanished;
    this.dialer.stop();
    this.endpoint.close();
    this.graves = [...this.ends.values()];
    for (const end of this.graves) this.network.orphan(end, vanished);
    this.ends.clear();
    this.endsByPeer.clear();
  }

  /** Another process runs in its place: whoever still believes in a link with it is told that nobody knows of it. */
  resetGraves(): void {
    for (const { other } of this.graves) {
      if (!other.open) continue;
      const { time } = this.network;
      const delayMs = 2 * this.network.settings.latencyMaxMs;
      time.schedule(time.now + delayMs, () => {
        if (!other.out.path.blocked) this.network.close(other, "connection reset", true);
      });
    }
    this.graves = [];
  }
}
