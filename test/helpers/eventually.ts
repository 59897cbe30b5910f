/** Waits for a condition instead of for a time. */
import { setTimeout as delay } from "node:timers/promises";

/** How long to try, and what for. */
export interface EventuallyOptions {
  /** When to give up; generous, because nothing is gained by giving up early. Default 20,000. */
  readonly timeoutMs?: number;
  /** Between two attempts. Default 25. */
  readonly intervalMs?: number;
  /** What is awaited, for the error: "all nodes agree". */
  readonly what?: string;
}

/**
 * Calls `check` until it does not throw (or reject), and gives what it returned. An `expect` that fails throws, so does
 * everything else that says "not yet".
 *
 * @throws the last error of `check`, under a heading that says what was awaited, after `timeoutMs`
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<T> {
  const { timeoutMs = 20_000, intervalMs = 25, what = "the condition" } = options;
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpAt) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`${what} did not come true within ${timeoutMs} ms: ${reason}`, { cause: error });
      }
    }
    await delay(intervalMs);
  }
}
