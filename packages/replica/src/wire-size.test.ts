/** How many bytes changes take on the wire. The bounds are generous: what they are today is printed by `PRINT=1`. */
import { expect, test } from "vitest";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { type Message, Replica, type Session } from "./index.ts";

const CHANGES = 1_000;
const TOPICS = 100;

/** A replica with one peer, and the bytes of all deltas that it was sent. */
class Sender {
  readonly frames: Uint8Array[] = [];
  private readonly replica = new Replica(
    { name: "node-1", incarnation: 1_763_000_000_000 },
    {
      send: (_peers, message) => this.take(message),
      sendFrame: () => undefined,
      congested: () => false,
      redial: () => undefined,
      refuse: () => undefined,
      wake: () => undefined,
      renamed: () => undefined,
      superseded: () => undefined,
      notice: () => undefined,
    },
  );
  readonly session: Session = this.replica.session();
  private now = 0;

  constructor() {
    this.replica.tick(0);
    this.replica.peerUp("node-2@1763000000001" as never, 0);
  }

  /** Long enough after the last one for the next. */
  private flush(): void {
    this.now += this.replica.settings.flushIntervalMs;
    this.replica.tick(this.now);
  }

  private take(message: Message): void {
    if (message.type === "delta") this.frames.push(encodeMessage(message));
  }

  track(index: number, status: string): void {
    const meta = { name: `User ${index}`, online_at: 1_763_000_000_000 + index * 37, status };
    this.session.track(`room:${index % TOPICS}`, `user-${index}`, meta);
  }

  untrack(index: number): void {
    expect(this.session.untrack(`room:${index % TOPICS}`, `user-${index}`)).toBe(true);
  }

  /** Bytes that the deltas of `work` take. */
  bytesOf(work: () => void): number {
    this.flush();
    this.frames.length = 0;
    work();
    this.flush();
    for (const frame of this.frames) expect(decodeMessage(frame)!.type).toBe("delta");
    return this.frames.reduce((bytes, frame) => bytes + frame.length, 0);
  }
}

function thousand(work: (index: number) => void): () => void {
  return () => {
    for (let index = 0; index < CHANGES; index++) work(index);
  };
}

test("a change takes few bytes, and fewer in company", () => {
  const sender = new Sender();
  const one = sender.bytesOf(() => sender.track(0, "online"));
  const joins = sender.bytesOf(thousand((index) => sender.track(index + 1, "online"))) / CHANGES;
  const updates = sender.bytesOf(thousand((index) => sender.track(index + 1, "away"))) / CHANGES;
  sender.bytesOf(thousand((index) => sender.track(index + CHANGES + 1, "online")));
  // Of every second one, so that their numbers are no single run.
  const leaves = sender.bytesOf(thousand((index) => sender.untrack(2 * index + 1))) / CHANGES;
  if (process.env.PRINT) process.stdout.write(`${JSON.stringify({ one, joins, updates, leaves })}\n`);
  expect(one).toBeLessThan(130);
  expect(joins).toBeLessThan(45);
  expect(updates).toBeLessThan(50);
  expect(leaves).toBeLessThan(4);
});

test("frames of changes stay small, however many are made at once", () => {
  const sender = new Sender();
  sender.bytesOf(() => {
    for (let index = 0; index < 20_000; index++) sender.track(index, "online");
    sender.session.close();
  });
  for (const frame of sender.frames) expect(frame.length).toBeLessThan(65_536);
});
