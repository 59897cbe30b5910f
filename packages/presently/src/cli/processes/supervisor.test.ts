import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { FromWorker, ToWorker } from "./messages.ts";
import type { WorkerProcess } from "./seat.ts";
import { SUPERVISION, Supervisor } from "./supervisor.ts";

/** A process that does what the test says. */
class FakeWorker implements WorkerProcess {
  readonly pid = 1;
  readonly slot: number;
  readonly told: ToWorker[] = [];
  readonly signals: string[] = [];
  say: (message: FromWorker) => void = () => undefined;
  exit: (code: number | null, signal: string | null) => void = () => undefined;

  constructor(slot: number) {
    this.slot = slot;
  }

  send(message: ToWorker): void {
    this.told.push(message);
  }

  kill(signal: "SIGKILL"): void {
    this.signals.push(signal);
    this.exit(null, signal);
  }

  onMessage(listener: (message: FromWorker) => void): void {
    this.say = listener;
  }

  onExit(listener: (code: number | null, signal: string | null) => void): void {
    this.exit = listener;
  }

  /** The types of what it was told, but for news of the group. */
  get orders(): string[] {
    return this.told.map(({ type }) => type).filter((type) => type !== "group");
  }

  get groupNotReady(): string | undefined {
    return this.told.findLast((message) => message.type === "group")?.notReady;
  }
}

let forked: FakeWorker[] = [];
const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const turn = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  forked = [];
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function supervise(processes: number): Supervisor {
  return new Supervisor({
    processes,
    nameOf: (slot) => `n-${slot}`,
    fork: (slot) => {
      const worker = new FakeWorker(slot);
      forked.push(worker);
      return worker;
    },
    directory: "/d",
    secret: "s",
    log: silent,
  });
}

function beUp(worker: FakeWorker): void {
  worker.say({ type: "up", meshUrl: `ws://m:${worker.slot}`, httpUrl: "http://h:1" });
}

async function running(processes: number): Promise<Supervisor> {
  const supervisor = supervise(processes);
  const started = supervisor.start();
  for (const worker of forked) {
    worker.say({ type: "loaded" });
    await turn();
    beUp(worker);
    await turn();
    worker.say({ type: "ready" });
  }
  await started;
  return supervisor;
}

describe("processes", () => {
  test("load at once, and enter one after the other, knowing those before them", async () => {
    const supervisor = supervise(3);
    const started = supervisor.start();
    expect(forked).toHaveLength(3);
    for (const worker of forked) worker.say({ type: "loaded" });
    for (const [index, worker] of forked.entries()) {
      await turn();
      expect(forked.map(({ orders }) => orders.length)).toEqual(
        forked.map((_, other) => (other <= index ? 1 : 0)),
      );
      expect(worker.told[0]).toMatchObject({
        type: "start",
        orders: { slot: index + 1, siblings: forked.slice(0, index).map(({ slot }) => `ws://m:${slot}`) },
      });
      beUp(worker);
    }
    await started;
    expect(supervisor.httpUrl).toBe("http://h:1");
    expect(supervisor.up).toBe(true);
  });

  test("are ready when all are, and stay so while one of them starts anew", async () => {
    const supervisor = supervise(2);
    const started = supervisor.start();
    const [one, two] = forked as [FakeWorker, FakeWorker];
    one.say({ type: "loaded" });
    await turn();
    beUp(one);
    one.say({ type: "ready" });
    expect(one.groupNotReady).toBe("process 2 of 2 is not ready");
    two.say({ type: "loaded" });
    await turn();
    beUp(two);
    await started;
    two.say({ type: "ready" });
    expect([one.groupNotReady, two.groupNotReady]).toEqual([undefined, undefined]);
    two.exit(null, "SIGKILL");
    await vi.advanceTimersByTimeAsync(SUPERVISION.restartMaxMs);
    forked[2]!.say({ type: "loaded" });
    await turn();
    expect([one.groupNotReady, forked[2]!.groupNotReady]).toEqual([undefined, undefined]);
    expect(forked[2]!.told[0]).toMatchObject({ orders: { slot: 2, siblings: ["ws://m:1"] } });
  });

  test("that end again and again are started anew after longer and longer pauses", async () => {
    await running(1);
    const pauses: number[] = [];
    for (let life = 0; life < 12; life++) {
      const endedAt = performance.now();
      forked.at(-1)!.exit(1, null);
      const known = forked.length;
      while (forked.length === known) await vi.advanceTimersByTimeAsync(50);
      pauses.push(performance.now() - endedAt);
      forked.at(-1)!.say({ type: "loaded" });
      await turn();
      beUp(forked.at(-1)!);
    }
    expect(pauses.slice(0, 3)).toEqual([200, 400, 800]);
    expect(pauses.at(-1)).toBe(SUPERVISION.restartMaxMs);
    await vi.advanceTimersByTimeAsync(SUPERVISION.hungAfterMs - 1);
    forked.at(-1)!.say({ type: "alive" });
    await vi.advanceTimersByTimeAsync(SUPERVISION.steadyAfterMs - 1);
    forked.at(-1)!.exit(1, null);
    const known = forked.length;
    await vi.advanceTimersByTimeAsync(SUPERVISION.restartMinMs);
    expect(forked).toHaveLength(known + 1);
  });

  test("that stand still are killed, and started anew", async () => {
    await running(2);
    for (let beat = 0; beat < 2; beat++) {
      await vi.advanceTimersByTimeAsync(SUPERVISION.hungAfterMs - 1);
      forked[0]!.say({ type: "alive" });
      await turn();
    }
    expect([forked[0]!.signals, forked[1]!.signals]).toEqual([[], ["SIGKILL"]]);
    expect(forked[2]!.slot).toBe(2);
  });

  test("stop one after the other, and none takes connections meanwhile", async () => {
    const supervisor = await running(3);
    const stopped = supervisor.stop();
    await turn();
    expect(forked.map(({ orders }) => orders)).toEqual([
      ["start", "close", "stop"],
      ["start", "close"],
      ["start", "close"],
    ]);
    expect(forked[2]!.groupNotReady).toBe("the node is stopping");
    forked[0]!.exit(0, null);
    await turn();
    expect(forked[1]!.orders).toEqual(["start", "close", "stop"]);
    // One that does not stop is killed.
    await vi.advanceTimersByTimeAsync(SUPERVISION.stopMs);
    expect(forked[1]!.signals).toEqual(["SIGKILL"]);
    forked[2]!.exit(0, null);
    await stopped;
    expect(await supervisor.whenEnded).toEqual({ why: "stopped" });
    expect(forked).toHaveLength(3);
  });

  test("that never ran are not started again: all end", async () => {
    const supervisor = supervise(2);
    const started = supervisor.start();
    const [one, two] = forked as [FakeWorker, FakeWorker];
    one.say({ type: "loaded" });
    await turn();
    beUp(one);
    two.exit(2, null);
    await turn();
    one.exit(0, null);
    await started;
    expect(await supervisor.whenEnded).toEqual({ why: "failed", name: "n-2" });
    expect(one.orders).toEqual(["start", "close", "stop"]);
    expect(supervisor.up).toBe(false);
  });

  test("of which one has lost its name to another cluster of processes all end", async () => {
    const supervisor = await running(2);
    forked[0]!.say({ type: "superseded" });
    forked[0]!.exit(1, null);
    await turn();
    forked[1]!.exit(0, null);
    expect(await supervisor.whenEnded).toEqual({ why: "superseded", name: "n-1" });
    expect(forked).toHaveLength(2);
  });
});
