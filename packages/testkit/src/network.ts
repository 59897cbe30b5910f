/** The simulated network: paths between hosts, connections over them, and what both tell the processes. */
import type { Millis } from "@presently/replica";
import { Direction, End } from "./connection.ts";
import type { NetworkSettings } from "./network-options.ts";
import { type Path, Paths } from "./path.ts";
import type { SimulatedProcess } from "./process.ts";
import { type Random, streamOf } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Told of everything that happens on the network, for traces, timelines and coverage. */
export interface NetworkObserver {
  linked(one: End): void;
  unlinked(end: End, reason: string): void;
  sent(direction: Direction, frame: Uint8Array): void;
  delivering(direction: Direction, frame: Uint8Array): void;
  delivered(direction: Direction, frame: Uint8Array): void;
  lost(direction: Direction, frame: Uint8Array): void;
  congested(direction: Direction): void;
  drained(direction: Direction): void;
  overflowed(direction: Direction): void;
  refused(end: End, code: string, reason: string): void;
  /** An end that the other had left long ago gave way to a new connection. */
  replaced(end: End): void;
}

export class Network {
  readonly time: VirtualTime;
  readonly settings: NetworkSettings;
  readonly observer: NetworkObserver;
  readonly paths: Paths;
  private readonly seed: string;
  private readonly connections = new Map<string, number>();

  constructor(time: VirtualTime, settings: NetworkSettings, seed: string, observer: NetworkObserver) {
    this.time = time;
    this.settings = settings;
    this.paths = new Paths(settings.bytesPerSecond / 1_000);
    this.seed = seed;
    this.observer = observer;
  }

  /** A one-way delay: mostly even, now and then long. No function whose last digit differs between machines. */
  latency(path: Path, random: Random): Millis {
    const { latencyMinMs, latencyMaxMs, lateShare, lateMaxMs } = this.settings;
    const longest = lateShare > 0 && random() < lateShare ? lateMaxMs : latencyMaxMs;
    return latencyMinMs + random() * (longest - latencyMinMs) + path.extraLatencyMs;
  }

  /** A stream of random numbers for one pair of hosts. */
  stream(...words: readonly (string | number)[]): Random {
    return streamOf(this.seed, ...words);
  }

  /** Opens a connection between two processes that have none, and tells both. */
  connect(dialler: SimulatedProcess, accepter: SimulatedProcess): void {
    const name = `${dialler.host} ${accepter.host}`;
    const count = (this.connections.get(name) ?? 0) + 1;
    this.connections.set(name, count);
    const [one, other] = [new End(dialler, accepter.id), new End(accepter, dialler.id)];
    this.bind(one, other, count);
    this.bind(other, one, count);
    this.observer.linked(one);
    // Whoever accepted knows of the link first: its welcome is what tells the other.
    accepter.linkUp(other);
    dialler.linkUp(one);
  }

  private bind(sender: End, receiver: End, count: number): void {
    const [from, to] = [sender.process.host, receiver.process.host];
    sender.other = receiver;
    sender.out = new Direction(
      this,
      sender,
      receiver,
      this.paths.between(from, to),
      this.stream("link", from, to, count),
    );
  }

  send(end: End, frame: Uint8Array): void {
    if (!end.open) return;
    this.observer.sent(end.out, frame);
    end.out.send(frame);
  }

  deliver(direction: Direction, frame: Uint8Array): void {
    const { receiver } = direction;
    this.observer.delivering(direction, frame);
    // The bytes belong to whoever receives them, and the same array may be on its way to others.
    receiver.process.receive(receiver, frame.slice());
    this.observer.delivered(direction, frame);
  }

  drained(end: End): void {
    if (!end.open) return;
    this.observer.drained(end.out);
    end.process.listener.drained(end.peer);
  }

  /**
   * Closes one end. Its process is told; the other end hears of it behind what was sent before, if it can hear.
   *
   * @param abrupt what was sent and has not arrived is lost
   */
  close(end: End, reason: string, abrupt: boolean): void {
    if (!this.shut(end, reason)) return;
    if (abrupt) end.out.discard(false);
    if (end.other.open) end.out.finish(reason);
    end.process.input(() => end.process.linkDown(end));
  }

