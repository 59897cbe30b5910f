/**
 * Sends the clients of a server to other nodes, not all at once: they would all come there at once.
 *
 * A drain is the beginning of a hand-off. What a client has tracked stays here for `handoffMs` from when it is sent away,
 * and is taken over by the node to which it comes, so that nobody counts it twice or sees it go.
 */
import { checkInteger, checkObject, checkOptions } from "@presently/replica";

/** A drain takes at most this many batches, unless it is told how large they are. */
const BATCHES_MAX = 50;

/** The least number of connections in a batch, unless it is told. */
const BATCH_SIZE = 1_000;

/** How to drain. */
export interface DrainOptions {
  /** Connections that are closed at a time. Default 1,000, or a fiftieth of all if that is more. */
  readonly batchSize?: number;
  /** Pause between two batches. Default 100 ms. */
  readonly intervalMs?: number;
  /**
   * How long what a client has tracked waits for it to come back, at any node. Default 10,000, or the node's `handoffMs` if
   * that is not 0. `stop` hands off for as long, unless it is told otherwise.
   */
  readonly handoffMs?: number;
}

/** What is drained. */
export interface Drained<Connection> {
  /** No new connections are taken from here on. */
  readonly begin: () => void;
  /** Those that are open. */
  readonly connections: () => readonly Connection[];
  /** Takes some out of them. What they track lingers for `handoffMs`. */
  readonly sendAway: (connections: readonly Connection[], handoffMs: number) => void;
}

/** What a drain needs of its node. */
export interface DrainingNode {
  handOffFor(handoffMs: number | undefined): number;
  onDrain(drainer: (options: DrainOptions) => Promise<void>): () => void;
}

/**
 * For a server whose clients stay until the node stops, and come back elsewhere then: a drain sends nobody away, but the stop
 * after it hands off. Returns what ends that.
 */
export function handOffOnDrain(node: DrainingNode): () => void {
  checkObject("node", node, ["onDrain"]);
  return node.onDrain(async ({ handoffMs }) => void node.handOffFor(handoffMs));
}

/**
 * Sends all away, a batch at a time; settles when nobody is left.
 *
 * @throws {InvalidArgumentError} for an option that cannot be used; nothing has begun then
 */
export async function drain<Connection>(
  node: Pick<DrainingNode, "handOffFor">,
  drained: Drained<Connection>,
  options: DrainOptions = {},
): Promise<void> {
  checkObject("node", node, ["handOffFor"]);
  checkObject("drained", drained, ["begin", "connections", "sendAway"]);
  checkDrainOptions(options);
  const { begin, connections, sendAway } = drained;
  const { batchSize, intervalMs = 100, handoffMs } = options;
  const lingerMs = node.handOffFor(handoffMs);
  begin();
  const size = batchSize ?? Math.max(BATCH_SIZE, Math.ceil(connections().length / BATCHES_MAX));
  for (;;) {
    const open = connections();
    sendAway(open.slice(0, size), lingerMs);
    if (open.length <= size) return;
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** @throws {InvalidArgumentError} for an option that cannot be used */
export function checkDrainOptions(options: DrainOptions): void {
  checkOptions(options, ["batchSize", "intervalMs", "handoffMs"]);
  const { batchSize = 1, intervalMs = 0, handoffMs = 0 } = options;
  checkInteger("batchSize", batchSize, 1);
  checkInteger("intervalMs", intervalMs, 0);
  checkInteger("handoffMs", handoffMs, 0);
}
