/** Key spaces in one thread and virtual time, over links that delay, drop, break and heal; every choice from one seed. */
import {
  Keyspace,
  type KeyspaceClock,
  type KeyspaceOptions,
  type Messenger,
  type ReplicaView,
} from "@presently/keyspace";
import { LimitError, type PresentlyError, type ReplicaId, RequestError } from "presently";

type Listener = (payload: unknown, from: ReplicaId) => void;

/** As nodes have it: a message beyond is refused. */
const MESSAGE_BYTES_MAX = 65_536;
/** How long after the last sign of life a node is held to be down. */
const DOWN_AFTER_MS = 500;

interface Event {
  readonly atMs: number;
  readonly number: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class SimulatedNode {
  readonly name: string;
  readonly replica: ReplicaId;
  readonly broadcasts = new Map<string, Set<Listener>>();
  readonly messages = new Map<string, Set<Listener>>();
  readonly handlers = new Map<string, (payload: unknown, from: ReplicaId) => unknown>();
  readonly watchers = new Set<(view: ReplicaView) => void>();
  readonly views = new Map<ReplicaId, ReplicaView>();
  readonly errors: unknown[] = [];
  keyspace!: Keyspace;
  alive = true;
  /** Settles when it is killed. */
  readonly killed: Promise<void>;
  announceKilled: () => void = () => undefined;

  constructor(name: string, incarnation: number) {
    this.name = name;
    this.replica = `${name}@${incarnation}` as ReplicaId;
    this.killed = new Promise((resolve) => {
      this.announceKilled = resolve;
    });
  }
}

export interface NetworkOptions {
  readonly seed: number;
  /** Of broadcasts and messages that are dropped, as by a full buffer: 0 to 1. */
  readonly lossShare?: number;
  readonly keyspace?: KeyspaceOptions;
}

export class SimulatedNetwork {
  readonly nodes: SimulatedNode[] = [];
  nowMs = 0;
  lossShare: number;
  private readonly options: NetworkOptions;
  private readonly queue: Event[] = [];
  private readonly cuts = new Set<string>();
  private readonly lastArrival = new Map<string, number>();
  private state: number;
  private events = 0;
  private incarnations = 0;

  constructor(options: NetworkOptions) {
    this.options = options;
    this.state = options.seed | 1;
    this.lossShare = options.lossShare ?? 0;
  }

  /** From 0 up to 1. */
  random(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) / 2 ** 32;
  }

  get living(): SimulatedNode[] {
    return this.nodes.filter(({ alive }) => alive);
  }

  start(name: string): SimulatedNode {
    const node = new SimulatedNode(name, ++this.incarnations);
    const skewMs = Math.floor(this.random() * 200) - 100;
    this.nodes.push(node);
    for (const other of this.living) if (other !== node) this.relink(node, other);
    const clock: KeyspaceClock = {
      now: () => this.nowMs,
      wallMs: () => 1_700_000_000_000 + this.incarnations + this.nowMs + skewMs,
      random: () => this.random(),
      schedule: (delayMs, run) => this.schedule(Math.max(delayMs, 0.01), () => node.alive && run()),
    };
    node.keyspace = new Keyspace(this.messengerOf(node), this.options.keyspace, {
      clock,
      onError: (error) => node.errors.push(error),
    });
    return node;
  }

  /** It is gone at once, and nobody is told. */
  kill(node: SimulatedNode): void {
    node.alive = false;
    node.announceKilled();
    for (const other of this.living) this.see(other, node, "suspect", false);
    this.schedule(DOWN_AFTER_MS, () => {
      for (const other of this.living) this.see(other, node, "down", false);
    });
  }

  /** It hands over and leaves. */
  async stop(node: SimulatedNode): Promise<void> {
    await node.keyspace.stop();
    node.alive = false;
    for (const other of this.living) this.see(other, node, "gone", false);
  }

  /** Breaks the link between two nodes. They hold each other to be down after a while, unless somebody else sees both. */
  cut(one: SimulatedNode, other: SimulatedNode): void {
    this.cuts.add(pair(one, other));
    if (one.alive && other.alive) {
      this.see(one, other, "suspect", false);
      this.see(other, one, "suspect", false);
    }
    this.schedule(DOWN_AFTER_MS, () => this.review());
  }

  healAll(): void {
    this.cuts.clear();
    for (const one of this.living)
      for (const other of this.living) if (one.name < other.name) this.relink(one, other);
  }

