import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeEvent, heartbeatComment } from "../http/event-stream.ts";
import { readEvents, type ServerEvent } from "./server-events.ts";

describe("server-sent events", () => {
  test("arrive as they were sent, however the bytes were cut", async () => {
    const event = fc.record({
      event: fc.constantFrom("state", "diff"),
      id: fc.nat(),
      data: fc.json(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event), fc.integer({ min: 1, max: 9 }), async (sent, size) => {
        const bytes = Buffer.concat(sent.map(({ event, id, data }) => encodeEvent(event, id, data)));
        const received: ServerEvent[] = [];
        for await (const one of readEvents(piecesOf(bytes, size))) received.push(one);
        expect(received).toEqual(sent.map(({ event, id, data }) => ({ event, id: String(id), data })));
      }),
    );
  });

  test("tell a heartbeat from an event", async () => {
    const received: string[] = [];
    for await (const { event } of readEvents(piecesOf(Buffer.from(heartbeatComment), 2)))
      received.push(event);
    expect(received).toEqual(["comment"]);
  });
});

async function* piecesOf(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
