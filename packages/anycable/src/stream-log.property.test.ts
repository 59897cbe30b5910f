/** Whoever resumes a stream, at whichever node, gets exactly what follows the place; or is told that nobody knows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { newEpoch, StreamLog, type StreamMessage } from "./stream-log.ts";

const NODES = 3;

interface Client {
  /** Messages that it was sent. */
  readonly had: Set<string>;
  /** Where the stream ended when it came: what stands before that is nothing that it missed. */
  readonly start: StreamMessage["position"] | undefined;
  place: StreamMessage["position"] | undefined;
  certain: boolean;
  isAway: boolean;
}

class World {
  readonly nodes = Array.from({ length: NODES }, () => ({
    log: new StreamLog({ messagesMax: 8, ageMaxMs: 1_000 }),
    ownEpoch: "",
    /** Everything that clients here were sent, in order. */
    delivered: [] as StreamMessage[],
    /** Those who listen here, with what they have. */
    clients: [] as Client[],
  }));
  /** By sender and receiver, in order. */
  readonly #wires = new Map<string, StreamMessage[]>();
  #time = 1_000;
  #ids = 0;

  publish(at: number): void {
    const node = this.nodes[at]!;
    const { tail } = node.log;
    const isOurs = tail !== undefined && tail.epoch === node.ownEpoch;
    const position = isOurs
      ? { epoch: tail.epoch, offset: tail.offset + 1 }
      : { epoch: newEpoch(tail?.epoch, ++this.#time, `r${at}`), offset: 1 };
    node.ownEpoch = position.epoch;
    const message: StreamMessage = {
      stream: "s",
      data: "1",
      id: `m${++this.#ids}`,
      at: this.#time,
      except: undefined,
      position,
      after: isOurs ? undefined : tail,
    };
    this.#deliver(at, message);
    for (let to = 0; to < NODES; to++)
      if (to !== at) {
        const name = `${at}>${to}`;
        this.#wires.set(name, [...(this.#wires.get(name) ?? []), message]);
      }
  }

  /** The next message of a wire arrives, or is lost. */
  wire(from: number, to: number, isLost: boolean): void {
    const message = this.#wires.get(`${from}>${to}`)?.shift();
    if (message !== undefined && !isLost) this.#deliver(to, message);
  }

  join(at: number): void {
    const { log, clients } = this.nodes[at]!;
    clients.push({ had: new Set(), start: log.tail, place: log.tail, certain: true, isAway: false });
  }

  leave(at: number): void {
    const client = this.nodes[at]!.clients.find(({ isAway }) => !isAway);
    if (client !== undefined) client.isAway = true;
  }

  #deliver(at: number, message: StreamMessage): void {
    const { log, clients, delivered } = this.nodes[at]!;
    const became = log.append(message);
    if (became === "known") return;
    delivered.push(message);
    for (const client of clients) {
      if (client.isAway) continue;
      client.had.add(message.id);
      if (became === "restarted") client.certain = false;
      if (became !== "stale") client.place = message.position;
    }
  }

  /** Before the place, at any node, stands nothing that the client does not have. */
  check(): void {
    for (const { clients } of this.nodes)
      for (const { place, start, had, certain } of clients) {
        if (place === undefined || !certain) continue;
        for (const { log, delivered } of this.nodes) {
          const after = log.after(place);
          if (after === undefined) continue;
          // What was delivered there behind the place is in the answer, unless the client has it.
          const index = delivered.findIndex(
            ({ position }) => position.epoch === place.epoch && position.offset === place.offset,
          );
          const behind = index < 0 ? [] : delivered.slice(index + 1);
          expect(behind.filter((message) => !had.has(message.id) && !after.includes(message))).toEqual([]);
          const before = kept(log).slice(0, kept(log).length - after.length);
          const behindStart = start === undefined ? undefined : log.after(start);
          const since =
            behindStart === undefined ? before : before.slice(kept(log).length - behindStart.length);
          expect(since.filter(({ id }) => !had.has(id))).toEqual([]);
        }
      }
  }
}

function kept(log: StreamLog): readonly StreamMessage[] {
  return log.excerpt(Number.POSITIVE_INFINITY).messages;
}

const node = fc.nat(NODES - 1);
const step = fc.oneof(
  { weight: 3, arbitrary: node.map((at) => (world: World) => world.publish(at)) },
  {
    weight: 6,
    arbitrary: fc
      .record({ from: node, to: node, isLost: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0) })
      .map(
        ({ from, to, isLost }) =>
          (world: World) =>
            world.wire(from, to, isLost),
      ),
  },
  { weight: 1, arbitrary: node.map((at) => (world: World) => world.join(at)) },
  { weight: 1, arbitrary: node.map((at) => (world: World) => world.leave(at)) },
);

test("a place is never answered wrongly, whoever numbers messages and whatever is lost", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const world = new World();
      for (const run of steps) {
        run(world);
        world.check();
      }
    }),
    { numRuns: 300 },
  );
});

test("with one sequencer and no loss, every place that is kept is answered, the same at all nodes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), (count, choice) => {
      const world = new World();
      for (let made = 0; made < count; made++) {
        world.publish(0);
        world.wire(0, 1, false);
        world.wire(0, 2, false);
      }
      const [first, ...others] = world.nodes.map(({ log }) => log);
      const messages = kept(first!);
      const place = messages[choice % messages.length]!.position;
      expect(first!.after(place)).toEqual(messages.slice((choice % messages.length) + 1));
      for (const other of others) expect(other.after(place)).toEqual(first!.after(place));
      expect(messages.length).toBe(Math.min(count, 8));
    }),
  );
});
