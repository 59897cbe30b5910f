/** The transports of one case, each with its recorder, and what is asked of them. */
import { type ReplicaId, replicaId } from "@presently/replica";
import { InvariantError } from "../errors.ts";
import type { ConformanceNetwork, ConformanceOptions, ConformingTransport } from "./network.ts";
import { labelled, Recorder } from "./recorder.ts";

const STEP_MS = 20;

/** One replica's transport under examination. */
export class Seat {
  readonly id: ReplicaId;
  readonly recorder: Recorder;
  private readonly transport: ConformingTransport;
  private sent = 0;

  constructor(id: ReplicaId, transport: ConformingTransport, recorder: Recorder) {
    this.id = id;
    this.transport = transport;
    this.recorder = recorder;
  }

  /** Sends the next frame to a peer; answers its number. */
  send(to: ReplicaId, size?: number): number {
    const number = ++this.sent;
    this.calmly(() => this.transport.send(to, this.frame(to, number, size)));
    return number;
  }

  /** Sends one frame to several peers, which there has been one link with each. */
  sendToMany(to: readonly ReplicaId[]): number {
    const number = ++this.sent;
    const frame = this.frame(to[0]!, number);
    const { transport } = this;
    this.calmly(() => {
      if (transport.sendToMany !== undefined) transport.sendToMany(to, frame);
      else for (const peer of to) transport.send(peer, frame);
    });
    return number;
  }

  private frame(to: ReplicaId, number: number, size?: number): Uint8Array {
    return labelled({ link: this.recorder.links.get(to) ?? 0, number }, size);
  }

  congested(peer: ReplicaId): boolean {
    return this.calmly(() => this.transport.congested(peer));
  }

  bufferedBytes(peer: ReplicaId): number {
    return this.transport.bufferedBytes(peer);
  }

  redial(peer: ReplicaId): void {
    this.calmly(() => this.transport.redial(peer));
  }

  refuse(peer: ReplicaId): void {
    this.calmly(() => this.transport.refuse(peer, "TEST", "the suite wants another link"));
  }

  async close(): Promise<void> {
    // From here on nobody may be told of anything.
    const closing = this.transport.close({ drainMs: 5_000 });
    this.recorder.silence = "after close";
    await closing;
  }

  /** A transport never calls its owner from inside a call of its owner. */
  private calmly<T>(call: () => T): T {
    const { silence } = this.recorder;
    this.recorder.silence ??= "from inside a call of its owner";
    try {
      return call();
    } finally {
      this.recorder.silence = silence;
    }
  }
}

export class Party {
  readonly network: ConformanceNetwork;
  readonly options: ConformanceOptions;
  private readonly seats: Seat[] = [];

  constructor(network: ConformanceNetwork, options: ConformanceOptions) {
    this.network = network;
    this.options = options;
  }

  /** Starts a transport; rejects if it is not let in. */
  async join(
    name: string,
    {
      cluster = "one",
      incarnation = 1,
      isTrusted = true,
    }: Partial<Record<"cluster", string>> & {
      incarnation?: number;
      isTrusted?: boolean;
    } = {},
  ): Promise<Seat> {
    const replica = replicaId(name, incarnation);
    const listener = new Recorder();
    const transport = await this.network.join({ cluster, replica, listener, isTrusted });
    const seat = new Seat(replica, transport, listener);
    this.seats.push(seat);
    await transport.start();
    return seat;
  }

  /** Starts so many, and waits until all are linked. */
  async whole(...names: readonly string[]): Promise<Seat[]> {
    const seats: Seat[] = [];
    for (const name of names) seats.push(await this.join(name));
    await this.linked(...seats);
    return seats;
  }

  /** Waits until each of these has a link with all others of them. */
  async linked(...seats: readonly Seat[]): Promise<void> {
    await this.eventually("all are linked with each other", () =>
      seats.every(({ recorder, id }) => seats.every((other) => other.id === id || recorder.up.has(other.id))),
    );
  }

  /** @throws {InvariantError} if that does not come true in time, or a transport breaks its word meanwhile */
  async eventually(what: string, check: () => boolean): Promise<void> {
    const { timeoutMs = 30_000 } = this.options;
    for (let waitedMs = 0; !check(); waitedMs += STEP_MS) {
      if (waitedMs >= timeoutMs)
        throw new InvariantError("transport", `not so within ${timeoutMs} ms: ${what}`);
      await this.network.elapse(STEP_MS);
      this.checkAll();
    }
    this.checkAll();
  }

  async elapse(durationMs: number): Promise<void> {
    await this.network.elapse(durationMs);
    this.checkAll();
  }

  checkAll(): void {
    for (const { id, recorder } of this.seats)
      if (recorder.broken.length > 0)
        throw new InvariantError("transport", `${id}: ${recorder.broken.join("; ")}`);
  }

  async end(): Promise<void> {
    this.network.resume();
    await Promise.all(this.seats.map((seat) => seat.close()));
    await this.network.close();
    this.checkAll();
  }
}

/** @throws {InvariantError} unless it is so */
export function must(what: string, isSo: boolean): void {
  if (!isSo) throw new InvariantError("transport", `not so: ${what}`);
}

export function same(what: string, actual: readonly unknown[], expected: readonly unknown[]): void {
  must(`${what}: ${actual} is ${expected}`, `${actual}` === `${expected}`);
}
