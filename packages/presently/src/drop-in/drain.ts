/** Sends the clients of a server to other nodes, not all at once: they would all come there at once. */
import { InvalidArgumentError } from "@presently/replica";

/** How to drain. */
export interface DrainOptions {
  /** Connections that are closed at a time. Default 1,000. */
  readonly batchSize?: number;
  /** Pause between two batches. Default 100. */
  readonly intervalMs?: number;
}

/** What is drained. */
export interface Drained<Connection> {
  /** No new connections are taken from here on. */
  readonly begin: () => void;
  /** Those that are open. */
  readonly connections: () => readonly Connection[];
  /** Takes one out of them. */
  readonly sendAway: (connection: Connection) => void;
}

/**
 * Sends all away, a batch at a time; settles when nobody is left.
 *
 * @throws {InvalidArgumentError} for an empty batch; nothing has begun then
 */
export async function drain<Connection>(
  { begin, connections, sendAway }: Drained<Connection>,
  { batchSize = 1_000, intervalMs = 100 }: DrainOptions = {},
): Promise<void> {
  if (!(batchSize >= 1)) throw new InvalidArgumentError("batchSize", "must be at least 1");
  begin();
  for (;;) {
    const open = connections();
    for (const connection of open.slice(0, batchSize)) sendAway(connection);
    if (open.length <= batchSize) return;
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
