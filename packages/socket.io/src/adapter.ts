/** An adapter for Socket.IO: servers on the nodes of one cluster are one server to the application and its clients. */
import {
  type AnyNode,
  ConfigurationError,
  type Packet as Message,
  type ReplicaId,
  RequestError,
} from "presently";
import { Adapter, type BroadcastOptions, type Room, type SocketId } from "socket.io-adapter";
import { type AckListener, Acknowledgements, type CountListener } from "./acknowledgements.ts";
import { Codec, MalformedError, type Packet, type ParsingServer } from "./codec.ts";
import { Directory } from "./directory.ts";
import { Interests, topicOfServer } from "./interests.ts";
import { type Acknowledged, type Asked, optionsOf, type Said, type Target, targetOf } from "./messages.ts";
import { Names } from "./names.ts";
import type { Settings } from "./options.ts";
import { type LocalSocket, QUESTION_MS, RemoteSockets } from "./remote-sockets.ts";
import { Route } from "./route.ts";
import { type Frame, pack, type Shipment } from "./shipment.ts";
import { Wire } from "./wire.ts";

/** What of a Socket.IO namespace an adapter works with. */
export interface ServedNamespace {
  readonly name: string;
  readonly server: ParsingServer;
  readonly sockets: ReadonlyMap<SocketId, LocalSocket & { readonly acks: Map<number, unknown> }>;
  _onServerSideEmit(args: unknown[]): void;
}

/** Told the answers of the other servers, or why some are missing. */
type AnswersCallback = (error: Error | null, answers: unknown[]) => void;

/** The channels that are served at a node. */
const claims = new WeakMap<AnyNode, Set<string>>();

/** The adapter of each namespace: one that is given another one is let go of. */
const adapters = new WeakMap<ServedNamespace, PresentlyAdapter>();

/** The adapter of one namespace: what `presently(node)` makes for Socket.IO. */
export class PresentlyAdapter extends Adapter {
  declare readonly nsp: ServedNamespace;
  readonly #node: AnyNode;
  readonly #settings: Settings;
  readonly #names: Names;
  readonly #codec: Codec;
  readonly #wire: Wire;
  readonly #directory: Directory;
  readonly #interests: Interests;
  readonly #route: Route;
  readonly #remote: RemoteSockets;
  readonly #acks = new Acknowledgements();
  #closed = false;

