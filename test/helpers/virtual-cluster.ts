/** A cluster of real replicas, with the real wire codec, in virtual time on a network that can be cut. */
import {
  type Clock,
  Endpoint,
  type Millis,
  type Notice,
  nameOf,
  type Outbox,
  Replica,
  type ReplicaId,
  type ReplicaOptions,
  replicaId,
  type Session,
  seededRandom,
  type TopicChange,
  type Transport,
} from "@presently/replica";
import { expect } from "vitest";

interface Task {
  readonly at: Millis;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time: runs what is due in order, and jumps to what is next. */
export class VirtualTime {
  now: Millis = 0;
  private order = 0;
  private tasks: Task[] = [];

  schedule(at: Millis, run: () => void): () => void {
    const task = { at: Math.max(at, this.now), order: this.order++, run };
    let index = this.tasks.length;
    while (index > 0 && this.tasks[index - 1]!.at > task.at) index--;
    this.tasks.splice(index, 0, task);
    return () => {
      const found = this.tasks.indexOf(task);
      if (found >= 0) this.tasks.splice(found, 1);
    };
  }

  advance(durationMs: Millis): void {
    const end = this.now + durationMs;
    for (let next = this.tasks[0]; next !== undefined && next.at <= end; next = this.tasks[0]) {
      this.tasks.shift();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }
}

/** One watched topic, as an application sees it. */
export class WatchedTopic {
  readonly refs = new Map<string, string>();
  private number = -1;
  readonly events: string[] = [];

  apply(change: TopicChange): void {
    if (change.type === "state") {
      this.number = change.number;
      for (const { ref, key } of change.presences) this.refs.set(ref, key);
      return;
    }
    expect(change.number).toBe(this.number + 1);
    this.number = change.number;
    for (const { presence, reason } of change.leaves) {
      expect(this.refs.delete(presence.ref), `leave of ${presence.ref} without a join`).toBe(true);
      this.events.push(`-${presence.key} ${reason}`);
    }
    for (const { before, after } of change.updates) {
      expect([before.key, before.topic]).toEqual([after.key, after.topic]);
      expect(this.refs.delete(before.ref), `update of ${before.ref} without a join`).toBe(true);
      expect(this.refs.has(after.ref)).toBe(false);
      this.refs.set(after.ref, after.key);
      this.events.push(`~${after.key}`);
    }
    for (const { ref, key } of change.joins) {
      expect(this.refs.has(ref), `second join of ${ref}`).toBe(false);
      this.refs.set(ref, key);
      this.events.push(`+${key}`);
    }
  }
}

export class VirtualNode {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly notices: Notice[] = [];
  readonly watched = new Map<string, WatchedTopic>();
  sessions: Session[] = [];
  running = true;
  /** Inputs wait while the process stands still. */
  paused = false;
  readonly backlog: (() => void)[] = [];

  constructor(name: string, endpoint: (node: VirtualNode) => Endpoint) {
    this.name = name;
    this.endpoint = endpoint(this);
  }

  get id(): ReplicaId {
    return this.endpoint.replica.id;
  }

  /** Runs an input now, or once the process goes on. */
  input(run: () => void): void {
    if (!this.running) return;
    if (this.paused) this.backlog.push(run);
    else run();
  }
}

interface Link {
  readonly ends: [VirtualNode, VirtualNode];
  up: boolean;
  /** Bytes under way to either end, and the ends to which they are too many. */
  readonly buffered: Map<VirtualNode, number>;
  readonly full: Set<VirtualNode>;
}

export interface ClusterOptions {
  readonly replica?: Partial<ReplicaOptions>;
  readonly latencyMs?: number;
  /** How long a lost link takes to be noticed where the process is alive; a refused dial takes as long. */
  readonly seed?: string;
  readonly topics?: readonly string[];
  /** How fast a link carries bytes. Default: as fast as they come. */
  readonly bytesPerMs?: number;
  /** A link with more bytes under way is congested until half of them have arrived. Default: never. */
  readonly bufferedBytesMax?: number;
}

const REDIAL_MS = 500;

export class VirtualCluster {
  readonly time = new VirtualTime();
  readonly nodes = new Map<string, VirtualNode>();
  private readonly links: Link[] = [];
  private readonly cuts = new Set<string>();
  /** Links that hold more than they should, as `from to`. */
  private readonly congestions = new Set<string>();
  private readonly incarnations = new Map<string, number>();
  private readonly options: ClusterOptions;
  private readonly random: () => number;
  /** Bytes that went over links, by message type. */
  readonly bytes = new Map<number, number>();
  /** Bytes of the largest frame so far. */
  largestFrame = 0;

  constructor(names: readonly string[], options: ClusterOptions = {}) {
    this.options = options;
    this.random = seededRandom(options.seed ?? "cluster");
    for (const name of names) this.start(name);
  }

  node(name: string): VirtualNode {
    return this.nodes.get(name)!;
  }