  /** Lets time pass; what is waited for with promises goes on between any two events. */
  async run(durationMs: number): Promise<void> {
    const untilMs = this.nowMs + durationMs;
    for (;;) {
      await settle();
      const next = this.queue[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.take();
      if (next.cancelled) continue;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = untilMs;
  }

  /** Who cannot be reached by any path is down; the others are up. */
  private review(): void {
    for (const one of this.living) {
      const reached = new Set([one]);
      for (const node of reached)
        for (const other of this.living) if (!this.cuts.has(pair(node, other))) reached.add(other);
      for (const other of this.living) {
        if (other === one) continue;
        const linked = !this.cuts.has(pair(one, other));
        this.see(one, other, reached.has(other) ? "up" : "down", linked);
      }
    }
  }

  private relink(one: SimulatedNode, other: SimulatedNode): void {
    if (this.cuts.has(pair(one, other))) return;
    this.see(one, other, "up", true);
    this.see(other, one, "up", true);
  }

  private see(viewer: SimulatedNode, other: SimulatedNode, status: string, linked: boolean): void {
    const before = viewer.views.get(other.replica);
    if (before?.status === status && before.linked === linked) return;
    const view: ReplicaView = { replica: other.replica, status, linked };
    if (status === "gone") viewer.views.delete(other.replica);
    else viewer.views.set(other.replica, view);
    for (const watcher of viewer.watchers) watcher(view);
  }

  private reaches(one: SimulatedNode, other: SimulatedNode): boolean {
    return one.alive && other.alive && !this.cuts.has(pair(one, other));
  }

  private deliver(from: SimulatedNode, to: SimulatedNode, run: () => void): void {
    const key = `${from.replica}>${to.replica}`;
    const atMs = Math.max(this.lastArrival.get(key) ?? 0, this.nowMs + 0.2 + this.random() * 5);
    this.lastArrival.set(key, atMs);
    this.schedule(atMs - this.nowMs, () => {
      if (this.reaches(from, to)) run();
    });
  }

  private messengerOf(node: SimulatedNode): Messenger {
    const listen = (table: Map<string, Set<Listener>>, channel: string, listener: Listener) => {
      const listeners = table.get(channel) ?? new Set();
      table.set(channel, listeners.add(listener));
      return () => listeners.delete(listener);
    };
    const tell = (table: Map<string, Set<Listener>>, channel: string, payload: unknown, from: ReplicaId) => {
      for (const listener of table.get(channel) ?? []) listener(payload, from);
    };
    const peer = (replica: ReplicaId) => this.nodes.find((other) => other.replica === replica);
    const copied = (payload: unknown) => {
      const json = JSON.stringify(payload);
      if (Buffer.byteLength(json) > MESSAGE_BYTES_MAX)
        throw new LimitError("broadcastBytesMax", MESSAGE_BYTES_MAX, "payload is too large");
      return JSON.parse(json);
    };
    return {
      replica: node.replica,
      broadcast: (channel, payload) => {
        const own = copied(payload);
        for (const other of this.living) {
          if (other === node || !this.reaches(node, other) || this.random() < this.lossShare) continue;
          const copy = copied(payload);
          this.deliver(node, other, () => tell(other.broadcasts, channel, copy, node.replica));
        }
        tell(node.broadcasts, channel, own, node.replica);
      },
      onBroadcast: (channel, listener) => listen(node.broadcasts, channel, listener),
      send: (to, channel, payload) => {
        const other = peer(to);
        if (other === undefined || !this.reaches(node, other)) return false;
        const copy = copied(payload);
        if (this.random() >= this.lossShare)
          this.deliver(node, other, () => tell(other.messages, channel, copy, node.replica));
        return true;
      },
      onMessage: (channel, listener) => listen(node.messages, channel, listener),
      request: (to, channel, payload, { timeoutMs = 2_000 } = {}) =>
        new Promise((resolve, reject) => {
          const fail = (code: ConstructorParameters<typeof RequestError>[0]) =>
            reject(new RequestError(code, to, channel));
          const other = peer(to);
          if (other === undefined || !this.reaches(node, other)) return fail("PEER_UNREACHABLE");
          const copy = copied(payload);
          this.schedule(timeoutMs, () => fail("REQUEST_TIMEOUT"));
          this.deliver(node, other, () => {
            const handler = other.handlers.get(channel);
            if (handler === undefined) return this.deliver(other, node, () => fail("REQUEST_UNHANDLED"));
            const answered = new Promise((done) => done(handler(copy, node.replica)));
            answered
              .then((answer) => copied(answer ?? null))
              .then(
                (reply) => this.deliver(other, node, () => resolve(reply)),
                () => this.deliver(other, node, () => fail("REQUEST_FAILED")),
              );
          });
        }),
      onRequest: (channel, handler) => {
        node.handlers.set(channel, handler);
        return () => node.handlers.delete(channel);
      },
      onReplica: (listener) => {
        node.watchers.add(listener);
        return () => node.watchers.delete(listener);
      },
      cluster: () => [{ replica: node.replica, status: "self", linked: false }, ...node.views.values()],
      whenReady: () => Promise.resolve(),
    };
  }

  private schedule(delayMs: number, run: () => void): () => void {
    const event: Event = { atMs: this.nowMs + delayMs, number: ++this.events, run, cancelled: false };
    let low = 0;
    let high = this.queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.queue[middle]!.atMs <= event.atMs) low = middle + 1;
      else high = middle;
    }
    this.queue.splice(low, 0, event);
    return () => {
      event.cancelled = true;
    };
  }

  private take(): void {
    this.queue.shift();
  }
}

/** Lets every promise that can settle do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await Promise.resolve();
}

function pair(one: SimulatedNode, other: SimulatedNode): string {
  return [one.replica, other.replica].sort().join("|");
}

/** The code of an error, for outcomes that a cut may cause. */
export function codeOf(error: unknown): string {
  return (error as PresentlyError).code ?? String(error);
}

/** All that shows of some keys at a node. */
export function shownAt({ keyspace }: SimulatedNode, keys: readonly string[]): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const key of keys) {
    const type = keyspace.type(key);
    if (type === "string") shown[key] = keyspace.getText(key);
    else if (type === "hash") shown[key] = Object.fromEntries(keyspace.fields(key).sort());
    else if (type === "set") shown[key] = keyspace.members(key).sort();
    else if (type === "list") shown[key] = keyspace.elements(key);
  }
  return shown;
}
