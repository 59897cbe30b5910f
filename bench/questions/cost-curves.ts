/** Does any operation cost more as entries grow from 1,000 to 1,000,000? Each on a replica that holds so many already. */
import { Endpoint, type ReplicaId, type Session, type Transport } from "@presently/replica";
import { progress, progressDone, report } from "../report.ts";
import { showSpread, spreadOf } from "../rounds.ts";
import { type Person, people } from "../workload.ts";

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const ROUNDS = 15;
const OPERATIONS = 1_000;
/** For a million entries, and some more. */
const ROOM = { sessionsMax: 2_000_000, entriesPerNodeMax: 2_000_000 };

/** Keeps what a replica sends. It is driven by hand: no frame goes out but by a call. */
class Pair {
  readonly frames: Uint8Array[] = [];
  readonly here: Endpoint;
  readonly there: Endpoint;

  constructor() {
    this.here = this.endpoint("here", this.frames);
    this.there = this.endpoint("there", []);
    this.here.peerUp("there@1" as ReplicaId);
    this.there.peerUp("here@1" as ReplicaId);
  }

  private endpoint(name: string, sent: Uint8Array[]): Endpoint {
    const transport: Transport = {
      send: (_peer, frame) => void sent.push(frame),
      congested: () => false,
      redial: () => undefined,
      refuse: (_peer, code, reason) => {
        throw new Error(`${code}: ${reason}`);
      },
    };
    const clock = { now: () => performance.now(), schedule: () => () => undefined };
    const endpoint = new Endpoint({
      replica: { name, incarnation: 1, ...ROOM },
      clock,
      transport: () => transport,
    });
    endpoint.start();
    return endpoint;
  }

  /** What has been done here since the last time, in frames. A broadcast is sent behind all that waits, and left out. */
  taken(): Uint8Array[] {
    this.here.replica.broadcast("flush", "");
    this.frames.pop();
    return this.frames.splice(0);
  }

  deliver(frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.there.frame("here@1" as ReplicaId, frame);
  }
}

const MEASURES = [
  "track",
  "update",
  "get",
  "count",
  "where",
  "untrack",
  "apply a delta of 1 join",
  "apply a delta of 1,000 joins, each",
  "apply a delta of 1,000 leaves, each",
] as const;
type Results = Map<(typeof MEASURES)[number], number[]>;

function measure(size: number): Results {
  const pair = new Pair();
  const { replica } = pair.here;
  const everybody = people(size);
  for (const { topic, key, meta } of everybody) replica.session().track(topic, key, meta);
  pair.deliver(pair.taken());
  if (pair.there.replica.topics().reduce((sum, { entries }) => sum + entries, 0) !== size)
    throw new Error("not all has come");
  const results: Results = new Map(MEASURES.map((name) => [name, []]));
  const others = people(OPERATIONS).map((person) => ({ ...person, key: `new ${person.key}` }));
  for (let index = -3; index < ROUNDS; index++) {
    progress(`cost-curves: ${size.toLocaleString("en")} entries, round ${index + 4} of ${ROUNDS + 3}`);
    round(index >= 0 ? results : undefined);
  }
  pair.here.close();
  pair.there.close();
  return results;

  function round(results: Results | undefined): void {
    const sessions = others.map(() => replica.session());
    const time = (name: (typeof MEASURES)[number], work: () => void) => {
      const startedAt = performance.now();
      work();
      results?.get(name)?.push(((performance.now() - startedAt) / OPERATIONS) * 1_000);
    };
    const each = (work: (person: Person, session: Session) => unknown) => () => {
      for (let index = 0; index < OPERATIONS; index++) work(others[index]!, sessions[index]!);
    };
    // One join a frame, then all of them in one.
    const alone = others.flatMap(({ topic, key, meta }, index) => {
      sessions[index]!.track(topic, key, meta);
      return pair.taken();
    });
    time("apply a delta of 1 join", () => pair.deliver(alone));
    for (const session of sessions) session.close();
    const leaves = pair.taken();
    time("apply a delta of 1,000 leaves, each", () => pair.deliver(leaves));
    sessions.splice(0, OPERATIONS, ...others.map(() => replica.session()));
    time(
      "track",
      each(({ topic, key, meta }, session) => session.track(topic, key, meta)),
    );
    const joins = pair.taken();
    time("apply a delta of 1,000 joins, each", () => pair.deliver(joins));
    time(
      "get",
      each(({ topic, key }) => replica.get(topic, key)),
    );
    time(
      "count",
      each(({ topic }) => replica.count(topic)),
    );
    time(
      "where",
      each(({ key }) => replica.where([key])),
    );
    time(
      "update",
      each(({ topic, key, meta }, session) => session.update(topic, key, { ...meta, status: "away" })),
    );
    time(
      "untrack",
      each(({ topic, key }, session) => session.untrack(topic, key)),
    );
    pair.deliver(pair.taken());
    for (const session of sessions) session.close();
  }
}

const measured = SIZES.map((size) => measure(size));
progressDone();
report({
  caption: `Microseconds an operation on a replica that holds so many entries over 100 topics; median (least–most) of ${ROUNDS} rounds of 1,000 operations`,
  columns: ["operation", ...SIZES.map((size) => `${size.toLocaleString("en")} entries`)],
  rows: MEASURES.map((name) => [
    name,
    ...measured.map((results) => showSpread(spreadOf(results.get(name)!))),
  ]),
  notes: [
    "Deltas are decoded from their frames and applied. With 1,000 entries everything is in the processor's caches; with a million, next to nothing is.",
    "Targets: 10 µs for a delta of 1, and 2 ms for one of 1,000 (2 µs each), whatever the size. Phoenix.Tracker took 68 and 87 ms on 100,000 entries, on another day.",
  ],
});
