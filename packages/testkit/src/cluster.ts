/**
 * A whole cluster in one thread: the real endpoint, replica and codec on every node, virtual clocks, and a network that
 * can fail in the ways networks do. The same seed and the same calls give the same history, byte for byte.
 */
import {
  incarnationOf,
  type Millis,
  type Notice,
  type Presence,
  type ReplicaOptions,
} from "@presently/replica";
import { InvariantError, PlannedError, ScenarioError } from "./errors.ts";
import { Network } from "./network.ts";
import { NETWORK_DEFAULTS, type NetworkOptions } from "./network-options.ts";
import { type ClusterObserver, type FaultKind, Observers } from "./observer.ts";
import { SimulatedProcess } from "./process.ts";
import { integerFrom, streamOf } from "./random.ts";
import { VirtualTime } from "./virtual-time.ts";
import { WatchedTopic } from "./watched-topic.ts";

/** What all nodes of a simulated cluster have in common, and the seed from which everything else follows. */
export interface ClusterOptions {
  /** Everything that is left to chance follows from it. Default "0". */
  readonly seed?: string | number;
  /** Options of every replica, besides name and incarnation. */
  readonly replica?: Partial<ReplicaOptions>;
  readonly network?: NetworkOptions;
  /** Topics that every node watches from its start. Default none. */
  readonly topics?: readonly string[];
  /** How far clocks are apart at most. Default 1,000,000. */
  readonly skewMaxMs?: Millis;
  /** How far the speed of a clock is off at most, in parts per million. Default 100. */
  readonly driftMaxPpm?: number;
  /** Whether an error that a listener throws is thrown from where time is advanced. Default true. */
  readonly strict?: boolean;
  /** Look on from before the first node starts. */
  readonly observers?: readonly ClusterObserver[];
}

/** Which life of a node starts, and on which host. */
export interface StartOptions {
  /** Default: one more than the newest so far. */
  readonly incarnation?: number;
  /** Where it runs. Default: the host that has the name of the node. */
  readonly host?: string;
}

/** After its goodbye a process lives on for so long. */
const LEAVING_MS = 200;

/** Nodes, their hosts and the network between them, in one thread and in virtual time: nothing moves until time is advanced. */
export class SimulatedCluster {
  readonly time = new VirtualTime();
  readonly network: Network;
  /** The processes that are meant to run, by the name of their node; the newest of each name. */
  readonly nodes = new Map<string, SimulatedProcess>();
  /** Every process that has not ended, also those that are being replaced. */
  readonly processes = new Set<SimulatedProcess>();
  /** Bytes handed to links so far, by type of message. */
  readonly bytes = new Map<number, number>();
  readonly options: ClusterOptions;
  private readonly observers = new Observers();
  private readonly hosts = new Map<string, SimulatedProcess>();
  private readonly incarnations = new Map<string, number>();
  private lives = 0;
  private finding: { readonly error: unknown } | undefined = undefined;

  /** @param names of the nodes that start at once, or how many: `a`, `b`, `c` … */
  constructor(names: readonly string[] | number, options: ClusterOptions = {}) {
    this.options = options;
    const settings = { ...NETWORK_DEFAULTS, ...options.network };
    this.network = new Network(this.time, settings, `${options.seed ?? 0}`, this.observers.forNetwork());
    this.observers.add({ sent: (_, frame) => this.countBytes(frame) });
    for (const observer of options.observers ?? []) this.observers.add(observer);
    for (const name of typeof names === "number" ? nodeNames(names) : names) this.start(name);
  }

  /** Looks on from now on. */
  observe(observer: ClusterObserver): void {
    this.observers.add(observer);
  }

  /** @throws {ScenarioError} if no process of that name is meant to run */
  node(name: string): SimulatedProcess {
    const process = this.nodes.get(name);
    if (process === undefined) throw new ScenarioError(`no node ${name} is running`);
    return process;
  }

  /** The newest process on a host, though it may have ended. */
  processAt(host: string): SimulatedProcess | undefined {
    return this.hosts.get(host);
  }

  // Nodes.

