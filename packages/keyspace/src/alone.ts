/** A messenger with nobody to talk to, for a key space in one process; and the machine's own clock. */
import { performance } from "node:perf_hooks";
import { InvalidArgumentError, type ReplicaId } from "presently";
import { checkFunction } from "presently/drop-in";
import type { KeyspaceClock, Messenger } from "./messenger.ts";

/** Tells its own listeners of broadcasts, and carries nothing. Needs no node, no port and no timer. */
export function aloneMessenger(): Messenger {
  const replica = "alone@1" as ReplicaId;
  const broadcasts = new Map<string, Set<(payload: unknown, from: ReplicaId) => void>>();
  return {
    replica,
    broadcast(channel, payload) {
      for (const listener of [...(broadcasts.get(channel) ?? [])]) listener(payload, replica);
    },
    onBroadcast(channel, listener) {
      checkFunction("listener", listener);
      const listeners = broadcasts.get(channel) ?? new Set();
      broadcasts.set(channel, listeners);
      const own: typeof listener = (payload, from) => listener(payload, from);
      listeners.add(own);
      return () => listeners.delete(own);
    },
    send: () => false,
    onMessage: () => () => undefined,
    request: (to) => Promise.reject(new Error(`nobody is there but ourselves, and ${to} is asked`)),
    onRequest: () => () => undefined,
    onReplica: () => () => undefined,
    cluster: () => [{ replica, status: "self", linked: false }],
    whenReady: () => Promise.resolve(),
  };
}

/** Real time. Its timers do not keep the process alive. */
export const machineClock: KeyspaceClock = {
  now: () => performance.now(),
  wallMs,
  random: () => Math.random(),
  schedule(delayMs, run) {
    checkFunction("run", run);
    if (typeof delayMs !== "number") throw new InvalidArgumentError("delayMs", "must be a number");
    if (delayMs <= 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    // Longer than a timer can be set for is soon enough to look again.
    const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1)).unref();
    return () => clearTimeout(timer);
  },
};

let offsetMs = performance.timeOrigin;

/** The wall clock with fractions of a millisecond, in which one process may write many times and another then once. */
function wallMs(): number {
  const wholeMs = Date.now();
  const preciseMs = performance.now() + offsetMs;
  if (preciseMs >= wholeMs - 1 && preciseMs < wholeMs + 2) return preciseMs;
  // The wall clock was set, or has drifted from the monotonic one.
  offsetMs = wholeMs - performance.now();
  return wholeMs;
}
