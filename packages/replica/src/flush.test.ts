/** When do local changes go out? */
import { beforeEach, describe, expect, test } from "vitest";
import { decodeMessage, Endpoint, replicaId } from "./index.ts";

const B = replicaId("b", 1);
const INTERVAL = 5;

let now: number;
let tasks: { at: number; run: () => void }[];
/** When a delta went out, and with how many joins. */
let sent: [atMs: number, joins: number][];
let endpoint: Endpoint;
let people: number;

beforeEach(() => {
  [now, tasks, sent, people] = [0, [], [], 0];
  endpoint = new Endpoint({
    replica: {
      name: "a",
      incarnation: 1,
      flushIntervalMs: INTERVAL,
      heartbeatIntervalMs: 60_000,
      downAfterMs: 120_000,
    },
    clock: {
      now: () => now,
      schedule: (delayMs, run) => {
        const task = { at: now + delayMs, run };
        tasks.push(task);
        return () => {
          tasks = tasks.filter((other) => other !== task);
        };
      },
    },
    transport: () => ({
      send: (_peer, frame) => {
        const message = decodeMessage(frame);
        if (message?.type === "delta") sent.push([now, message.delta.numbers.length]);
      },
      congested: () => false,
      redial: () => undefined,
      refuse: () => undefined,
    }),
  });
  endpoint.start();
  endpoint.peerUp(B);
  advance(100);
});

function advance(durationMs: number): void {
  const end = now + durationMs;
  for (;;) {
    const next = tasks.sort((one, other) => one.at - other.at)[0];
    if (next === undefined || next.at > end) break;
    tasks.shift();
    now = next.at;
    next.run();
  }
  now = end;
}

function track(): void {
  endpoint.replica.session().track("room", `person ${people++}`);
}

describe("local changes", () => {
  test("go out with their turn after a quiet time, all of one turn together", () => {
    track();
    track();
    expect(sent).toEqual([]);
    advance(0);
    expect(sent).toEqual([[100, 2]]);
  });

  test("go out together, once in a flush interval, while there are many", () => {
    for (let ms = 0; ms < 12; ms++) {
      track();
      advance(1);
    }
    advance(2 * INTERVAL);
    expect(sent).toEqual([
      [100, 1],
      [105, 4],
      [110, 5],
      [115, 2],
    ]);
  });

  test("wait for nothing once the flush interval is over", () => {
    track();
    advance(INTERVAL);
    track();
    advance(0);
    expect(sent).toEqual([
      [100, 1],
      [105, 1],
    ]);
  });
});

test("a heartbeat claims nothing that was not sent before it", () => {
  const replica = new Endpoint({
    replica: {
      name: "a",
      incarnation: 1,
      flushIntervalMs: 50,
      heartbeatIntervalMs: 1_000,
      random: () => 0.03,
    },
    clock: { now: () => now, schedule: () => () => undefined },
    transport: () => ({
      send: (_peer, frame) => {
        const message = decodeMessage(frame);
        if (message?.type === "delta") told = message.delta.to;
        if (message?.type === "heartbeat")
          claims.push([message.digest?.find((summary) => summary.replica === "a@1")?.vector ?? 0, told]);
      },
      congested: () => false,
      redial: () => undefined,
      refuse: () => undefined,
    }),
  }).replica;
  let told = 0;
  const claims: [claimed: number, told: number][] = [];
  const session = replica.session();
  replica.tick(0);
  replica.peerUp(B, 0);
  for (let at = 10; at <= 3_100; at += 10) {
    session.track("room", `person ${at}`);
    replica.tick(at);
  }
  expect(claims.length).toBeGreaterThan(3);
  for (const [claimed, told] of claims) expect(claimed).toBeLessThanOrEqual(told);
});