  /** Starts a process of a node; another one of the same name, on another host, goes on. */
  start(name: string, options: StartOptions | number = {}): SimulatedProcess {
    const { host = name, incarnation = (this.incarnations.get(name) ?? 0) + 1 } =
      typeof options === "number" ? { incarnation: options } : options;
    const before = this.hosts.get(host);
    if (before !== undefined && !before.ended && !before.leaving)
      throw new ScenarioError(`host ${host} runs ${before.id} already`);
    this.incarnations.set(name, Math.max(incarnation, this.incarnations.get(name) ?? 0));
    const life = ++this.lives;
    const process = new SimulatedProcess({
      host,
      life,
      replica: { name, incarnation, ...this.options.replica },
      clock: this.clockOf(life),
      network: this.network,
      processAt: (other) => this.processAt(other),
      onNotice: (from, notice) => this.take(from, notice),
      onInput: (from) => {
        this.throwFinding();
        this.observers.tell("input", from);
      },
    });
    this.hosts.set(host, process);
    this.nodes.set(name, process);
    this.processes.add(process);
    this.observers.tell("started", process);
    before?.resetGraves();
    for (const topic of this.options.topics ?? []) this.watch(process, topic);
    process.endpoint.start();
    for (const other of this.hosts.keys()) {
      process.dialer.add(other);
      const there = this.hosts.get(other)!;
      if (!there.ended) there.dialer.add(host);
    }
    return process;
  }

  /** What an observer finds in a notice is kept for later: a node takes no harm from what its sink of notices throws. */
  private take(from: SimulatedProcess, notice: Notice): void {
    if (notice.type === "reincarnated") {
      const { name, id } = from;
      this.incarnations.set(name, Math.max(incarnationOf(id), this.incarnations.get(name)!));
    }
    try {
      this.observers.tell("notice", from, notice);
      if (notice.type === "listener-error") this.judge(notice.error, from);
    } catch (error) {
      this.finding ??= { error };
    }
  }

  /** @throws what was found in a notice since the last call */
  throwFinding(): void {
    const { finding } = this;
    this.finding = undefined;
    if (finding !== undefined) throw finding.error;
  }

  /** A watcher that throws is a finding, not something to be survived; a broken invariant always is one. */
  private judge(error: unknown, { id }: SimulatedProcess): void {
    if (error instanceof InvariantError) throw error;
    if (error instanceof PlannedError) return;
    if (!(this.options.strict ?? true)) return;
    throw error instanceof Error
      ? error
      : new InvariantError("watchers", `a listener at ${id} threw ${error}`);
  }

  private clockOf(life: number): { skewMs: number; driftPpm: number } {
    const { seed = 0, skewMaxMs = 1_000_000, driftMaxPpm = 100 } = this.options;
    const random = streamOf(seed, "clock", life);
    return {
      skewMs: integerFrom(random, 0, skewMaxMs),
      driftPpm: integerFrom(random, -driftMaxPpm, driftMaxPpm),
    };
  }

  /** Watches a topic on a node as an application would; what it is told is checked. */
  watch(process: SimulatedProcess, topic: string): WatchedTopic {
    const watched = new WatchedTopic(topic, process.id);
    process.watched.set(topic, watched);
    process.endpoint.replica.watch(topic, (change) => {
      watched.apply(change);
      if (change.type === "diff") this.observers.tell("changed", process, change);
    });
    return watched;
  }

  /** A process dies. `vanish`: its host with it, so that nobody is told and nobody answers. */
  crash(name: string, { vanish = false }: { vanish?: boolean } = {}): void {
    this.end(this.node(name), vanish ? "vanished" : "crashed");
  }

  private end(process: SimulatedProcess, how: string): void {
    if (this.nodes.get(process.name) === process) this.nodes.delete(process.name);
    if (process.ended) return;
    process.end(how === "vanished");
    this.processes.delete(process);
    this.observers.tell("ended", process, how);
  }

  /** A node stops gracefully: says goodbye, and ends a little later. */
  stop(name: string, handoffMs = 0): void {
    const process = this.node(name);
    process.leave(handoffMs);
    this.nodes.delete(name);
    this.observers.tell("ended", process, handoffMs > 0 ? `stopped, hand-off ${handoffMs} ms` : "stopped");
    this.time.schedule(this.time.now + LEAVING_MS, () => {
      if (process.ended) return;
      process.end(false);
      this.processes.delete(process);
    });
  }

  /** Ends a process that is no longer the newest of its name, or that another one has superseded. */
  kill(process: SimulatedProcess): void {
    this.end(process, "killed");
  }

  /** A process stands still, as by SIGSTOP. */
  pause(name: string): void {
    this.tellFault("pause", `${this.node(name).id} stands still`);
    this.node(name).pause();
  }