  start(name: string, incarnation = (this.incarnations.get(name) ?? 0) + 1): VirtualNode {
    this.incarnations.set(name, Math.max(incarnation, this.incarnations.get(name) ?? 0));
    const node = new VirtualNode(name, (self) => this.endpoint(self, name, incarnation));
    this.nodes.set(name, node);
    for (const topic of this.options.topics ?? []) {
      const watched = new WatchedTopic();
      node.watched.set(topic, watched);
      node.endpoint.replica.watch(topic, (change) => watched.apply(change));
    }
    node.endpoint.start();
    for (const other of this.nodes.values()) if (other !== node) this.dial(node, other);
    return node;
  }

  private endpoint(node: VirtualNode, name: string, incarnation: number): Endpoint {
    const clock: Clock = {
      now: () => this.time.now,
      schedule: (delayMs, run) => this.time.schedule(this.time.now + delayMs, () => node.input(run)),
    };
    const transport: Transport = {
      send: (peer, frame) => this.carry(node, peer, frame),
      congested: (peer) => this.isCongested(node, peer),
      redial: (peer) => this.redial(node, peer),
      refuse: (peer, code) => {
        const link = this.linkBetween(node, this.byId(peer));
        // A close travels behind what was sent before it.
        if (link !== undefined) this.time.schedule(this.lastArrivalOn(link), () => this.drop(link, code));
      },
    };
    return new Endpoint({
      replica: { name, incarnation, ...this.options.replica },
      transport: () => transport,
      clock,
      onNotice: (notice) => node.notices.push(notice),
      onRenamed: (id) => {
        this.incarnations.set(name, Number(id.slice(id.lastIndexOf("@") + 1)));
        this.dropAll(node);
        this.dialAll(node);
      },
      onSuperseded: () => this.dropAll(node),
    });
  }

  crash(name: string): void {
    const node = this.node(name);
    node.running = false;
    node.endpoint.close();
    this.nodes.delete(name);
    this.dropAll(node);
  }

  stop(name: string, handoffMs = 0): void {
    const node = this.node(name);
    node.endpoint.leave(handoffMs);
    // What was sent before the end still arrives.
    this.nodes.delete(name);
    this.time.schedule(this.time.now + 1_000, () => {
      node.running = false;
      node.endpoint.close();
      this.dropAll(node);
    });
  }

  pause(name: string): void {
    this.node(name).paused = true;
  }

  resume(name: string): void {
    const node = this.node(name);
    node.paused = false;
    for (const run of node.backlog.splice(0)) node.input(run);
  }

  cut(one: string, other: string): void {
    this.cuts.add(pair(one, other));
    const link = this.linkBetween(this.nodes.get(one), this.nodes.get(other));
    if (link !== undefined) this.drop(link, "cut");
  }

  mend(one: string, other: string): void {
    this.cuts.delete(pair(one, other));
    const [first, second] = [this.nodes.get(one), this.nodes.get(other)];
    if (first !== undefined && second !== undefined) this.dial(first, second);
  }

  mendAll(): void {
    this.cuts.clear();
    for (const node of this.nodes.values()) if (node.paused) this.resume(node.name);
    for (const node of this.nodes.values()) this.dialAll(node);
  }

  /** Nothing should be pushed from `from` to `to` any more; what is sent all the same arrives. */
  congest(from: string, to: string): void {
    this.congestions.add(`${from} ${to}`);
  }

  drain(from: string, to: string): void {
    if (!this.congestions.delete(`${from} ${to}`)) return;
    const [one, other] = [this.nodes.get(from), this.nodes.get(to)];
    if (one !== undefined && other !== undefined) one.input(() => one.endpoint.drained(other.id));
  }

  /** Bytes under way from one node to another. */
  buffered(from: string, to: string): number {
    const receiver = this.nodes.get(to);
    const link = this.linkBetween(this.nodes.get(from), receiver);
    return (receiver && link?.buffered.get(receiver)) ?? 0;
  }

  private dialAll(node: VirtualNode): void {
    for (const other of this.nodes.values()) if (other !== node) this.dial(node, other);
  }

  private dial(one: VirtualNode, other: VirtualNode): void {
    this.time.schedule(this.time.now + this.latency(), () => {
      if (!one.running || !other.running || one.paused || other.paused) return;
      if (this.cuts.has(pair(one.name, other.name)) || this.linkBetween(one, other) !== undefined) return;
      const link: Link = { ends: [one, other], up: true, buffered: new Map(), full: new Set() };
      this.links.push(link);
      one.endpoint.peerUp(other.id);
      other.endpoint.peerUp(one.id);
    });
  }

  private redial(node: VirtualNode, peer: ReplicaId): void {
    const name = peer.slice(0, peer.lastIndexOf("@"));
    const other = this.nodes.get(name);
    if (other?.running && !other.paused && !this.cuts.has(pair(node.name, name))) {
      this.dial(node, other);
      return;
    }
    if (other?.paused) return; // A dial that hangs says nothing.
    this.time.schedule(this.time.now + this.latency(), () =>
      node.input(() => node.endpoint.unreachable(peer)),
    );
    this.time.schedule(this.time.now + REDIAL_MS, () => {
      const again = this.nodes.get(name);
      if (again !== undefined) this.dial(node, again);
    });
  }

