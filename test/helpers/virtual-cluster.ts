/** The simulated cluster of the testkit as the tests of the replica like it: a network that is quick and never late. */
import { type Notice, type Outbox, Replica, type ReplicaOptions } from "@presently/replica";
import {
  SimulatedCluster,
  type SimulatedProcess,
  type StartOptions,
  WatchedTopic as Watched,
} from "@presently/testkit";

export interface ClusterOptions {
  readonly replica?: Partial<ReplicaOptions>;
  /** Of a frame, in the middle. Default 5. */
  readonly latencyMs?: number;
  readonly seed?: string;
  readonly topics?: readonly string[];
  /** How fast a link carries bytes. Default: as fast as they come. */
  readonly bytesPerMs?: number;
  /** A link with more bytes under way is congested until half of them have arrived. Default: never. */
  readonly bufferedBytesMax?: number;
}

export class VirtualCluster extends SimulatedCluster {
  /** Bytes of the largest frame so far. */
  largestFrame = 0;

  constructor(names: readonly string[], options: ClusterOptions = {}) {
    const { latencyMs = 5, seed = "cluster", bufferedBytesMax, bytesPerMs } = options;
    super([], {
      seed,
      strict: false,
      skewMaxMs: 0,
      driftMaxPpm: 0,
      ...(options.replica && { replica: options.replica }),
      ...(options.topics && { topics: options.topics }),
      network: {
        latencyMinMs: 1,
        latencyMaxMs: 2 * latencyMs,
        lateShare: 0,
        ...(bytesPerMs !== undefined && { bytesPerSecond: bytesPerMs * 1_000 }),
        // What a sender still holds is what counts: so nothing but one frame is out of its hands.
        ...(bufferedBytesMax === undefined
          ? { maxBufferedBytes: Number.POSITIVE_INFINITY }
          : { maxBufferedBytes: bufferedBytesMax, windowBytes: 1 }),
      },
    });
    this.observe({
      sent: (_, frame) => {
        this.largestFrame = Math.max(this.largestFrame, frame.length);
      },
    });
    for (const name of names) this.start(name);
  }

  /** Where its host is taken by another life of the node that still runs, it starts on another one. */
  override start(name: string, options: StartOptions | number = {}): SimulatedProcess {
    const given = typeof options === "number" ? { incarnation: options } : options;
    const there = this.processAt(name);
    const isTaken = there !== undefined && !there.ended && !there.leaving;
    return super.start(name, isTaken ? { host: `${name}/2`, ...given } : given);
  }
}

/** One watched topic, as an application sees it. */
export class WatchedTopic extends Watched {
  constructor(topic = "room:lobby") {
    super(topic, "a test");
  }

  /** Keys by reference. */
  get refs(): Map<string, string> {
    return new Map(Array.from(this.present.values(), ({ ref, key }) => [ref, key]));
  }
}

/** A replica with nobody around. It sends nothing that anybody would see, and time only passes by its `tick`. */
export function loneReplica(
  options: Partial<ReplicaOptions> = {},
  onNotice?: (notice: Notice) => void,
): Replica {
  const outbox: Outbox = {
    send: () => undefined,
    sendFrame: () => undefined,
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
