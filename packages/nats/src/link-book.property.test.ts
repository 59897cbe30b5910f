import fc from "fast-check";
import type { ReplicaId } from "presently";
import { describe, expect, test } from "vitest";
import { decodeEnvelope, type Envelope, encodeEnvelope, type Hello } from "./envelope.ts";
import { LinkBook } from "./link-book.ts";

/** Nodes on a medium that keeps the order of each sender, and loses what it is told to lose. */
class Medium {
  readonly nodes: Party[];
  private names = 0;
  private readonly queues = new Map<string, Uint8Array[]>();
  /** What a server that stood still may deliver once more: greetings, and who they were for; to their sender as well. */
  private readonly greetings: { to: ReplicaId | undefined; data: Uint8Array }[] = [];

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, index) => new Party(`n${index}@1` as ReplicaId, this));
  }

  newName(): string {
    this.names++;
    return this.names.toString(16).padStart(8, "0").repeat(2);
  }

  post(from: ReplicaId, to: ReplicaId, message: Envelope): void {
    const key = `${from} ${to}`;
    const queue = this.queues.get(key) ?? [];
    queue.push(encodeEnvelope(message));
    this.queues.set(key, queue);
    if (message.type === "open") this.greetings.push({ to, data: encodeEnvelope(message) });
  }

  /** An old greeting comes again. */
  replay(nth: number, receiver: Party): void {
    const possible = this.greetings.filter(({ to }) => to === undefined || to === receiver.id);
    const greeting = possible[nth % Math.max(1, possible.length)];
    if (greeting !== undefined) receiver.take(decodeEnvelope(greeting.data)!);
  }

  publish(from: ReplicaId, message: Envelope): void {
    if (message.type === "hello") this.greetings.push({ to: undefined, data: encodeEnvelope(message) });
    for (const { id } of this.nodes) if (id !== from) this.post(from, id, message);
  }

  /** The next message from one to another arrives, or is lost. */
  step(from: number, to: number, lost: boolean): void {
    const [sender, receiver] = [this.nodes[from]!, this.nodes[to]!];
    const data = this.queues.get(`${sender.id} ${receiver.id}`)?.shift();
    if (data !== undefined && !lost) receiver.take(decodeEnvelope(data)!);
  }

  /** Everything arrives, for as long as anything is under way; fails if that never ends. */
  settle(): void {
    for (let steps = 0; [...this.queues.values()].some((queue) => queue.length > 0); steps++) {
      expect(steps, "the two ends go on answering each other").toBeLessThan(2_000);
      for (let from = 0; from < this.nodes.length; from++)
        for (let to = 0; to < this.nodes.length; to++) this.step(from, to, false);
    }
  }
}

class Party {
  readonly id: ReplicaId;
  readonly book: LinkBook;
  /** Of each peer whose link is up: the frames that came over it. */
  readonly heard = new Map<ReplicaId, number[]>();
  /** What each finished link had brought. */
  readonly finished: number[][] = [];
  private sent = 0;

  constructor(id: ReplicaId, medium: Medium) {
    this.id = id;
    this.book = new LinkBook(id, 10, {
      newName: () => medium.newName(),
      post: (to, message) => medium.post(id, to, message),
      publish: (message) => medium.publish(id, message),
      up: (peer) => {
        expect(this.heard.has(peer), "up twice").toBe(false);
        this.heard.set(peer, []);
      },
      down: (peer) => {
        expect(this.heard.has(peer), "down without up").toBe(true);
        this.finished.push(this.heard.get(peer)!);
        this.heard.delete(peer);
      },
      frame: (peer, frame) => this.heard.get(peer)!.push(Buffer.from(frame).readUInt32BE(0)),
      idTaken: () => expect.unreachable(),
      full: () => expect.unreachable(),
    });
  }

  take(message: Envelope): void {
    if (message.type === "hello") this.book.heard(message);
    else if (message.type === "open") this.book.opened(message);
    else if (message.type === "direct") this.book.receiveDirect(message);
    else if (message.type === "published") this.book.receivePublished(message);
    else this.book.closed(message);
  }

  /** A frame with a number that grows with each. */
  next(): Uint8Array {
    const frame = new Uint8Array(4);
    new DataView(frame.buffer).setUint32(0, ++this.sent);
    return frame;
  }
}

const NODES = 3;
const node = fc.nat({ max: NODES - 1 });
const steps = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        type: fc.constant("arrive" as const),
        from: node,
        to: node,
        lost: fc.boolean(),
      }),
    },
    {
      weight: 10,
      arbitrary: fc.record({
        type: fc.constant("arrive" as const),
        from: node,
        to: node,
        lost: fc.constant(false),
      }),
    },
    { weight: 3, arbitrary: fc.record({ type: fc.constant("send" as const), from: node, to: node }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant("publish" as const), from: node }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("greet" as const), from: node }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("greetOne" as const), from: node, to: node }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("close" as const), from: node, to: node }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("restart" as const), from: node }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant("replay" as const), from: node, nth: fc.nat(100) }),
    },
  ),
  { maxLength: 120, size: "max" },
);
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number];