  private carry(from: VirtualNode, peer: ReplicaId, frame: Uint8Array): void {
    const to = this.byId(peer);
    const link = this.linkBetween(from, to);
    if (link === undefined || to === undefined) return;
    this.bytes.set(frame[1]!, (this.bytes.get(frame[1]!) ?? 0) + frame.length);
    this.largestFrame = Math.max(this.largestFrame, frame.length);
    const { bytesPerMs = Number.POSITIVE_INFINITY } = this.options;
    const arrivals = this.lastArrival.get(link) ?? new Map<VirtualNode, Millis>();
    const last = arrivals.get(to) ?? 0;
    const arrival = Math.max(this.time.now + this.latency(), last) + frame.length / bytesPerMs;
    arrivals.set(to, arrival);
    this.lastArrival.set(link, arrivals);
    this.buffer(link, from, to, frame.length);
    this.time.schedule(arrival, () => {
      if (!link.up) return;
      this.buffer(link, from, to, -frame.length);
      to.input(() => to.endpoint.frame(from.id, frame.slice()));
    });
  }

  private isCongested(from: VirtualNode, peer: ReplicaId): boolean {
    if (this.congestions.has(`${from.name} ${nameOf(peer)}`)) return true;
    const to = this.byId(peer);
    const link = this.linkBetween(from, to);
    return link !== undefined && to !== undefined && link.full.has(to);
  }

  /** Counts what is under way to a node; tells the sender when there is room again. */
  private buffer(link: Link, from: VirtualNode, to: VirtualNode, bytes: number): void {
    const { bufferedBytesMax = Number.POSITIVE_INFINITY } = this.options;
    const buffered = (link.buffered.get(to) ?? 0) + bytes;
    link.buffered.set(to, buffered);
    if (buffered > bufferedBytesMax) link.full.add(to);
    else if (buffered <= bufferedBytesMax / 2 && link.full.delete(to)) {
      from.input(() => from.endpoint.drained(to.id));
    }
  }

  private lastArrivalOn(link: Link): Millis {
    return Math.max(this.time.now, ...(this.lastArrival.get(link)?.values() ?? []));
  }

  private readonly lastArrival = new WeakMap<Link, Map<VirtualNode, Millis>>();

  private drop(link: Link, reason: string): void {
    if (!link.up) return;
    link.up = false;
    this.links.splice(this.links.indexOf(link), 1);
    const [one, other] = link.ends;
    const [oneId, otherId] = [one.id, other.id];
    void reason;
    one.input(() => one.endpoint.peerDown(otherId));
    other.input(() => other.endpoint.peerDown(oneId));
  }

  private dropAll(node: VirtualNode): void {
    for (const link of this.links.filter(({ ends }) => ends.includes(node))) this.drop(link, "gone");
  }

  private linkBetween(one: VirtualNode | undefined, other: VirtualNode | undefined): Link | undefined {
    return this.links.find(
      ({ ends }) => one !== undefined && other !== undefined && ends.includes(one) && ends.includes(other),
    );
  }

  private byId(id: ReplicaId): VirtualNode | undefined {
    const linked = this.links.flatMap(({ ends }) => ends).find((node) => node.id === id);
    return linked ?? [...this.nodes.values()].find((node) => node.id === id);
  }

  private latency(): Millis {
    return 1 + Math.floor(this.random() * 2 * (this.options.latencyMs ?? 5));
  }

  /** Who is present, as each node sees it: `key ref` sorted. */
  views(topic: string): Map<string, string[]> {
    const views = new Map<string, string[]>();
    for (const [name, { endpoint }] of this.nodes) {
      views.set(
        name,
        endpoint.replica
          .list(topic)
          .map(({ key, ref }) => `${key} ${ref}`)
          .sort(),
      );
    }
    return views;
  }

  /** State plus diffs is what is listed, at every node. */
  checkWatchers(): void {
    for (const node of this.nodes.values()) {
      for (const [topic, watched] of node.watched) {
        const listed = node.endpoint.replica
          .list(topic)
          .map(({ ref }) => ref)
          .sort();
        expect([...watched.refs.keys()].sort()).toEqual(listed);
        const keys = new Set(watched.refs.values());
        expect(node.endpoint.replica.count(topic)).toEqual({ keys: keys.size, entries: listed.length });
      }
    }
  }
}

/** A replica with nobody around. It sends nothing that anybody would see, and time only passes by its `tick`. */
export function loneReplica(
  options: Partial<ReplicaOptions> = {},
  onNotice?: (notice: Notice) => void,
): Replica {
  const outbox: Outbox = {
    send: () => undefined,
    congested: () => false,
    redial: () => undefined,
    refuse: () => undefined,
    wake: () => undefined,
    renamed: () => undefined,
    superseded: () => undefined,
    notice: (notice) => onNotice?.(notice),
  };
  return new Replica({ name: "alone", incarnation: 1, ...options }, outbox);
}

export function pair(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}

export { replicaId };
