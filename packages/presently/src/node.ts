/** A node: a replica, the mesh that links it with others, and the HTTP server that shows it. */
import type { IncomingMessage, Server } from "node:http";
import {
  type Answer,
  type Answers,
  type AnyMeta,
  type BroadcastOptions,
  ClosedError,
  ConfigurationError,
  type Counters,
  type CountListener,
  checkFunction,
  checkInteger,
  checkObject,
  checkOptions,
  checkString,
  Endpoint,
  isReplicaId,
  type MessageListener,
  type Meta,
  type MetaAt,
  nameOf,
  type People,
  type PeopleListener,
  type PeopleOptions,
  type Presence,
  REPLICA_DEFAULTS,
  type ReplicaId,
  type ReplicaListener,
  type ReplicaOptions,
  type ReplicaReport,
  type RequestError,
  reportRejection,
  type Session,
  type SessionOptions,
  type SyncProgress,
  stringsIn,
  type TopicCount,
  type TopicSummary,
  type TopicsListener,
  type Watcher,
} from "@presently/replica";
import type { Access } from "./access/access.ts";
import { ClientAddresses } from "./access/client-address.ts";
import { noTransport } from "./alone.ts";
import { systemClock } from "./clock.ts";
import { resolveConfig } from "./config.ts";
import { checkDrainOptions, type DrainOptions } from "./drop-in/drain.ts";
import { EVICTION_CHANNEL, type Eviction, evictEverywhere } from "./eviction.ts";
import { GuardedLog } from "./guarded-log.ts";
import { PutPresences } from "./http/put-presences.ts";
import type { LinkReport, ServedNode } from "./http/served-node.ts";
import { HttpServer } from "./http/server.ts";
import { createLogger } from "./logger.ts";
import { meshTransport } from "./mesh-transport.ts";
import type { NodeConfig, NodeOptions } from "./node-options.ts";
import type { NodeNotice } from "./notice.ts";
import { notReadyReason } from "./readiness.ts";
import { standardOutput } from "./standard-output.ts";
import type { NodeTransport, TlsFiles, TransportFactory } from "./transport.ts";

/** How long frames that are on their way out may take when the node stops. */
const DRAIN_MS = 1_000;

/** How long what drained clients have tracked waits for them, unless the configuration says more than 0. */
const DRAINED_HANDOFF_MS = 10_000;

/** How long an answer to a request may take, unless the asker says otherwise. */
const REQUEST_TIMEOUT_MS = 2_000;

/** How long to wait for an answer. */
export interface AnswerOptions {
  /** Default 2,000. */
  readonly timeoutMs?: number;
}

/** How to stop. */
export interface StopOptions {
  /** How long the others go on showing this node's presences. Default: that of a drain, or else the node's option `handoffMs`. */
  readonly handoffMs?: number;
}

/** Sends all clients of one server to other nodes; settles when they are gone. */
export type Drainer = (options: DrainOptions) => Promise<void>;

/** A topic that broadcasts are wanted of. */
export interface TopicSubscription {
  /** Whether `whenEffective` would settle at once. Cost: O(nodes). */
  isEffective(): boolean;
  /**
   * Settles once every node that there is a link with sends the topic's broadcasts here: what is answered to whoever is
   * asked from then on arrives. A node that does not say so within `interestTimeoutMs` is not waited for. Never rejects.
   */
  whenEffective(): Promise<void>;
  /** Says that they are not wanted any more, unless by another subscription. */
  end(): void;
}

/** Why a node stopped: it was told to, or a newer life of its name has taken its place in the cluster. */
export type StopCause = "asked" | "superseded";

/**
 * Starts a node and settles when it listens; it may still be catching up with the others (see `whenReady`).
 *
 * Without `mesh` or `transport` it stands alone, without `http` it is not shown over HTTP. It keeps the process alive until `stop`.
 *
 * `createNode<Profile>(…)` types the metas of the node, and `createNode<ByTopic<{ … }>>(…)` those of each topic. What comes from
 * other nodes is not checked: they run the same application.
 *
 * @throws {InvalidArgumentError} for an option that is missing, unknown or malformed
 * @throws {ConfigurationError} for options that contradict each other; the message names both
 * @throws {ListenError} when it cannot listen; nothing is left behind
 */
