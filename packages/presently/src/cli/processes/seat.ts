/** What a supervisor knows of one process of its group, which outlives the operating system's processes that it has in turn. */
import type { Slot } from "./affinity.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** An operating-system process of the group. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  send(message: ToWorker): void;
  kill(signal: "SIGKILL"): void;
  /** Both are called once, right after it was made. */
  onMessage(listener: (message: FromWorker) => void): void;
  onExit(listener: (code: number | null, signal: string | null) => void): void;
}

/** One place of the group. The `on…` functions settle whoever waits for that step. */
export interface Seat {
  readonly slot: Slot;
  worker: WorkerProcess | undefined;
  meshUrl: string | undefined;
  /** Whether it was told what to run: before that it is told nothing else. */
  hasOrders: boolean;
  isUp: boolean;
  isReady: boolean;
  /** Whether it has been up at all: who never was is not started again and again. */
  hasBeenUp: boolean;
  upSinceMs: number;
  endedEarly: number;
  hung: NodeJS.Timeout | undefined;
  restart: NodeJS.Timeout | undefined;
  onLoaded: () => void;
  onUp: () => void;
  onGone: () => void;
}

/** Before the first process is started. */
export function emptySeat(slot: Slot): Seat {
  const nothing = () => undefined;
  return {
    slot,
    worker: undefined,
    meshUrl: undefined,
    hasOrders: false,
    isUp: false,
    isReady: false,
    hasBeenUp: false,
    upSinceMs: 0,
    endedEarly: 0,
    hung: undefined,
    restart: undefined,
    onLoaded: nothing,
    onUp: nothing,
    onGone: nothing,
  };
}
