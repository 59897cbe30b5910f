/** How a replica is driven: one timer, no call into the middle of another, and nothing after the end. */
import { describe, expect, test } from "vitest";
import { Endpoint, encodeMessage, type Message, replicaId } from "./index.ts";

const B = replicaId("b", 1);

class Driven {
  now = 0;
  tasks: { at: number; run: () => void }[] = [];
  readonly calls: string[] = [];
  readonly endpoint = new Endpoint({
    replica: { name: "a", incarnation: 1 },
    clock: {
      now: () => this.now,
      schedule: (delayMs, run) => {
        const task = { at: this.now + delayMs, run };
        this.tasks.push(task);
        return () => {
          this.tasks = this.tasks.filter((other) => other !== task);
        };
      },
    },
    transport: () => ({
      send: () => undefined,
      congested: () => false,
      redial: (peer) => this.calls.push(`redial ${peer}`),
      refuse: (peer, code) => this.calls.push(`refuse ${peer} ${code}`),
    }),
    onRenamed: (replica) => this.calls.push(`renamed ${replica}`),
  });

  advance(durationMs: number): void {
    const end = this.now + durationMs;
    for (;;) {
      const next = this.tasks.sort((one, other) => one.at - other.at)[0];
      if (next === undefined || next.at > end) break;
      this.tasks.shift();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  frame(message: Message): void {
    this.endpoint.frame(B, encodeMessage(message));
  }
}

function linked(): Driven {
  const driven = new Driven();
  driven.endpoint.start();
  driven.endpoint.peerUp(B);
  driven.advance(100);
  return driven;
}

describe("an endpoint", () => {
  test("has one timer, whatever it is told, and at most one call at the end of the turn", () => {
    const driven = linked();
    const session = driven.endpoint.replica.session();
    for (let counter = 1; counter < 50; counter++) {
      driven.frame({ type: "heartbeat", counter, heard: [], digestHash: 0, digest: undefined });
      session.track("t", `${counter}`);
      const soon = driven.tasks.filter(({ at }) => at === driven.now);
      expect([soon.length, driven.tasks.length - soon.length]).toEqual([1, 1]);
      driven.advance(7);
    }
  });

  test("asks its transport for nothing while it is being told something", () => {
    const driven = linked();
    driven.endpoint.peerDown(B);
    expect(driven.calls).toEqual([]);
    driven.advance(0);
    expect(driven.calls).toEqual([`redial ${B}`]);
  });

  test("wakes in time for what a message has made due", () => {
    const driven = linked();
    driven.frame({ type: "leave", replica: B, handoffMs: 20 });
    driven.advance(20);
    expect(driven.endpoint.cluster().map(({ replica }) => replica)).toEqual(["a@1"]);
  });

  test("refuses a peer that sends no message, and stays as it was", () => {
    const driven = linked();
    driven.endpoint.frame(B, Uint8Array.from([1, 17, 0xc0]));
    driven.endpoint.frame(B, Uint8Array.from([2, 17]));
    expect(driven.calls).toEqual([`refuse ${B} BAD_FRAME`, `refuse ${B} BAD_VERSION`]);
    expect(driven.endpoint.cluster()).toHaveLength(2);
  });

  test("does nothing any more once it is closed, and stays readable", () => {
    const driven = linked();
    driven.endpoint.replica.session().track("t", "alice");
    driven.endpoint.peerDown(B);
    driven.endpoint.close();
    driven.endpoint.close();
    driven.advance(60_000);
    expect(driven.calls).toEqual([]);
    expect(driven.tasks).toEqual([]);
    expect(driven.endpoint.replica.count("t")).toEqual({ keys: 1, entries: 1 });
  });
});

test("a function that listens to a channel twice hears everything twice, and each ends for itself", () => {
  const { replica } = linked().endpoint;
  let calls = 0;
  const listener = () => void calls++;
  const ends = [replica.onBroadcast("c", listener), replica.onBroadcast("c", listener)];
  replica.broadcast("c", 1);
  expect(calls).toBe(2);
  ends[0]!();
  ends[0]!();
  replica.broadcast("c", 1);
  expect(calls).toBe(3);
});