  resume(name: string): void {
    const process = this.node(name);
    if (!process.paused) return;
    this.tellFault("resume", `${process.id} goes on`);
    process.resume();
  }

  // The network, by hosts. A host has the name of its node unless that was started elsewhere.

  /** Breaks all connections between two hosts; dials are refused at once. */
  cut(one: string, other: string): void {
    this.tellFault("cut", `cut ${one} <> ${other}`);
    this.network.sever(one, other);
  }

  /** Lets nothing through from one host to the other, and tells nobody. */
  stall(from: string, to: string): void {
    this.tellFault("stall", `stall ${from} -> ${to}`);
    this.network.block(from, to);
  }

  /** Lets only so much through from one host to the other. */
  slow(from: string, to: string, bytesPerSecond: number): void {
    this.tellFault("slow", `slow ${from} -> ${to} to ${bytesPerSecond} B/s`);
    this.network.slow(from, to, bytesPerSecond / 1_000);
  }

  /** Tells the sender that nothing should be pushed from one host to the other, until `drain`; what is sent arrives. */
  congest(from: string, to: string): void {
    this.network.congest(from, to, true);
  }

  drain(from: string, to: string): void {
    this.network.congest(from, to, false);
  }

  /** Bytes under way from one host to another. */
  buffered(from: string, to: string): number {
    let bytes = 0;
    for (const { bufferedBytes } of this.network.paths.between(from, to).directions) bytes += bufferedBytes;
    return bytes;
  }

  /** Heals both directions between two hosts. */
  mend(one: string, other: string): void {
    this.tellFault("mend", `mend ${one} <> ${other}`);
    this.network.heal(one, other);
    this.network.heal(other, one);
  }

  /** Cuts whatever is between hosts of different groups. */
  partition(...groups: readonly (readonly string[])[]): void {
    groups.forEach((group, index) => {
      for (const later of groups.slice(index + 1))
        for (const one of group) for (const other of later) this.cut(one, other);
    });
  }

  /** Heals every path, and lets every process go on. */
  mendAll(): void {
    this.tellFault("mend-all", "mend everything");
    for (const { from, to } of this.network.paths.all()) this.network.heal(from, to);
    for (const process of this.processes) if (process.paused) process.resume();
  }

  /** Something was done that the network does not know of, in words. */
  noteHostility(what: string): void {
    this.tellFault("hostile", what);
  }

  private tellFault(kind: FaultKind, what: string): void {
    this.observers.tell("fault", kind, what);
  }

  private countBytes(frame: Uint8Array): void {
    this.bytes.set(frame[1]!, (this.bytes.get(frame[1]!) ?? 0) + frame.length);
  }

  // Looking.

  /** Who is present on a topic, as each node sees it: `key ref`, sorted. */
  views(topic: string): Map<string, string[]> {
    const views = new Map<string, string[]>();
    for (const [name, { endpoint }] of this.nodes) {
      views.set(name, endpoint.replica.list(topic).map(shortly).sort());
    }
    return views;
  }

  /** @throws {InvariantError} unless state plus diffs is what is listed and counted, at every node and watched topic */
  checkWatchers(): void {
    this.throwFinding();
    for (const process of this.processes) if (!process.paused) checkWatched(process);
  }
}

/** The first so many node names: `a`, `b` … `z`, `n26`, `n27` … */
export function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    index < 26 ? String.fromCharCode(97 + index) : `n${index}`,
  );
}

/** @throws {InvariantError} unless state plus diffs is what is listed and counted */
export function checkWatched({ id, endpoint, watched }: SimulatedProcess): void {
  for (const [topic, { present }] of watched) {
    const listed = endpoint.replica.list(topic);
    const keys = new Set<string>();
    let same = listed.length === present.size;
    for (const presence of listed) {
      keys.add(presence.key);
      same &&= present.get(presence.ref) === presence;
    }
    if (!same) {
      const told = [...present.values()].map(shortly).sort().join(", ");
      const lists = listed.map(shortly).sort().join(", ");
      throw new InvariantError("diffs", `${id} was told of [${told}] on ${topic}, and lists [${lists}]`);
    }
    const count = endpoint.replica.count(topic);
    if (count.keys !== keys.size || count.entries !== listed.length) {
      throw new InvariantError(
        "counts",
        `${id} counts ${count.keys} keys and ${count.entries} entries on ${topic}, and lists ${keys.size} and ${listed.length}`,
      );
    }
  }
}

function shortly({ key, ref }: Presence): string {
  return `${key} ${ref}`;
}
