/** What can be configured of a replica: every option with its unit, default, and what raising it buys and costs. */
import { checkFunction, checkInteger, checkObject } from "./arguments.ts";
import { ConfigurationError, InvalidArgumentError } from "./errors.ts";

/** What can be set of a replica; only `name` and `incarnation` must be. */
export interface ReplicaOptions {
  /** Stable name of the node: 1 to 64 letters, digits, `.`, `_`, `:`, `@`, `-`. */
  readonly name: string;
  /** Grows each time a node of that name starts; the time of the start in milliseconds will do. */
  readonly incarnation: number;
  /** Uniform in [0, 1); chooses gossip partners and jitter. Default: a generator seeded by name and incarnation. */
  readonly random?: () => number;

  /**
   * Local changes go out together, at most once in this time: the first after a quiet spell at the end of its turn of the
   * event loop, those that follow once the time is over. Default 5 ms; 0: at the end of every turn that made changes.
   */
  readonly flushIntervalMs?: number;
  /** Period of heartbeats and digests. Default 1,000 ms. Lower: repairs sooner, more idle traffic. */
  readonly heartbeatIntervalMs?: number;
  /** Heartbeats go to all peers up to this many, and to so many chosen at random beyond. Default 8. */
  readonly heartbeatFanout?: number;
  /** A replica whose counter stands still for so long is down: hidden. Default 5,000 ms; at least two heartbeats. */
  readonly downAfterMs?: number;
  /** A replica that is down for so long is forgotten. Default 1,200,000 ms (20 minutes); more than `downAfterMs`. */
  readonly evictAfterMs?: number;
  /** A suspected replica is asked about again this often. Default 100 ms. */
  readonly probeIntervalMs?: number;
  /** A pull that brings nothing for so long is given up, and another peer is asked. Default 2,000 ms. */
  readonly pullTimeoutMs?: number;

  /** UTF-8 bytes of a topic. Default 255. */
  readonly topicBytesMax?: number;
  /** UTF-8 bytes of a key. Default 255. */
  readonly keyBytesMax?: number;
  /** Bytes of a meta as JSON. Default 8,192. */
  readonly metaBytesMax?: number;
  /** Bytes of a broadcast, message, request or reply as JSON; to encode more takes the event loop its time. Default 65,536. */
  readonly broadcastBytesMax?: number;
  /** Raw bytes of one: a payload of bytes, or the buffers of a `Packet`. Default 16,777,216. */
  readonly messageBytesMax?: number;
  /** Bytes of the messages of all replicas together whose parts come in. Default 134,217,728; a message beyond it is refused. */
  readonly messagePartsBytesMax?: number;
  /** A message in parts of which nothing is acknowledged for so long is lost. Default 10,000 ms. */
  readonly messageTimeoutMs?: number;
  /**
   * Bytes of messages that wait for each replica: until there is a way to it, or behind a large one. Default 67,108,864;
   * beyond it they are lost.
   */
  readonly messagesWaitingBytesMax?: number;
  /** Requests of this node that wait for an answer, and of each peer that it has not answered yet. Default 10,000 each. */
  readonly requestsMax?: number;
  /** Topics that a node tells each other one by one that it wants broadcasts of; with more it gets all. Default 100,000. */
  readonly interestsMax?: number;
  /**
   * How long a subscription waits for a peer to say that it knows of it. Default 1,000 ms; a peer that usually says so sooner is
   * waited for four times as long as usual, and at least a quarter of this.
   */
  readonly interestTimeoutMs?: number;
  /** Entries one session may hold. Default 100,000. */
  readonly entriesPerSessionMax?: number;
  /** Entries that this node lets its own sessions add to one topic that holds so many. Default 1,000,000. */
  readonly entriesPerTopicMax?: number;
  /** Entries of this node's sessions together. Default 1,000,000. */
  readonly entriesPerNodeMax?: number;
  /** Open sessions. Default 1,000,000. */
  readonly sessionsMax?: number;
  /**
   * Diffs of topics with at least `diffIntervalEntries` entries are told at most this often, each the net change since the
   * last one. Default 0 ms: every change at once, during the call that makes it. Raise it where many come and go at a time.
   */
  readonly diffIntervalMs?: number;
  /** From how many entries on a topic's diffs are told every `diffIntervalMs`. Default 1,000. */
  readonly diffIntervalEntries?: number;
  /** Those who watch nothing but a count are told of it at most this often. Default 100 ms. */
  readonly countIntervalMs?: number;
  /** Watchers of all topics together. Default 1,000,000. */
  readonly watchersMax?: number;
  /** Adds and removes kept per replica for peers that missed a few; beyond it they get the full state. Default 10,000. */
  readonly logSizeMax?: number;
  /** Replicas known at a time, and evicted ones remembered. Default 1,024 each. */
  readonly replicasMax?: number;
  /** Removed entries that are remembered before they are known themselves. Default 1,000,000. */
  readonly pendingMax?: number;
  /** Estimated bytes of one frame of changes or sync. Default 49,152; well under the frame limit of the transport. */
  readonly frameBytesTarget?: number;
  /** Entries of a replica that comes or goes that are shown or hidden before the event loop goes on. Default 2,000. */
  readonly sweepEntriesMax?: number;
  /** Peers served with a sync at a time; more wait for their next heartbeat. Default 8. */
  readonly syncsMax?: number;
  /** Ranges of live dots accepted in one full sync. Default 4,000,000. */
  readonly syncRangesMax?: number;
  /** For tests: smaller steps, so that a small state takes many of them. */
  readonly steps?: Partial<StepSizes>;
}

