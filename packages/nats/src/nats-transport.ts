/** NATS as the transport of a node: the links of the `LinkBook` over real subjects, connections and time. */
import { randomBytes } from "node:crypto";
import {
  AuthorizationError,
  connect,
  type Msg,
  type NatsConnection,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import type {
  LinkReport,
  NodeNotice,
  NodeTransport,
  ReplicaId,
  TransportContext,
  TransportListener,
} from "presently";
import { decodeEnvelope, type Envelope, encodeEnvelope, HEADER_BYTES, NAME_BYTES } from "./envelope.ts";
import { NatsError } from "./errors.ts";
import { LinkBook } from "./link-book.ts";
import type { NatsSettings } from "./options.ts";
import { Outcomes } from "./outcomes.ts";
import { type Subjects, subjectsOf } from "./subjects.ts";

/** Frames of a replica are smaller; a server that takes less cannot carry them. */
const PAYLOAD_BYTES_MIN = 131_072;
/** The server is asked so often whether anybody listens on the subjects of a few peers, all of them in a small cluster. */
const KNOCK_INTERVAL_MS = 250;
const KNOCKS_MAX = 8;
/** A peer that is sought is asked for so many times: the server may not know yet that its connection is gone. */
const SEEK_KNOCKS = 20;
/** With more than this many times its bound waiting, the connection is given up: what it holds would only grow. */
const OVERFLOW_FACTOR = 4;
const NOTHING = new Uint8Array();
const NO_RESPONDERS = 503;

export class NatsTransport implements NodeTransport {
  readonly #settings: NatsSettings;
  readonly #context: TransportContext;
  readonly #listener: TransportListener;
  readonly #subjects: Subjects;
  readonly #book: LinkBook;
  readonly #own = randomBytes(NAME_BYTES).toString("hex");
  readonly #outcomes = new Outcomes();
  readonly #openedAt = new Map<ReplicaId, number>();
  readonly #congested = new Set<ReplicaId>();
  readonly #refused: Record<string, number> = {};
  #replica: ReplicaId;
  #connection: NatsConnection | undefined;
  #connected = false;
  #connectedAt = Number.NEGATIVE_INFINITY;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Where the next knocks go on among the links. */
  #knocked = 0;
  /** Peers that are sought, and how many more times they are asked for; as many as there can be links. */
  readonly #sought = new Map<ReplicaId, number>();
  #inbox: (() => void) | undefined;
  #unflushedBytes = 0;
  #flushing = false;
  #closed = false;

  constructor(settings: NatsSettings, context: TransportContext, listener: TransportListener) {
    this.#settings = settings;
    this.#context = context;
    this.#listener = listener;
    this.#replica = context.replica;
    this.#subjects = subjectsOf(settings.subjectPrefix, context.cluster);
    this.#book = new LinkBook(context.replica, settings.linksMax, {
      newName: () => randomBytes(NAME_BYTES).toString("hex"),
      post: (to, message) => this.#post(to, message),
      publish: (message) => this.#publish(this.#subjects.everybody, message),
      up: (peer) => this.#up(peer),
      down: (peer, reason) => this.#down(peer, reason),
      frame: (peer, frame) => this.#outcomes.tell(() => listener.frame(peer, frame)),
      idTaken: () => context.newerLifeSeen(Number(this.#replica.slice(this.#replica.lastIndexOf("@") + 1))),
      full: (peer) => this.#refuse("LINKS_MAX", `${peer} finds no room: linksMax is ${settings.linksMax}`),
    });
  }

  /** @throws {NatsError} when NATS cannot be reached, refuses us, or takes too small payloads */
  async start(): Promise<void> {
    const { connection } = this.#settings;
    try {
      this.#connection = await connect({
        ...connection,
        name: `presently ${this.#replica}`,
        noEcho: true,
        reconnect: true,
        maxReconnectAttempts: -1,
      });
    } catch (error) {
      throw startError(error);
    }
    const payloadBytesMax = this.#connection.info?.max_payload ?? 0;
    if (payloadBytesMax < PAYLOAD_BYTES_MIN) {
      await this.#connection.close();
      const advice = `raise max_payload of the server to at least ${PAYLOAD_BYTES_MIN}`;
      throw new NatsError("NATS_PAYLOAD", `NATS takes payloads of ${payloadBytesMax} bytes: ${advice}`);
    }
    this.#connected = true;
    void this.#watch(this.#connection);
    this.#connection.subscribe(this.#subjects.everybody, { callback: (_, message) => this.#take(message) });
    this.#connection.subscribe(this.#subjects.echoes(this.#own), {
      callback: (_, message) => this.#echo(message),
    });
    this.#listen();
    // Greetings that come back must find us listening: the server handles what we send in order.
    await this.#connection.flush();
    this.#book.greet();
    this.#timers.push(
      setInterval(() => {
        if (this.#connected) this.#book.greet();
      }, this.#settings.greetIntervalMs),
      setInterval(() => this.#knock(), KNOCK_INTERVAL_MS),
    );
  }

  rename(replica: ReplicaId): void {
    this.#replica = replica;
    this.#listen();
    this.#outcomes.after(() => this.#book.restart("this node goes by another id", replica));
  }

  /** Peers are found by their greetings: there is nothing to forget. */
  forget(): void {}

  /** The server that it is connected with. */
  get url(): string | undefined {
    const server = this.#connection?.getServer();
    return server === undefined || server === "" ? undefined : `nats://${server}`;
  }

  /** Nobody knows how many are out there; a node waits for one of them to answer its greeting. */
  get peersExpected(): number {
    return 1;
  }

  get refused(): Readonly<Record<string, number>> {
    return this.#refused;
  }

  links(): readonly LinkReport[] {
    const now = performance.now();
    return Array.from(this.#book.all(), (link) => ({
      replica: link.peer,
      node: link.peer.slice(0, link.peer.lastIndexOf("@")),
      direction: "out",
      address: this.url ?? "",
      openForMs: Math.round(now - (this.#openedAt.get(link.peer) ?? now)),
      bufferedBytes: this.#unflushedBytes,
      bytesSent: link.bytesSent,
      bytesReceived: link.bytesReceived,
      framesSent: link.framesSent,
      framesReceived: link.framesReceived,
    }));
  }

  send(peer: ReplicaId, frame: Uint8Array): void {
    if (this.#carries(frame)) this.#book.send(peer, frame);
  }

  /** What is for all peers is published once. */
  sendToMany(peers: readonly ReplicaId[], frame: Uint8Array): void {
    if (!this.#carries(frame)) return;
    const isForAll = peers.length > 1 && peers.length === [...this.#book.all()].length;
    if (isForAll) this.#book.sendToAll(frame);
    else for (const peer of peers) this.#book.send(peer, frame);
  }

  /** There is one connection: it is as full for one peer as for another. */
  congested(peer: ReplicaId): boolean {
    const isFull = !this.#connected || this.#unflushedBytes > this.#settings.maxBufferedBytes;
    if (isFull) this.#congested.add(peer);
    return isFull;
  }

  /** Whoever listens answers; if nobody does, the server says so. While we are cut off ourselves, nothing is known. */
  redial(peer: ReplicaId): void {
    if (!this.#connected) return;
    if (this.#sought.size < this.#settings.linksMax) this.#sought.set(peer, SEEK_KNOCKS);
    this.#ask(peer);
    this.#book.greetOne(peer);
  }

  refuse(peer: ReplicaId, code: string, reason: string): void {
    this.#refuse(code, `refused ${peer}: ${reason}`);
    this.#outcomes.after(() => this.#book.close(peer, `${code}: ${reason}`));
  }

  async close({ drainMs }: { readonly drainMs: number }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const { peer } of [...this.#book.all()]) this.#book.close(peer, "the node has stopped");
    const drained = this.#connected ? connection.flush() : Promise.resolve();
    await Promise.race([drained.catch(() => undefined), after(drainMs)]);
    this.#connected = false;
    await connection.close();
  }

  // What comes.

  #listen(): void {
    this.#inbox?.();
    const subscription = this.#connection?.subscribe(this.#subjects.node(this.#replica), {
      callback: (_, message) => this.#take(message),
    });
    this.#inbox = () => subscription?.unsubscribe();
  }

  #take({ data }: Msg): void {
    // A knock wants no answer but the server's, if nobody is here.
    if (data.length === 0) return;
    const message = decodeEnvelope(data);
    if (message === undefined || this.#closed) {
      if (message === undefined) this.#refused.BAD_FRAME = (this.#refused.BAD_FRAME ?? 0) + 1;
      return;
    }
    if (message.type === "direct") this.#book.receiveDirect(message);
    else if (message.type === "published") this.#book.receivePublished(message);
    else if (message.type === "open") this.#book.opened(message);
    else if (message.type === "hello") this.#book.heard(message);
    else this.#book.closed(message);
  }

  /** The server says that nobody listens on a peer's subject. */
  #echo({ subject, headers }: Msg): void {
    if (headers?.code !== NO_RESPONDERS || this.#closed) return;
    const peer = this.#subjects.nodeOfEcho(subject) as ReplicaId;
    // After the server itself was away, not everybody is back at once.
    if (performance.now() - this.#connectedAt < this.#settings.returnGraceMs) return;
    this.#sought.delete(peer);
    if (this.#book.get(peer) !== undefined) this.#book.lose(peer, "nobody listens at its subject");
    else this.#listener.unreachable(peer, "nobody listens at its subject");
  }

  #up(peer: ReplicaId): void {
    this.#openedAt.set(peer, performance.now());
    this.#sought.delete(peer);
    this.#outcomes.tell(() => this.#listener.peerUp(peer));
  }

  #down(peer: ReplicaId, reason: string): void {
    this.#openedAt.delete(peer);
    this.#congested.delete(peer);
    this.#outcomes.tell(() => {
      if (!this.#closed) this.#listener.peerDown(peer, reason);
    });
  }

  // What goes.

  #post(to: ReplicaId, message: Envelope): void {
    this.#publish(this.#subjects.node(to), message);
  }

  /**
   * NATS says nothing of who has gone, but it does say when nobody listens where something was sent that wants an answer:
   * so a crash is noticed within a knock or two. In a large cluster each node knocks at a few others in turn, and each is
   * knocked at by a few.
   */
  #knock(): void {
    const peers = Array.from(this.#book.all(), ({ peer }) => peer);
    for (let count = Math.min(KNOCKS_MAX, peers.length); count > 0; count--)
      this.#ask(peers[this.#knocked++ % peers.length]!);
    for (const [peer, left] of this.#sought) {
      if (left > 1) this.#sought.set(peer, left - 1);
      else this.#sought.delete(peer);
      this.#ask(peer);
    }
  }

  #ask(peer: ReplicaId): void {
    if (!this.#connected) return;
    const reply = this.#subjects.echo(this.#own, peer);
    this.#connection?.publish(this.#subjects.node(peer), NOTHING, { reply });
  }

  /** While there is no connection nothing is kept for later: links begin anew when it is back. */
  #publish(subject: string, message: Envelope): void {
    if (this.#connection === undefined || !this.#connected) return;
    const data = encodeEnvelope(message);
    this.#connection.publish(subject, data);
    this.#unflushedBytes += data.length;
    if (this.#unflushedBytes > OVERFLOW_FACTOR * this.#settings.maxBufferedBytes) this.#giveUp();
    else void this.#flush(this.#connection);
  }

  async #flush(connection: NatsConnection): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      while (this.#unflushedBytes > 0 && this.#connected) {
        const bytes = this.#unflushedBytes;
        await connection.flush();
        this.#unflushedBytes -= bytes;
        this.#tellDrained();
      }
    } catch {
      // The connection is gone, and with it what it held: the watch over it begins anew.
      this.#unflushedBytes = 0;
    } finally {
      this.#flushing = false;
    }
  }

  #tellDrained(): void {
    if (this.#unflushedBytes > this.#settings.maxBufferedBytes / 2) return;
    const peers = [...this.#congested];
    this.#congested.clear();
    for (const peer of peers) if (this.#book.get(peer) !== undefined) this.#listener.drained(peer);
  }

  #carries(frame: Uint8Array): boolean {
    const max = this.#connection?.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (frame.length + HEADER_BYTES <= max) return true;
    this.#refuse(
      "FRAME_TOO_LARGE",
      `a frame of ${frame.length} bytes is beyond max_payload (${max}) of NATS`,
    );
    return false;
  }

  // The connection.

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (this.#closed) return;
      if (status.type === "disconnect") this.#cutOff();
      else if (status.type === "reconnect") this.#back();
      else if (status.type === "error")
        this.#note("warn", "nats-error", `NATS says: ${status.error.message}`);
      else if (status.type === "slowConsumer")
        this.#note("warn", "nats-slow", "this node does not read what NATS sends as fast as it comes");
    }
  }

  /** The server takes nothing, and there is more than may wait for it: that is lost, and links begin anew. */
  #giveUp(): void {
    this.#note("warn", "nats-slow", `the server has taken nothing for ${this.#unflushedBytes} bytes`);
    this.#cutOff();
    this.#connection?.reconnect().catch((error) => this.#note("warn", "nats-error", String(error)));
  }

  #cutOff(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#unflushedBytes = 0;
    this.#note("warn", "nats-cut-off", "the connection with NATS is lost: connecting again");
  }

  /** What was sent meanwhile is lost, on both sides: every link begins anew. */
  #back(): void {
    this.#connected = true;
    this.#connectedAt = performance.now();
    this.#note("info", "nats-back", `connected with NATS again: ${this.url}`);
    this.#book.restart("the connection with NATS was lost");
  }

  #refuse(code: string, message: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1;
    this.#note("warn", "peer-refused", message);
  }

  #note(level: NodeNotice["level"], type: string, message: string): void {
    this.#context.note({ type, level, message });
  }
}

function startError(error: unknown): NatsError {
  const why = error instanceof Error ? error.message : String(error);
  const isRefusal = error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError;
  return isRefusal
    ? new NatsError("NATS_REFUSED", `NATS refuses this node: ${why}. Give it other credentials`, error)
    : new NatsError("NATS_UNREACHABLE", `NATS cannot be used: ${why}. Is a server running there?`, error);
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