export function createNode<M extends object = Meta>(options: NodeOptions): Promise<PresentlyNode<M>>;
// The last of them is what `ReturnType<typeof createNode>` gives.
export function createNode(options: NodeOptions): Promise<PresentlyNode>;
export async function createNode(options: NodeOptions): Promise<PresentlyNode> {
  return PresentlyNode.start(resolveConfig(options));
}

/** A node with metas of whatever type: what serves a protocol takes any. */
export type AnyNode = PresentlyNode<AnyMeta>;

/** One running node. All reads are synchronous and from local memory. */
export class PresentlyNode<M extends object = Meta> implements ServedNode {
  readonly #config: NodeConfig;
  readonly #log: GuardedLog;
  readonly #endpoint: Endpoint;
  readonly #transport: NodeTransport;
  /** @internal */
  readonly puts: PutPresences;
  readonly #clients: ClientAddresses;
  #http: HttpServer | undefined;
  #startedAt: number | undefined;
  /** Since when configured peers that do not answer are waited for. */
  #waitsSince = 0;
  /** Links at the last look, if it had not caught up then. */
  #linksWhileBehind = 0;
  #ready = false;
  #announceReady: () => void = () => undefined;
  readonly #whenReady: Promise<void>;
  #graceTimer: NodeJS.Timeout | undefined;
  readonly #drainers = new Set<Drainer>();
  #draining: Promise<void> | undefined;
  /** How long the presences of clients that were sent away wait for them. */
  #drainedHandoffMs: number | undefined;
  #stopping: Promise<void> | undefined;
  #announceStop: (cause: StopCause) => void = () => undefined;
  #announceStopping: () => void = () => undefined;
  /**
   * Settles when the node has said goodbye to the others and begins to close: what is attached to its HTTP server ends
   * its connections now, and is no leave for anybody by that. Never rejects.
   */
  readonly whenStopping: Promise<void>;
  /** Settles once the node has stopped, whoever made it stop. Never rejects. */
  readonly whenStopped: Promise<StopCause>;

  /** As `createNode`, of a configuration that is resolved already. */
  static async start(config: NodeConfig): Promise<PresentlyNode> {
    const node = new PresentlyNode(config);
    try {
      await node.#start();
    } catch (error) {
      await node.stop({ handoffMs: 0 });
      throw error;
    }
    return node;
  }