  constructor(node: AnyNode, settings: Settings, nsp: ServedNamespace) {
    super(nsp);
    this.#node = node;
    this.#settings = settings;
    this.#names = new Names(settings.key, nsp.name);
    this.#codec = new Codec(nsp.server, nsp.name);
    // The base class encodes with it, what has been encoded already too.
    Object.assign(this, { encoder: this.#codec });
    this.#claim();
    const { channel } = this.#names;
    this.#wire = new Wire(node, channel, { ...settings, codec: this.#codec, namespace: nsp.name });
    this.#directory = new Directory(
      node,
      this.#names,
      (server) => this.#left(server),
      (error) => this.#notKept(error),
    );
    this.#interests = new Interests(node, channel);
    this.#route = new Route(this.#directory, settings.routing, (id) => this.sids.has(id));
    this.#remote = new RemoteSockets({
      codec: this.#codec,
      directory: this.#directory,
      askMs: settings.askMs,
      lastCopiesMax: settings.lastCopiesMax,
      ask: (server, question) => this.#wire.ask(server, question, { timeoutMs: QUESTION_MS }),
    });
    this.#wire.listen({
      heard: (said, frames, from) => this.#heard(said, frames, from),
      acknowledged: (answer, value, from) => this.#acknowledged(answer, value, from),
      answer: (asked, value) => this.#answer(asked, asked.kind === "emit" ? argumentsOf(value()) : []),
    });
  }

  /** Messages of other nodes that could not be read. */
  get malformedMessages(): number {
    return this.#wire.malformed;
  }

  /** Broadcasts that wait for acknowledgements of clients of other servers. */
  get openAcknowledgements(): number {
    return this.#acks.size;
  }

  /** Lets go of the node: other servers do not count this one any more. */
  override close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wire.close();
    this.#interests.close();
    this.#directory.close();
    this.#acks.close();
    claims.get(this.#node)?.delete(this.#names.channel);
    adapters.delete(this.nsp);
  }

  /** How many servers run the namespace, this one included. */
  override async serverCount(): Promise<number> {
    return 1 + this.#directory.servers.size;
  }

  /** Settles once the emits of every linked server reach the socket in these rooms. */
  override addAll(id: SocketId, rooms: Set<Room>): Promise<void> | undefined {
    const before = this.sids.get(id);
    const added = [...rooms].filter((room) => before?.has(room) !== true);
    super.addAll(id, rooms);
    if (this.#closed) return undefined;
    this.#record(id, added);
    const waited = [...rooms].flatMap((room) => (room === id ? [] : (this.#interests.want(room) ?? [])));
    return waited.length === 0 ? undefined : Promise.all(waited).then(() => undefined);
  }

  override del(id: SocketId, room: Room): void {
    super.del(id, room);
    this.#directory.leave(id, room);
    if (!this.rooms.has(room)) this.#interests.drop(room);
  }

  override delAll(id: SocketId): void {
    const rooms = this.sids.get(id) ?? [];
    super.delAll(id);
    this.#directory.remove(id);
    for (const room of rooms) if (!this.rooms.has(room)) this.#interests.drop(room);
  }

  /** @throws {LimitError} for what is too large to be sent to another server; no client gets it then */
  override broadcast(packet: Packet, options: BroadcastOptions): void {
    const target = this.#target(options);
    if (target !== undefined)
      this.#wire.say(
        { kind: "broadcast", target },
        this.#codec.remember(packet),
        this.#route.topics(target.rooms),
      );
    super.broadcast(packet, options);
  }

  /** @throws {LimitError} for what is too large to be sent to another server; no client gets it then */
  override broadcastWithAck(
    packet: Packet,
    options: BroadcastOptions,
    counted: CountListener,
    acknowledged: AckListener,
  ): void {
    const { servers } = this.#directory;
    const target = this.#target(options);
    const known = target === undefined ? new Map() : this.#directory.find(options);
    const asked = new Set(target === undefined ? [] : this.#route.asked(target.rooms, known));
    if (target !== undefined && asked.size > 0) {
      const frames = this.#codec.encode({ type: packet.type, nsp: this.nsp.name, data: packet.data });
      const ack = this.#acks.open(asked, known, options.flags?.timeout, { counted, acknowledged });
      const topics = asked.size === servers.size ? undefined : [...asked].map(topicOfServer);
      try {
        this.#wire.say({ kind: "broadcast", target, ack }, frames, topics);
      } catch (error) {
        this.#acks.end(ack);
        throw error;
      }
    }
    super.broadcastWithAck(packet, options, counted, acknowledged);
    // `serverCount` is asked right after, and as many counts are waited for.
    for (const server of servers) if (!asked.has(server)) counted(0);
  }

  override addSockets(options: BroadcastOptions, rooms: Room[]): void {
    const target = this.#target(options);
    if (target !== undefined) {
      this.#wire.say({ kind: "join", target, rooms }, [], this.#route.topics(target.rooms));
      this.#route.joined(rooms);
    }
    super.addSockets(options, rooms);
  }

  override delSockets(options: BroadcastOptions, rooms: Room[]): void {
    const target = this.#target(options);
    if (target !== undefined)
      this.#wire.say({ kind: "leave", target, rooms }, [], this.#route.topics(target.rooms));
    super.delSockets(options, rooms);
  }

  override disconnectSockets(options: BroadcastOptions, close: boolean): void {
    const target = this.#target(options);
    if (target !== undefined)
      this.#wire.say({ kind: "disconnect", target, close }, [], this.#route.topics(target.rooms));
    super.disconnectSockets(options, close);
  }

  /** The matching sockets of all servers. Never rejects; waits for other servers at most `askMs`. */
  override async fetchSockets(options: BroadcastOptions): Promise<unknown[]> {
    const remote =
      options.flags?.local || this.#closed
        ? []
        : await this.#remote.fetch(options, this.#route.asked([...options.rooms], new Map()));
    return [...(await super.fetchSockets(options)), ...remote];
  }

  /** The ids of the matching sockets of all servers, from memory. */
  override async sockets(rooms: Set<Room>): Promise<Set<SocketId>> {
    const ids = await super.sockets(rooms);
    for (const others of this.#directory.find({ rooms }).values()) for (const id of others) ids.add(id);
    return ids;
  }

  /** Emits on the namespace of the other servers; the last argument may be a callback for their answers. */
  override serverSideEmit(args: unknown[]): void {
    const last = args.at(-1);
    if (typeof last !== "function") {
      if (!this.#closed) this.#wire.say({ kind: "emit" }, this.#codec.encodeValue(args), undefined);
      return;
    }
    const frames = this.#codec.encodeValue(args.slice(0, -1));
    void this.#collect(frames, last as AnswersCallback);
  }

  async #collect(frames: readonly Frame[], callback: AnswersCallback): Promise<void> {
    const servers = [...this.#directory.servers];
    const timeoutMs = this.#settings.serverSideEmitTimeoutMs;
    const answers: unknown[] = [];
    let failure: Error | undefined;
    let isSilent = false;
    const ask = async (server: ReplicaId) => {
      try {
        const answer = await this.#wire.ask(server, { kind: "emit" }, { frames, timeoutMs });
        answers.push(this.#codec.decodeValue(answer.frames));
      } catch (error) {
        if (!(error instanceof RequestError)) failure = error as Error;
        // One that is gone, or does not run the namespace any more, is not missing.
        else if (error.code !== "PEER_UNREACHABLE" && error.code !== "REQUEST_UNHANDLED") isSilent = true;
      }
    };
    await Promise.all(servers.map(ask));
    if (isSilent)
      failure ??= new Error(
        `timeout reached: only ${answers.length} responses received out of ${servers.length}`,
      );
    callback(failure ?? null, answers);
  }

  /** Undefined if no socket of another server is meant. */
  #target(options: BroadcastOptions): Target | undefined {
    return options.flags?.local || this.#closed ? undefined : targetOf(options);
  }

  /** Another server says something to many. */
  #heard(said: Said, frames: Shipment["frames"], from: ReplicaId): void {
    if (said.kind === "emit") {
      this.nsp._onServerSideEmit(argumentsOf(this.#codec.decodeValue(frames)));
      return;
    }
    const options = optionsOf(said.target);
    if (said.kind === "join") super.addSockets(options, [...said.rooms]);
    else if (said.kind === "leave") super.delSockets(options, [...said.rooms]);
    else if (said.kind === "disconnect") super.disconnectSockets(options, said.close);
    else if (said.ack === undefined) super.broadcast(this.#codec.shipped(frames), options);
    else this.#broadcastFor(from, said.ack, this.#codec.copied(frames), options);
  }

  /** Broadcasts for another server, and sends it what the clients here answer. */
  #broadcastFor(from: ReplicaId, ack: number, packet: Packet, options: BroadcastOptions): void {
    super.broadcastWithAck(
      packet,
      options,
      (clients) => this.#wire.reply(from, { kind: "count", ack, clients }),
      (value) => this.#wire.reply(from, { kind: "ack", ack }, value),
    );
    // Clients that do not answer would be waited for as long as they are connected.
    const forget = () => {
      for (const { acks } of this.nsp.sockets.values()) acks.delete(packet.id!);
    };
    setTimeout(forget, options.flags?.timeout).unref();
  }

  #acknowledged(answer: Acknowledged, value: () => unknown, from: ReplicaId): void {
    if (answer.kind === "count") this.#acks.count(from, answer.ack, answer.clients);
    else this.#acks.acknowledge(from, answer.ack, value());
  }

  /** Answers another server. */
  async #answer(asked: Asked, args: readonly unknown[]): Promise<Message> {
    if (asked.kind === "emit") return this.#emitForAnswer(args);
    const sockets: LocalSocket[] =
      asked.kind === "sockets"
        ? await super.fetchSockets(optionsOf(asked.target))
        : asked.ids.flatMap((id) => this.nsp.sockets.get(id) ?? []);
    const { header, frames } = this.#remote.describe(sockets);
    return pack(header, frames);
  }

  /** Settles with the first answer of a listener here. */
  #emitForAnswer(args: readonly unknown[]): Promise<Message> {
    return new Promise((resolve, reject) => {
      // The asker has given up by then.
      const { serverSideEmitTimeoutMs } = this.#settings;
      const silent = () => reject(new Error("no listener has answered"));
      const timer = setTimeout(silent, serverSideEmitTimeoutMs).unref();
      const callback = (value: unknown) => {
        clearTimeout(timer);
        resolve(pack({}, this.#codec.encodeValue(value)));
      };
      this.nsp._onServerSideEmit([...args, callback]);
    });
  }

  /** Records a socket once it is connected: middleware may still refuse it before that. */
  #record(id: SocketId, added: readonly Room[]): void {
    const socket = this.nsp.sockets.get(id);
    if (socket === undefined) return;
    const rooms = this.#directory.has(id) ? added : (this.sids.get(id) ?? added);
    this.#directory.join(id, rooms, () => this.#remote.copyOf(socket.data));
  }

  #left(server: ReplicaId): void {
    this.#acks.left(server);
    this.#remote.forget(server);
  }

  #notKept(error: unknown): void {
    const message = "a socket or its room could not be recorded: other servers do not list it";
    this.#settings.notice({ type: "not-kept", level: "warn", message, namespace: this.nsp.name, error });
  }

  /** @throws {ConfigurationError} if another server has this namespace at this node */
  #claim(): void {
    adapters.get(this.nsp)?.close();
    const { channel } = this.#names;
    const served = claims.get(this.#node) ?? new Set<string>();
    if (served.has(channel))
      throw new ConfigurationError(
        `another Socket.IO server serves the namespace ${this.nsp.name} at this node under the key ${this.#settings.key}: give each its own key, presently(node, { key })`,
      );
    claims.set(this.#node, served.add(channel));
    adapters.set(this.nsp, this);
  }
}

/** @throws {MalformedError} for what is no list */
function argumentsOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new MalformedError("the arguments are no list");
  return value;
}