/** How much of something large is done at once. */
export interface StepSizes {
  /** Frames of full states that all peers together are sent before the event loop goes on; each is sent one at least. */
  readonly framesPerTurn: number;
  /** Live dots that are read before the event loop goes on. */
  readonly dotsPerTurn: number;
  /** Numbers of ranges in one frame. */
  readonly rangesPerFrame: number;
  /** Entries of a full state between two reports of progress. */
  readonly entriesPerReport: number;
}

/** All options with their defaults filled in, checked by `resolveReplicaOptions`. */
export type ReplicaSettings = Required<Omit<ReplicaOptions, "steps">> & { readonly steps: StepSizes };

const STEPS: StepSizes = {
  framesPerTurn: 2,
  dotsPerTurn: 50_000,
  rangesPerFrame: 8_000,
  entriesPerReport: 50_000,
};

const DEFAULTS = {
  flushIntervalMs: 5,
  heartbeatIntervalMs: 1_000,
  heartbeatFanout: 8,
  downAfterMs: 5_000,
  evictAfterMs: 1_200_000,
  probeIntervalMs: 100,
  pullTimeoutMs: 2_000,
  topicBytesMax: 255,
  keyBytesMax: 255,
  metaBytesMax: 8_192,
  broadcastBytesMax: 65_536,
  messageBytesMax: 16_777_216,
  messagePartsBytesMax: 134_217_728,
  messageTimeoutMs: 10_000,
  messagesWaitingBytesMax: 67_108_864,
  requestsMax: 10_000,
  interestsMax: 100_000,
  interestTimeoutMs: 1_000,
  entriesPerSessionMax: 100_000,
  entriesPerTopicMax: 1_000_000,
  entriesPerNodeMax: 1_000_000,
  sessionsMax: 1_000_000,
  diffIntervalMs: 0,
  diffIntervalEntries: 1_000,
  countIntervalMs: 100,
  watchersMax: 1_000_000,
  logSizeMax: 10_000,
  replicasMax: 1_024,
  pendingMax: 1_000_000,
  frameBytesTarget: 49_152,
  sweepEntriesMax: 2_000,
  syncsMax: 8,
  syncRangesMax: 4_000_000,
} as const satisfies Partial<ReplicaOptions>;

/** The defaults of all numeric options, for help texts. */
export const REPLICA_DEFAULTS: Readonly<Record<keyof typeof DEFAULTS, number>> = DEFAULTS;

/**
 * Fills in the defaults.
 *
 * @throws {InvalidArgumentError} for a value that cannot be used
 * @throws {ConfigurationError} for two values that contradict each other; names both
 */
export function resolveReplicaOptions(options: ReplicaOptions): ReplicaSettings {
  checkObject("options", options);
  if (typeof options.name !== "string" || !/^[A-Za-z0-9._:@-]{1,64}$/.test(options.name)) {
    throw new InvalidArgumentError("name", "must be 1 to 64 letters, digits, or one of . _ : @ -");
  }
  checkInteger("incarnation", options.incarnation, 0);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const random = options.random ?? seededRandom(`${options.name}@${options.incarnation}`);
  const steps = { ...STEPS, ...options.steps };
  const settings: ReplicaSettings = { ...DEFAULTS, ...(given as ReplicaOptions), random, steps };
  checkFunction("random", random);
  for (const [step, size] of Object.entries(steps)) checkInteger(`steps.${step}`, size, 1);
  for (const option of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    checkInteger(
      option,
      settings[option],
      option === "flushIntervalMs" || option === "diffIntervalMs" ? 0 : 1,
    );
  }
  const { flushIntervalMs, heartbeatIntervalMs, downAfterMs, evictAfterMs } = settings;
  if (flushIntervalMs > heartbeatIntervalMs) {
    throw new ConfigurationError(
      `flushIntervalMs (${flushIntervalMs}) must not exceed heartbeatIntervalMs (${heartbeatIntervalMs})`,
    );
  }
  if (downAfterMs < 2 * heartbeatIntervalMs) {
    throw new ConfigurationError(
      `downAfterMs (${downAfterMs}) must be at least twice heartbeatIntervalMs (${heartbeatIntervalMs})`,
    );
  }
  if (evictAfterMs <= downAfterMs) {
    throw new ConfigurationError(`evictAfterMs (${evictAfterMs}) must exceed downAfterMs (${downAfterMs})`);
  }
  return settings;
}

/** Mulberry32: enough for choosing gossip partners, and the same on every machine. */
export function seededRandom(seed: string): () => number {
  let state = 0;
  for (let index = 0; index < seed.length; index++)
    state = (Math.imul(state, 31) + seed.charCodeAt(index)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