  private constructor(config: NodeConfig) {
    this.#config = config;
    this.#clients = new ClientAddresses(config.http?.trustedProxies ?? []);
    this.#log = new GuardedLog(
      config.log ?? createLogger({ level: config.logLevel, base: { node: config.name } }),
    );
    this.#whenReady = new Promise((resolve) => {
      this.#announceReady = resolve;
    });
    this.whenStopping = new Promise((resolve) => {
      this.#announceStopping = resolve;
    });
    this.whenStopped = new Promise((resolve) => {
      this.#announceStop = resolve;
    });
    let transport: NodeTransport = noTransport;
    this.#endpoint = new Endpoint({
      replica: replicaOptions(config),
      clock: systemClock,
      transport: (listener, replica) => {
        const note = (notice: NodeNotice) => this.#note(notice);
        const newerLifeSeen = (incarnation: number) => this.#endpoint.newerLifeSeen(incarnation);
        const context = { cluster: config.cluster, replica, note, newerLifeSeen };
        transport = transportOf(config)?.(context, listener) ?? noTransport;
        return transport;
      },
      onNotice: (notice) => this.#note(this.#located(notice)),
      onRenamed: (replica) => transport.rename(replica),
      onSuperseded: () => this.#superseded(),
    });
    this.#transport = transport;
    this.puts = new PutPresences(this.#endpoint, systemClock);
    this.onRequest(
      EVICTION_CHANNEL,
      (gone) => typeof gone === "string" && isReplicaId(gone) && this.evict(gone),
    );
  }

  get name(): string {
    return this.#config.name;
  }

  /** The name of the cluster. */
  get clusterName(): string {
    return this.#config.cluster;
  }

  /** `name@incarnation`: this life of the node. May change when the name is known with a newer incarnation. */
  get replica(): ReplicaId {
    return this.#endpoint.replica.id;
  }

  get incarnation(): number {
    return this.#endpoint.replica.incarnation;
  }

  /** Where other nodes reach this one; undefined without a mesh. */
  get meshUrl(): string | undefined {
    return this.#transport.url;
  }

  /** Who may do what, for what serves other protocols than HTTP (see `Gate` of `presently/drop-in`); undefined: everybody everything. */
  get access(): Access | undefined {
    return this.#config.access;
  }

  /**
   * The address of whoever sent a request: that of its socket or, if that is a proxy of `http.trustedProxies`, the one that
   * the proxy names. Undefined when the socket is gone.
   */
  addressOf(request: IncomingMessage): string | undefined {
    checkObject("request", request);
    checkObject("request.socket", request.socket);
    return this.#clients.of(request);
  }

  /** Where the HTTP API answers; undefined without one. */
  get httpUrl(): string | undefined {
    return this.#http?.url;
  }

  /** The server of the HTTP API, for what else is to be served at its address; undefined without one. */
  get httpServer(): Server | undefined {
    return this.#http?.server;
  }

  /**
   * Opens the owner of some presences: one for each socket, or for each user of the node that comes and goes as one.
   *
   * With `lingerMs`, `session.drop()` keeps them for so long: who comes back in that time, on any node, was never away.
   *
   * @throws {LimitError} beyond `sessionsMax`
   * @throws {InvalidArgumentError} for an option that cannot be used
   */
  session(options?: SessionOptions): Session<M> {
    if (this.stopping) throw new ClosedError("this node");
    return this.#endpoint.replica.session(options);
  }

  /** Who is present on a topic, of all nodes. Cost: O(answer). */
  list<Topic extends string>(topic: Topic): readonly Presence<MetaAt<M, Topic>>[];
  list(topic: string): readonly Presence<AnyMeta>[] {
    return this.#endpoint.replica.list(topic);
  }

  /** @internal */
  read(topic: string): Iterable<Presence<AnyMeta>> {
    return this.#endpoint.replica.read(topic);
  }

  /** @internal */
  readTopics(prefix?: string): Iterable<TopicSummary> {
    return this.#endpoint.replica.readTopics(prefix);
  }

  /** The presences of one key on a topic. */
  get<Topic extends string>(topic: Topic, key: string): readonly Presence<MetaAt<M, Topic>>[];
  get(topic: string, key: string): readonly Presence<AnyMeta>[] {
    return this.#endpoint.replica.get(topic, key);
  }

  /** How many keys and entries a topic has. Cost: O(1). */
  count(topic: string): TopicCount {
    return this.#endpoint.replica.count(topic);
  }

  /** The topics on which somebody is present, in code unit order. Cost: O(topics). */
  topics(prefix?: string): readonly TopicSummary[] {
    return this.#endpoint.replica.topics(prefix);
  }

  /** On which topics these keys are present; keys that are nowhere are left out. */
  where(keys: Iterable<string>): Map<string, readonly string[]> {
    return this.#endpoint.replica.where(keys);
  }

  /**
   * Tells `watcher` the state of a topic at once, and every diff from then on, in order and exactly once, during the
   * call that makes the change. Returns what ends it.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watch<Topic extends string>(topic: Topic, watcher: Watcher<MetaAt<M, Topic>>): () => void;
  watch(topic: string, watcher: Watcher<AnyMeta>): () => void {
    return this.#endpoint.replica.watch(topic, watcher);
  }

  /**
   * Tells `listener` how many are on a topic (`keys`, `entries`), at once and whenever that has changed, at most every
   * `countIntervalMs`; returns what ends it. For topics so large that nobody needs to know who it is.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watchCount(topic: string, listener: CountListener): () => void {
    return this.#endpoint.replica.watchCount(topic, listener);
  }

  /**
   * As `watch`, of people: a key is there while it has an entry, and for `graceMs` after one was lost with its node. Tells
   * who comes first and goes last, and what changes of those who stay. Returns what the listener was told, as a list to read.
   *
   * @throws {InvalidArgumentError} for a `graceMs` that is no duration
   * @throws {LimitError} beyond `watchersMax`
   */
  watchPeople<Topic extends string>(
    topic: Topic,
    options: PeopleOptions,
    listener: PeopleListener<MetaAt<M, Topic>>,
  ): People<MetaAt<M, Topic>>;
  watchPeople(topic: string, options: PeopleOptions, listener: PeopleListener<AnyMeta>): People<AnyMeta> {
    return this.#endpoint.replica.watchPeople(topic, options, listener);
  }

  /**
   * Tells `listener` the topics that begin with `prefix` and have somebody on them, then those that appear and vanish.
   * Returns a function that ends it.
   *
   * @throws {LimitError} beyond `watchersMax`
   */
  watchTopics(prefix: string, listener: TopicsListener): () => void {
    return this.#endpoint.replica.watchTopics(prefix, listener);
  }

  /** Makes all changes of `work`, which must not wait for anything, one delta and one diff. */
  batch<T>(work: () => T): T {
    return this.#endpoint.replica.batch(work);
  }

  /** Removes every entry of a key on a topic that is seen here, whichever node holds it; answers how many. */
  remove(topic: string, key: string): number {
    return this.#endpoint.replica.remove(topic, key);
  }

  /**
   * Sends a message to every node of the cluster, this one included: at most once each, in order for each pair of
   * nodes, never stored. A node that there is no link with gets it over a third one.
   *
   * With `topics` it goes only to nodes that have subscribed to one of them on this channel, besides this one, and to those
   * of which that is not known yet, as their link has just opened or they subscribe to more topics than `interestsMax`.
   *
   * @param payload JSON, bytes or a `Packet`, taken by value; listeners get JSON frozen. Large bytes travel in parts
   * @throws {InvalidArgumentError} for a channel or payload that cannot be used
   * @throws {LimitError} for JSON beyond `broadcastBytesMax`, or raw bytes beyond `messageBytesMax`
   */
  broadcast(channel: string, payload: unknown, options?: BroadcastOptions): void {
    this.#endpoint.replica.broadcast(channel, payload, options);
  }

  /**
   * Says to all nodes that broadcasts of a topic are wanted here; they come to the listeners of the channel. Topics are
   * texts of any length, and each subscription ends for itself.
   */
  subscribe(channel: string, topic: string): TopicSubscription {
    const { isKnown, whenKnown, end } = this.#endpoint.subscribe(channel, topic);
    return { isEffective: isKnown, whenEffective: () => new Promise((resolve) => whenKnown(resolve)), end };
  }

  /** Calls `listener` with every broadcast on the channel that comes here, this node's own included, until the returned function is called. */
  onBroadcast(channel: string, listener: MessageListener): () => void {
    return this.#endpoint.replica.onBroadcast(channel, listener);
  }

  /**
   * Sends a message to one replica, this one's own id included: at most once, in order with everything else that is sent
   * to it, never stored. Errors as of `broadcast`.
   *
   * @returns whether it was sent; false if there is no way to that replica, over a link or a third node, or its buffer is full
   */
  send(to: ReplicaId, channel: string, payload: unknown): boolean {
    return this.#endpoint.replica.messenger.send(to, channel, payload);
  }

  /**
   * Sends a message as `send` does, and settles once the listeners of that replica have it. Throws (rejects) for bad
   * arguments as `broadcast` does.
   *
   * @param options.timeoutMs how long that may take; default 2,000
   * @throws {RequestError} when that is not known: as of `request`; the message may have arrived
   */
  async deliver(
    to: ReplicaId,
    channel: string,
    payload: unknown,
    options: AnswerOptions = {},
  ): Promise<void> {
    await settledAnswer((settled) =>
      this.#endpoint.deliver(to, channel, payload, timeoutOf(options), settled),
    );
  }

  /** Calls `listener` with every message that was sent to this node on the channel, until the returned function is called. */
  onMessage(channel: string, listener: MessageListener): () => void {
    return this.#endpoint.replica.messenger.onMessage(channel, listener);
  }

  /**
   * Asks one replica, this one's own id included, and settles with its answer. It is asked once: whether to ask again is
   * for the caller to know. Throws (rejects) for bad arguments as `broadcast` does.
   *
   * @param options.timeoutMs how long the answer may take; default 2,000
   * @throws {RequestError} `REQUEST_TIMEOUT`, `PEER_UNREACHABLE`, `PEER_SUSPECT`, `REQUEST_LOST`, `REQUEST_REFUSED`,
   *   `REQUEST_UNHANDLED`, `REQUEST_FAILED`, `REQUESTS_MAX`
   */
  request(to: ReplicaId, channel: string, payload: unknown, options: AnswerOptions = {}): Promise<unknown> {
    return settledAnswer((settled) =>
      this.#endpoint.request(to, channel, payload, timeoutOf(options), settled),
    );
  }

  /**
   * Asks several replicas the same, and settles with the answers and with the reason of each replica that did not answer.
   * That is as soon as each has answered, lost its link or become suspected, and after `timeoutMs` at the latest. Rejects for
   * bad arguments only.
   *
   * @param options.timeoutMs how long the answers may take; default 2,000
   */
  requestAll(
    replicas: Iterable<ReplicaId>,
    channel: string,
    payload: unknown,
    options: AnswerOptions = {},
  ): Promise<Answers> {
    return new Promise((resolve) => {
      const asked = new Set(stringsIn("replicas", replicas) as readonly ReplicaId[]);
      const answers = new Map<ReplicaId, unknown>();
      const unanswered = new Map<ReplicaId, RequestError>();
      this.#endpoint.requestAll(asked, channel, payload, timeoutOf(options), (replica, answer) => {
        if (answer.ok) answers.set(replica, answer.payload);
        else unanswered.set(replica, answer.error);
        if (answers.size + unanswered.size === asked.size) resolve({ answers, unanswered });
      });
      if (asked.size === 0) resolve({ answers, unanswered });
    });
  }

  /**
   * Answers requests on the channel until the returned function is called; what the handler throws or rejects with
   * reaches the asker as a `REQUEST_FAILED` with its message. One handler for each channel.
   */
  onRequest(channel: string, handler: (payload: unknown, from: ReplicaId) => unknown): () => void {
    checkFunction("handler", handler);
    return this.#endpoint.replica.messenger.onRequest(channel, (payload, from, responder) => {
      const failed = (error: unknown) => {
        this.#log.warn({ channel, from, error }, "a request could not be answered");
        responder.fail(error instanceof Error ? error.message : String(error));
      };
      // The handler runs at once, so that requests of one node are begun in the order in which it sent them.
      new Promise((resolve) => resolve(handler(payload, from)))
        .then((answer) => responder.reply(answer ?? null))
        .catch(failed);
    });
  }

  /**
   * Calls `listener` whenever another replica is seen to come, to be doubted, to go or to return, or when the link with
   * it changes, after the presences of that change; until the returned function is called.
   */
  onReplica(listener: ReplicaListener): () => void {
    return this.#endpoint.replica.onReplica(listener);
  }

  /** Forgets a replica at once, with its entries; answers whether it was known. One that is alive comes back by itself. */
  evict(replica: ReplicaId): boolean {
    return this.#endpoint.replica.evict(replica);
  }

  /**
   * Makes every node that counts forget a replica at once, with its entries: what an operator wants of one that will not
   * come back. One that is alive comes back by itself.
   */
  async evictEverywhere(replica: ReplicaId): Promise<Eviction> {
    checkString("replica", replica);
    return await evictEverywhere(
      replica,
      this.cluster(),
      (gone) => this.evict(gone),
      (others) => this.requestAll(others, EVICTION_CHANNEL, replica),
    );
  }

  /** What this node believes of itself and of every other; itself first. */
  cluster(): readonly ReplicaReport[] {
    return this.#endpoint.cluster();
  }

  /**
   * Shows another certificate to nodes that it links with from now on, and believes other authorities; links that are up
   * go on. `presently start` calls it when the files of `--tls-cert`, `--tls-key` or `--tls-ca` change.
   *
   * @throws {InvalidArgumentError} for what is not PEM
   * @throws {ConfigurationError} if the parts contradict each other, or if the node was started without certificates
   */
  renewTls(tls: TlsFiles): void {
    if (this.#transport.renewTls === undefined)
      throw new ConfigurationError("this node has no mesh that speaks TLS: start it with mesh.tls");
    this.#transport.renewTls(tls);
    this.#log.info({}, "new certificates are in use for new links");
  }

  /** The links that are up. */
  links(): readonly LinkReport[] {
    return this.#transport.links();
  }

  /** Counts of what happened since the start, for metrics; they only grow. */
  get counters(): Readonly<Counters> {
    return this.#endpoint.replica.counters;
  }

  /** Connections of the mesh that were refused, by the code of the reason. */
  get refused(): Readonly<Record<string, number>> {
    return this.#transport.refused;
  }

  /** Requests over HTTP that were refused by `access` or for being too many, by the reason. */
  get refusedRequests(): Readonly<Record<string, number>> {
    return this.#http?.refused ?? {};
  }

  /** Lines that the node's log refused, and that the standard output of its process did not take; for metrics. */
  get logLinesDropped(): number {
    return this.#log.dropped + standardOutput().dropped;
  }

  /** Whether it has caught up with every peer that it can reach. Stays true until it stops. */
  get ready(): boolean {
    return this.notReadyReason === undefined;
  }

  /** Settles when the node is ready; never, if it stops before. */
  whenReady(): Promise<void> {
    return this.#whenReady;
  }

  /** How far the state is that another node is giving this one; undefined if none is. */
  get syncProgress(): SyncProgress | undefined {
    return this.#endpoint.replica.syncProgress;
  }

  /** Why it is not ready, for people. */
  get notReadyReason(): string | undefined {
    if (this.stopping) return "the node is stopping";
    if (this.#draining !== undefined) return "the node is draining";
    if (this.#ready) return undefined;
    if (this.#startedAt === undefined) return "the node is starting";
    // As the replica counts them: a link that it has not heard of yet is one that it has not caught up on.
    const links = this.cluster().filter(({ linked }) => linked).length;
    const { synced } = this.#endpoint.replica;
    this.#noteBrokenSync(links, synced);
    const reason = notReadyReason({
      peersConfigured: this.#transport.peersExpected,
      links,
      synced,
      progress: this.syncProgress,
      waitedForMs: systemClock.now() - this.#waitsSince,
      graceMs: this.#config.readyGraceMs,
    });
    if (reason === undefined) {
      this.#ready = true;
      clearTimeout(this.#graceTimer);
      this.#announceReady();
    }
    return reason;
  }

  /**
   * A link that is lost before it was caught up on leaves nobody to catch up with, and half the state here. That is not
   * ready: whoever is left, or comes back, has the grace once more.
   */
  #noteBrokenSync(links: number, synced: boolean): void {
    if (synced && links < this.#linksWhileBehind) {
      this.#waitsSince = systemClock.now();
      this.#graceTimer?.refresh();
    }
    this.#linksWhileBehind = synced ? 0 : links;
  }

  /**
   * Sends the clients of everything that is attached to other nodes, a batch at a time; settles when they are gone. The
   * node is not ready from here on, and counts as before: stop it then. What a client has tracked stays for `handoffMs`, so
   * that a client that comes back elsewhere in that time was never away. Further calls return the same promise.
   *
   * @throws {InvalidArgumentError} (rejects) for an option that cannot be used
   */
  drain(options: DrainOptions = {}): Promise<void> {
    try {
      checkDrainOptions(options);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#draining ??= Promise.all([...this.#drainers].map((drainer) => drainer(options))).then(
      () => undefined,
    );
    return this.#draining;
  }

  /** Has `drain` call `drainer`, which sends the clients of one server away; until the returned function is called. */
  onDrain(drainer: Drainer): () => void {
    checkFunction("drainer", drainer);
    this.#drainers.add(drainer);
    return () => void this.#drainers.delete(drainer);
  }

  /**
   * Says that clients are being sent away and come back elsewhere within `handoffMs`. Returns that time, or its default.
   *
   * @throws {InvalidArgumentError} for a time that cannot be used
   */
  handOffFor(handoffMs = this.#config.handoffMs || DRAINED_HANDOFF_MS): number {
    checkInteger("handoffMs", handoffMs, 0);
    this.#drainedHandoffMs = Math.max(this.#drainedHandoffMs ?? 0, handoffMs);
    return handoffMs;
  }

  /** Whether `stop` was called. */
  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /**
   * Leaves the cluster: tells the others, ends the event streams, closes every socket and settles when that is done.
   * What was tracked stays readable here, and is gone elsewhere after `handoffMs`. Further calls give the same promise.
   *
   * @throws {InvalidArgumentError} for an option that cannot be used; the node goes on then
   */
  stop(options: StopOptions = {}): Promise<void> {
    try {
      checkOptions(options, ["handoffMs"]);
      if (options.handoffMs !== undefined) checkInteger("handoffMs", options.handoffMs, 0);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#stop("asked", options);
  }

  /** HTTP first: a port that is taken should be found out before the others hear of this node. */
  async #start(): Promise<void> {
    const { http, readyGraceMs, metaBytesMax, topicBytesMax, keyBytesMax } = this.#config;
    if (http !== undefined) {
      const limits = { metaBytesMax, topicBytesMax, keyBytesMax };
      const clients = this.#clients;
      const onNotice = (notice: NodeNotice) => this.#note(notice);
      this.#http = await HttpServer.listen({
        node: this,
        config: http,
        limits,
        clients,
        log: this.#log,
        onNotice,
      });
    }
    this.#endpoint.start();
    await this.#transport.start();
    this.#startedAt = systemClock.now();
    this.#waitsSince = this.#startedAt;
    // A millisecond more, so that the grace is over by any clock when readiness is looked at.
    this.#graceTimer = setTimeout(() => this.ready, readyGraceMs + 1).unref();
    void this.ready;
  }

  /** Where the process is that has taken over our name. */
  #located(notice: NodeNotice): NodeNotice {
    if (notice.type !== "name-conflict") return notice;
    const address = this.#transport.links().find(({ replica }) => replica === notice.by)?.address;
    return address === undefined
      ? notice
      : { ...notice, address, message: `${notice.message}. It is at ${address}` };
  }

  #note(notice: NodeNotice): void {
    const { level, message, ...facts } = notice;
    // A node that said goodbye does not come back under the addresses that others told of it.
    if (notice.type === "replica-evicted" && notice.reason === "left")
      this.#forgetAddresses(nameOf(notice.replica as ReplicaId));
    this.#log[level](facts, message);
    this.#http?.post(notice);
    // Links and sync are what readiness hangs on, and each of their steps is a notice.
    if (!this.#ready) queueMicrotask(() => this.ready);
    const failed = (error: unknown) => this.#log.error({ error }, "onNotice threw an error");
    try {
      reportRejection(this.#config.onNotice?.(notice), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Its next life, which may have come during the hand-off, is where it was. */
  #forgetAddresses(name: string): void {
    if (!this.cluster().some(({ node }) => node === name)) this.#transport.forget(name);
  }

  #superseded(): void {
    void this.#stop("superseded", { handoffMs: 0 });
  }

  #stop(
    cause: StopCause,
    { handoffMs = this.#drainedHandoffMs ?? this.#config.handoffMs }: StopOptions,
  ): Promise<void> {
    this.#stopping ??= this.#shutDown(handoffMs).finally(() => this.#announceStop(cause));
    return this.#stopping;
  }

  async #shutDown(handoffMs: number): Promise<void> {
    clearTimeout(this.#graceTimer);
    // First the goodbye: what the closing of streams and sessions would take away is the hand-off's to take away.
    this.#endpoint.leave(handoffMs);
    this.#endpoint.close();
    this.puts.close();
    this.#announceStopping();
    await Promise.all([this.#transport.close({ drainMs: DRAIN_MS }), this.#http?.close()]);
  }
}

/** The WebSocket mesh, or what was handed in instead of it; undefined for a node that stands alone. */
function transportOf({ mesh, secrets, transport }: NodeConfig): TransportFactory | undefined {
  return transport ?? (mesh === undefined ? undefined : meshTransport(mesh, secrets));
}

/** @throws {InvalidArgumentError} for an option that there is not */
function timeoutOf(options: AnswerOptions): number {
  checkOptions(options, ["timeoutMs"]);
  return options.timeoutMs ?? REQUEST_TIMEOUT_MS;
}

/** The answer to what is asked; rejects with the reason if there is none. */
function settledAnswer(ask: (settled: (answer: Answer) => void) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    ask((answer) => {
      if (answer.ok) resolve(answer.payload);
      else reject(answer.error);
    });
  });
}

/** The replica's share of the configuration. */
function replicaOptions(config: NodeConfig): ReplicaOptions {
  const known = Object.keys(REPLICA_DEFAULTS) as (keyof typeof REPLICA_DEFAULTS)[];
  return {
    name: config.name,
    incarnation: config.incarnation ?? nextIncarnation(),
    random: Math.random,
    ...Object.fromEntries(known.map((option) => [option, config[option]])),
  };
}

let lastIncarnation = 0;

/** The time of the start; two nodes of one process that start within a millisecond must not be one life. */
function nextIncarnation(): number {
  lastIncarnation = Math.max(Date.now(), lastIncarnation + 1);
  return lastIncarnation;
}
