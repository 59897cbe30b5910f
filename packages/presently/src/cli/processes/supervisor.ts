/** Keeps the processes of a group running: starts them, starts those anew that end, and stops all, one after the other. */
import type { Log } from "../../logger.ts";
import type { Slot } from "./affinity.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { emptySeat, type Seat, type WorkerProcess } from "./seat.ts";

export interface SupervisorOptions {
  readonly processes: number;
  readonly nameOf: (slot: Slot) => string;
  readonly fork: (slot: Slot) => WorkerProcess;
  /** Of the group's Unix sockets. */
  readonly directory: string;
  readonly secret: string;
  readonly log: Log;
  /** Defaults are those of `SUPERVISION`. */
  readonly times?: Partial<typeof SUPERVISION>;
}

/** Durations in ms. */
export const SUPERVISION = {
  /** Pause before a process is started anew; doubled with each that ended early, up to `restartMaxMs`. */
  restartMinMs: 100,
  restartMaxMs: 10_000,
  /** A process that ran for so long did not end early. */
  steadyAfterMs: 30_000,
  /** A process that stands still for so long is killed, and started anew. */
  hungAfterMs: 30_000,
  /** How long a process may take to stop. */
  stopMs: 10_000,
};

/** How the group ended: as it was told to, or because of a process that cannot run. */
export type GroupEnd =
  | { readonly why: "stopped" }
  | { readonly why: "superseded"; readonly name: string }
  | { readonly why: "failed"; readonly name: string };

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #times: typeof SUPERVISION;
  readonly #seats: readonly Seat[];
  #hasBeenReady = false;
  #httpUrl: string | undefined;
  #stopping: Promise<void> | undefined;
  #end: GroupEnd | undefined;
  #announceEnd: (end: GroupEnd) => void = () => undefined;
  /** Settles when all processes are gone for good. */
  readonly whenEnded: Promise<GroupEnd>;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#times = { ...SUPERVISION, ...options.times };
    this.#seats = Array.from({ length: options.processes }, (_, index) => emptySeat(index + 1));
    this.whenEnded = new Promise((resolve) => {
      this.#announceEnd = resolve;
    });
  }

  /** Whether all processes are up now. */
  get up(): boolean {
    return this.#seats.every(({ isUp }) => isUp);
  }

  /** The address that the processes share, once one of them is up. */
  get httpUrl(): string | undefined {
    return this.#httpUrl;
  }

  /**
   * Starts all processes, and settles when they are up, or the group has ended. They load at the same time, and enter the
   * mesh one after the other: so each knows where those before it are.
   */
  async start(): Promise<void> {
    const loaded = this.#seats.map((seat) => this.#load(seat));
    for (const [index, seat] of this.#seats.entries()) {
      await loaded[index];
      if (this.#stopping !== undefined) return;
      await this.#enter(seat);
    }
  }

  /** Stops one process after the other; further calls give the same promise. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll({ why: "stopped" });
    return this.#stopping;
  }

  /** Ends all processes at once, without a goodbye. */
  kill(): void {
    for (const { worker } of this.#seats) worker?.kill("SIGKILL");
  }

  /** Settles when the process is there to be told what to do, or is gone. */
  #load(seat: Seat): Promise<void> {
    return new Promise((resolve) => {
      seat.onLoaded = resolve;
      const worker = this.#options.fork(seat.slot);
      seat.worker = worker;
      worker.onMessage((message) => this.#hear(seat, message));
      worker.onExit((code, signal) => this.#exited(seat, code, signal));
    });
  }

  /** Settles when the process is up, or is gone. */
  #enter(seat: Seat): Promise<void> {
    return new Promise((resolve) => {
      if (seat.worker === undefined) {
        resolve();
        return;
      }
      seat.onUp = resolve;
      seat.hasOrders = true;
      const { processes, directory, secret } = this.#options;
      const siblings = this.#seats.flatMap(({ isUp, meshUrl }) =>
        isUp && meshUrl !== undefined ? [meshUrl] : [],
      );
      seat.worker.send({
        type: "start",
        orders: { slot: seat.slot, processes, siblings, directory, secret },
      });
      seat.worker.send(this.#groupState());
    });
  }

  #hear(seat: Seat, message: FromWorker): void {
    const { log, nameOf } = this.#options;
    this.#watchOver(seat);
    switch (message.type) {
      case "loaded":
        seat.onLoaded();
        break;
      case "up":
        seat.meshUrl = message.meshUrl;
        seat.isUp = true;
        seat.hasBeenUp = true;
        seat.upSinceMs = performance.now();
        this.#httpUrl ??= message.httpUrl;
        seat.onUp();
        break;
      case "ready":
        seat.isReady = true;
        this.#noteReady();
        break;
      case "superseded":
        log.error({ process: nameOf(seat.slot) }, `another process runs under the name ${nameOf(seat.slot)}`);
        this.#giveUp({ why: "superseded", name: nameOf(seat.slot) });
        break;
      case "alive":
        break;
    }
  }

  #noteReady(): void {
    if (!this.#hasBeenReady) this.#hasBeenReady = this.#seats.every(({ isReady }) => isReady);
    this.#tellAll(this.#groupState());
  }

  #groupState(): ToWorker {
    const behind = this.#seats.find(({ isReady }) => !isReady);
    let notReady: string | undefined;
    if (this.#stopping !== undefined) notReady = "the node is stopping";
    // Afterwards those that are ready do the work of one that is not: connections come to it only when it is up.
    else if (!this.#hasBeenReady && behind !== undefined)
      notReady = `process ${behind.slot} of ${this.#options.processes} is not ready`;
    return { type: "group", notReady };
  }

  #tellAll(message: ToWorker): void {
    for (const { worker, hasOrders } of this.#seats) if (hasOrders) worker?.send(message);
  }

  #exited(seat: Seat, code: number | null, signal: string | null): void {
    const { log, nameOf } = this.#options;
    const [name, wasUp] = [nameOf(seat.slot), seat.isUp];
    const ranMs = performance.now() - seat.upSinceMs;
    clearTimeout(seat.hung);
    Object.assign(seat, {
      worker: undefined,
      hasOrders: false,
      isUp: false,
      isReady: false,
      hung: undefined,
    });
    seat.onLoaded();
    seat.onUp();
    seat.onGone();
    if (this.#stopping !== undefined) return;
    if (!seat.hasBeenUp) {
      log.error({ process: name, code, signal }, `process ${name} cannot be started`);
      this.#giveUp({ why: "failed", name });
      return;
    }
    seat.endedEarly = wasUp && ranMs >= this.#times.steadyAfterMs ? 0 : seat.endedEarly + 1;
    const { restartMinMs, restartMaxMs } = this.#times;
    const inMs = Math.min(restartMaxMs, restartMinMs * 2 ** Math.min(seat.endedEarly, 20));
    log.error({ process: name, code, signal, inMs }, `process ${name} has ended: it is started anew`);
    seat.restart = setTimeout(() => {
      void this.#load(seat).then(() => (this.#stopping === undefined ? this.#enter(seat) : undefined));
    }, inMs);
  }

  /** Whoever says nothing for long stands still, and connections that came to it wait for nothing. */
  #watchOver(seat: Seat): void {
    clearTimeout(seat.hung);
    if (seat.worker === undefined) return;
    const { hungAfterMs } = this.#times;
    const { worker, slot } = seat;
    seat.hung = setTimeout(() => {
      const name = this.#options.nameOf(slot);
      this.#options.log.error({ process: name, hungAfterMs }, `process ${name} stands still: it is killed`);
      worker.kill("SIGKILL");
    }, hungAfterMs);
    seat.hung.unref();
  }

  #giveUp(end: GroupEnd): void {
    this.#stopping ??= this.#stopAll(end);
  }

  /** New connections are refused at once, so that nobody who is sent away comes back to a process that stops next. */
  async #stopAll(end: GroupEnd): Promise<void> {
    // The caller has to know that it stops before it does.
    await Promise.resolve();
    for (const seat of this.#seats) clearTimeout(seat.restart);
    this.#tellAll(this.#groupState());
    this.#tellAll({ type: "close" });
    for (const seat of this.#seats) await this.#stopOne(seat);
    this.#end ??= end;
    this.#announceEnd(this.#end);
  }

  #stopOne(seat: Seat): Promise<void> {
    const { worker, slot } = seat;
    if (worker === undefined) return Promise.resolve();
    clearTimeout(seat.hung);
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        const name = this.#options.nameOf(slot);
        this.#options.log.error({ process: name }, `process ${name} does not stop: it is killed`);
        worker.kill("SIGKILL");
      }, this.#times.stopMs);
      seat.onGone = () => {
        clearTimeout(late);
        resolve();
      };
      if (seat.hasOrders) worker.send({ type: "stop" });
      else worker.kill("SIGKILL");
    });
  }
}