  /** The process has died: it is told nothing, and its host tells the others, unless that has gone as well. */
  orphan(end: End, vanished: boolean): void {
    if (!this.shut(end, "its process died")) return;
    const spared = this.stream("orphan", end.process.host, end.other.process.host, this.time.now)() < 0.5;
    end.out.discard(spared);
    if (vanished) this.watchSilence(end.out);
    else if (end.other.open) end.out.finish("connection reset");
  }

  private shut(end: End, reason: string): boolean {
    if (!end.open) return false;
    end.open = false;
    this.observer.unlinked(end, reason);
    if (!end.other.open) for (const { out } of [end, end.other]) out.path.directions.delete(out);
    return true;
  }

  /** Runs something of a process as an event of its own, right after this one. */
  later(process: SimulatedProcess, run: () => void): void {
    this.time.schedule(this.time.now, () => process.input(run));
  }

  // Silence: an end that hears nothing closes after a while.

  /** Something has happened that may have silenced a direction, or given it back its voice. */
  watchSilence(direction: Direction): void {
    const token = ++direction.silence;
    if (!direction.isSilent || !direction.receiver.open) return;
    this.time.schedule(this.time.now + this.settings.silentAfterMs, () => {
      const { receiver } = direction;
      if (token !== direction.silence || !receiver.open || receiver.process.paused) return;
      receiver.process.input(() => this.close(receiver, "nothing came for too long", true));
    });
  }

  // Faults.

  /** Nothing gets through from one host to the other, and nobody is told. */
  block(from: string, to: string): void {
    this.change(from, to, (path) => {
      path.blocked = true;
    });
  }

  /** Connections break at once, and dials are refused, both ways. */
  sever(one: string, other: string): void {
    for (const path of [this.paths.between(one, other), this.paths.between(other, one)]) {
      path.refused = true;
      for (const { sender } of [...path.directions]) {
        // A broken cable is felt at both ends at once.
        const { other: far } = sender;
        this.breakEnd(sender);
        this.breakEnd(far);
      }
    }
  }

  private breakEnd(end: End): void {
    if (!end.open || !this.shut(end, "connection reset")) return;
    end.out.discard(false);
    end.process.input(() => end.process.linkDown(end));
  }

  slow(from: string, to: string, bytesPerMs: number): void {
    this.change(from, to, (path) => {
      path.bytesPerMs = bytesPerMs;
    });
  }

  /** Tells the sender that nothing should be pushed, until it is told that there is room again. */
  congest(from: string, to: string, congested: boolean): void {
    const path = this.paths.between(from, to);
    if (path.congested === congested) return;
    path.congested = congested;
    if (!congested)
      for (const { sender } of path.directions) sender.process.input(() => this.drained(sender));
  }

  heal(from: string, to: string): void {
    this.change(from, to, (path) => path.heal());
  }

  private change(from: string, to: string, change: (path: Path) => void): void {
    const path = this.paths.between(from, to);
    change(path);
    for (const direction of [...path.directions]) {
      this.watchSilence(direction);
      direction.release();
    }
  }

  /** What is between two ends that both believe in their connection. */
  hasConnection(one: SimulatedProcess, other: SimulatedProcess): boolean {
    const end = one.endAt(other.host);
    return end?.open === true && end.other.process === other && end.other.open;
  }

  /** Whom a process would reach at a host; `refused`, or `unanswered`. */
  reach(
    from: SimulatedProcess,
    host: string,
    at: SimulatedProcess | undefined,
  ): "refused" | "unanswered" | "open" {
    const [there, back] = [this.paths.between(from.host, host), this.paths.between(host, from.host)];
    if (there.refused || back.refused) return "refused";
    if (there.blocked || back.blocked || at?.paused || at?.vanished) return "unanswered";
    return at === undefined || at.ended ? "refused" : "open";
  }
}
