import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MirrorQueue } from "./mirror-queue.ts";
import type { SocketRecord } from "./records.ts";

const record = (socketId: string, lastUpdate: number): SocketRecord => ({
  socketId,
  userId: null,
  authToken: null,
  ip: null,
  origin: null,
  lastUpdate,
});

const steps = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant("put" as const), socket: fc.nat({ max: 3 }), channel: fc.nat({ max: 2 }) }),
    fc.record({
      type: fc.constant("gone" as const),
      socket: fc.nat({ max: 3 }),
      channel: fc.nat({ max: 2 }),
    }),
    fc.record({
      type: fc.constant("write" as const),
      count: fc.integer({ min: 1, max: 5 }),
      fails: fc.boolean(),
    }),
  ),
  { maxLength: 60, size: "max" },
);

describe("the queue of a mirror", () => {
  test("ends with a table that equals the records, whatever fails on the way", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const queue = new MirrorQueue(1_000);
        const records = new Map<string, number>();
        const table = new Map<string, number>();
        const write = (count: number, fails: boolean) => {
          const changes = queue.take(count);
          if (fails) queue.giveBack(changes);
          else
            for (const change of changes) {
              const name = `${change.socketId} ${change.channel}`;
              if (change.record === undefined) table.delete(name);
              else table.set(name, change.record.lastUpdate);
            }
        };
        let clock = 0;
        // What fails does so while more is said: the write is decided first, and given back later.
        for (const step of history) {
          if (step.type === "write") {
            write(step.count, step.fails);
            continue;
          }
          const socketId = `s${step.socket}`;
          const channel = `c${step.channel}`;
          clock++;
          if (step.type === "put") records.set(`${socketId} ${channel}`, clock);
          else records.delete(`${socketId} ${channel}`);
          queue.add({ socketId, channel, record: step.type === "put" ? record(socketId, clock) : undefined });
        }
        while (queue.size > 0) write(5, false);
        expect(table).toEqual(records);
      }),
    );
  });

  test("gives back nothing that is older than what was said meanwhile", () => {
    const queue = new MirrorQueue(10);
    queue.add({ socketId: "s", channel: "c", record: record("s", 1) });
    const taken = queue.take(1);
    queue.add({ socketId: "s", channel: "c", record: undefined });
    queue.giveBack(taken);
    expect(queue.take(10)).toEqual([{ socketId: "s", channel: "c", record: undefined }]);
  });

  test("stays within its bound, and counts what it missed", () => {
    const queue = new MirrorQueue(3);
    for (let index = 0; index < 10; index++)
      queue.add({ socketId: `s${index}`, channel: "c", record: undefined });
    expect([queue.size, queue.missed]).toEqual([3, 7]);
    queue.add({ socketId: "s0", channel: "c", record: record("s0", 1) });
    expect([queue.size, queue.missed]).toEqual([3, 7]);
  });
});