function run(history: readonly Step[]): Medium {
  const medium = new Medium(NODES);
  for (const step of history) {
    const { book, ...party } = medium.nodes[step.from]!;
    const to = "to" in step ? medium.nodes[step.to]!.id : party.id;
    if (step.type === "arrive") medium.step(step.from, step.to, step.lost);
    else if (step.type === "greet") book.greet();
    else if (step.type === "restart") book.restart("a test");
    else if (step.type === "replay") medium.replay(step.nth, medium.nodes[step.from]!);
    else if (step.type === "publish") book.sendToAll(medium.nodes[step.from]!.next());
    else if (to !== party.id) {
      if (step.type === "send") book.send(to, medium.nodes[step.from]!.next());
      else if (step.type === "greetOne") book.greetOne(to);
      else book.close(to, "a test");
    }
  }
  return medium;
}

describe("links over a medium that loses and says nothing", () => {
  test("bring frames in order and at most once, whatever is lost", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const medium = run(history);
        medium.settle();
        for (const { heard, finished } of medium.nodes)
          for (const frames of [...heard.values(), ...finished])
            for (let index = 1; index < frames.length; index++)
              expect(frames[index]!).toBeGreaterThan(frames[index - 1]!);
      }),
      { numRuns: 300 },
    );
  });

  test("are up at both ends once nothing is lost and everybody has greeted and sent", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const medium = run(history);
        medium.settle();
        // What a node does every few seconds: it greets, and its replica sends to all whom it believes linked.
        for (let round = 0; round < 3; round++) {
          for (const { book } of medium.nodes) book.greet();
          medium.settle();
          for (const party of medium.nodes) {
            for (const peer of party.heard.keys()) party.book.send(peer, party.next());
            party.book.sendToAll(party.next());
          }
          medium.settle();
        }
        for (const { heard } of medium.nodes) expect(heard.size).toBe(NODES - 1);
        // And what is sent now arrives, exactly once.
        const before = medium.nodes.map(({ heard }) => [...heard.values()].map(({ length }) => length));
        for (const party of medium.nodes) {
          for (const peer of party.heard.keys()) party.book.send(peer, party.next());
          party.book.sendToAll(party.next());
        }
        medium.settle();
        medium.nodes.forEach(({ heard }, index) => {
          expect([...heard.values()].map(({ length }) => length)).toEqual(
            before[index]!.map((count) => count + 2),
          );
        });
      }),
      { numRuns: 300 },
    );
  });
});

test("a greeting of our own from before is no other process, whatever id we go by; that of another process is", () => {
  const said: Envelope[] = [];
  const calls: string[] = [];
  let names = 0;
  const book = () =>
    new LinkBook("a@1" as ReplicaId, 10, {
      newName: () => (++names).toString(16).padStart(8, "0").repeat(2),
      post: (_, message) => void said.push(message),
      publish: (message) => void said.push(message),
      up: (peer) => calls.push(`up ${peer}`),
      down: () => undefined,
      frame: () => undefined,
      idTaken: () => calls.push("id taken"),
      full: () => expect.unreachable(),
    });
  const [ours, other] = [book(), book()];
  ours.greet();
  ours.restart("the connection was lost");
  ours.restart("renamed", "a@7" as ReplicaId);
  ours.restart("renamed back", "a@1" as ReplicaId);
  for (const message of said.splice(0)) if (message.type === "hello") ours.heard(message);
  expect([calls, said]).toEqual([[], []]);
  other.greet();
  ours.heard(said.pop() as Hello);
  expect(calls).toEqual(["id taken"]);
});

describe("an envelope", () => {
  test("is read as it was written", () => {
    const name = fc
      .uint8Array({ minLength: 8, maxLength: 8 })
      .map((bytes) => Buffer.from(bytes).toString("hex"));
    const known = name.filter((text) => /[^0]/.test(text));
    const count = fc.nat({ max: 0xffff_ffff });
    const replica = fc.constantFrom("a@1", "some-node@1700000000000");
    const frame = fc.uint8Array({ maxLength: 50 });
    const envelopes: fc.Arbitrary<Envelope> = fc.oneof(
      fc.record({ type: fc.constant("hello" as const), session: name, asks: fc.boolean(), replica }),
      fc.record({
        type: fc.constant("open" as const),
        session: name,
        end: name,
        knows: fc.oneof(fc.constant(""), known),
        published: count,
        replica,
      }),
      fc.record({ type: fc.constant("direct" as const), end: name, from: name, number: count, frame }),
      fc.record({ type: fc.constant("published" as const), session: name, number: count, frame }),
      fc.record({
        type: fc.constant("close" as const),
        end: name,
        of: name,
        reason: fc.constantFrom("", "CODE: why"),
      }),
    );
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const read = decodeEnvelope(encodeEnvelope(envelope))!;
        expect("frame" in read ? { ...read, frame: new Uint8Array(read.frame) } : read).toEqual(envelope);
      }),
    );
  });

  test("of any bytes is read, or is none", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void decodeEnvelope(bytes)));
  });
});
