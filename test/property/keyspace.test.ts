/** What a key space promises, over arbitrary histories of writes, losses, cuts, crashes and restarts. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf, SimulatedNetwork, type SimulatedNode, shownAt } from "./keyspace-network.ts";

const KEYS = ["one", "two", "three"];
const TYPES = ["text", "hash", "set"];
const NAMES = ["a", "b", "c"];
const QUIET_MS = 15_000;

type Step =
  | {
      do: "set" | "setField" | "sadd" | "srem" | "delete" | "deleteField";
      at: number;
      key: number;
      value: number;
    }
  | { do: "add"; at: number; value: number }
  | { do: "expire"; at: number; key: number; ttlMs: number }
  | { do: "ticket"; at: number }
  | { do: "push"; at: number }
  | { do: "pop"; at: number }
  | { do: "cut"; at: number; other: number }
  | { do: "heal" }
  | { do: "restart"; at: number; graceful: boolean; prompt: boolean }
  | { do: "wait"; ms: number };

const at = fc.nat(NAMES.length - 1);
const key = fc.nat(KEYS.length - 1);
const value = fc.nat(3);
const write = (kinds: readonly Step["do"][]) =>
  fc.record({ do: fc.constantFrom(...kinds), at, key, value }) as fc.Arbitrary<Step>;
const wait = fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 3, 10, 100, 800) });
const weather = [
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const), at, other: at }) },
  { weight: 2, arbitrary: fc.constant({ do: "heal" as const }) },
];
/** `prompt`: at once, whatever is under way; else after all has spread. */
const restart = (prompt: boolean) =>
  fc.record({ do: fc.constant("restart" as const), at, graceful: fc.boolean(), prompt: fc.constant(prompt) });

function histories(
  writes: fc.WeightedArbitrary<Step>[],
  options: { restarts: boolean },
): fc.Arbitrary<Step[]> {
  const restarts = options.restarts ? [{ weight: 1, arbitrary: restart(false) }] : [];
  const any = fc.oneof({ weight: 5, arbitrary: wait }, ...weather, ...restarts, ...writes);
  return fc.array(any as fc.Arbitrary<Step>, { maxLength: 60, size: "max" });
}

/** What became of the calls that an owner had to carry out. */
interface Outcomes {
  added: number;
  readonly tickets: number[];
  /** Calls that failed: whether they were carried out is not known. */
  ticketsInDoubt: number;
  readonly pushed: string[];
  readonly popped: string[];
  popsInDoubt: number;
}

async function play(seed: number, lossShare: number, steps: readonly Step[]) {
  const network = new SimulatedNetwork({ seed, lossShare });
  const outcomes: Outcomes = {
    added: 0,
    tickets: [],
    ticketsInDoubt: 0,
    pushed: [],
    popped: [],
    popsInDoubt: 0,
  };
  const calls: Promise<unknown>[] = [];
  let pushes = 0;
  for (const name of NAMES) network.start(name);
  await network.run(200);
  const nodeAt = (index: number) => network.living.find(({ name }) => name === NAMES[index])!;
  const call = <T>(
    node: SimulatedNode,
    promise: Promise<T>,
    done: (result: T) => void,
    failed: () => void,
  ) => {
    const settled = promise.then(done, (error) => {
      expect(["OWNER_UNREACHABLE", "UNCONFIRMED", "CLOSED"]).toContain(codeOf(error));
      failed();
    });
    // Who is killed hears no answer any more.
    calls.push(Promise.race([settled, node.killed.then(failed)]));
  };
  for (const step of steps) {
    if (step.do === "wait") await network.run(step.ms);
    else if (step.do === "heal") network.healAll();
    else if (step.do === "cut") {
      if (step.at !== step.other) network.cut(nodeAt(step.at), nodeAt(step.other));
    } else if (step.do === "restart") {
      const node = nodeAt(step.at);
      network.healAll();
      if (!step.prompt) await network.run(QUIET_MS);
      if (step.graceful) {
        const stopped = network.stop(node);
        await network.run(5_000);
        await stopped;
      } else network.kill(node);
      // One loss at a time: what was confirmed is held by two.
      await network.run(QUIET_MS);
      network.start(node.name);
      await network.run(QUIET_MS);
    } else {
      const node = nodeAt(step.at);
      const { keyspace } = node;
      if (step.do === "ticket")
        call(
          node,
          keyspace.increment("tickets"),
          (n) => outcomes.tickets.push(n),
          () => outcomes.ticketsInDoubt++,
        );
      else if (step.do === "push") {
        const element = `element ${++pushes}`;
        call(
          node,
          keyspace.push("list", "head", [element]),
          () => outcomes.pushed.push(element),
          () => undefined,
        );
      } else if (step.do === "pop")
        call(
          node,
          keyspace.pop("list", "tail"),
          (popped) => popped && outcomes.popped.push(popped),
          () => outcomes.popsInDoubt++,
        );
      else if (step.do === "add") {
        keyspace.incrementField("sums", "total", step.value);
        outcomes.added += step.value;
      } else {
        const name = KEYS[step.key]!;
        const any = `${TYPES[step.key]} ${name}`;
        if (step.do === "expire") keyspace.expire(any, step.ttlMs);
        else if (step.do === "delete") keyspace.delete(any);
        else if (step.do === "set") keyspace.setText(`text ${name}`, `${step.value}`);
        else if (step.do === "setField") keyspace.setField(`hash ${name}`, `f${step.value}`, `${step.at}`);
        else if (step.do === "deleteField") keyspace.deleteField(`hash ${name}`, `f${step.value}`);
        else if (step.do === "sadd") keyspace.addMembers(`set ${name}`, [`m${step.value}`]);
        else keyspace.removeMembers(`set ${name}`, [`m${step.value}`]);
      }
    }
  }
  network.healAll();
  await network.run(QUIET_MS);
  await Promise.all(calls);
  network.lossShare = 0;
  await network.run(QUIET_MS);
  for (const node of network.nodes) expect(node.errors).toEqual([]);
  return { network, outcomes };
}

const ALL_KEYS = KEYS.flatMap((name) => [`text ${name}`, `hash ${name}`, `set ${name}`]).concat(
  "sums",
  "tickets",
  "list",
);

function agreed(nodes: readonly SimulatedNode[]): Record<string, unknown> {
  const [first, ...others] = nodes;
  const shown = shownAt(first!, ALL_KEYS);
  for (const other of others) {
    expect(other.keyspace.digest).toBe(first!.keyspace.digest);
    expect(shownAt(other, ALL_KEYS)).toEqual(shown);
  }
  return shown;
}

const seed = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const loss = fc.constantFrom(0, 0.3);

describe("a key space", () => {
  test("agrees after any weather, and equal digests mean equal states", async () => {
    const writes = [
      { weight: 10, arbitrary: write(["set", "setField", "sadd", "srem", "delete", "deleteField"]) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant("expire" as const), at, key, ttlMs: fc.constantFrom(5, 500) }),
      },
    ] as fc.WeightedArbitrary<Step>[];
    await fc.assert(
      fc.asyncProperty(seed, loss, histories(writes, { restarts: true }), async (seed, loss, steps) => {
        const { network } = await play(seed, loss, steps);
        agreed(network.living);
      }),
      { numRuns: 60 },
    );
  });

  test("loses no increment that a survivor has seen, and counts none twice", async () => {
    const writes = [{ weight: 10, arbitrary: write(["add"]) }] as fc.WeightedArbitrary<Step>[];
    await fc.assert(
      fc.asyncProperty(seed, loss, histories(writes, { restarts: true }), async (seed, loss, steps) => {
        const { network, outcomes } = await play(seed, loss, steps);
        const { sums } = agreed(network.living) as { sums?: { total: string } };
        expect(Number(sums?.total ?? 0)).toBe(outcomes.added);
      }),
      { numRuns: 40 },
    );
  });

  test("counts every ticket once, and gives none out twice while it is whole", async () => {
    const writes = [{ weight: 10, arbitrary: fc.record({ do: fc.constant("ticket" as const), at }) }];
    const whole = fc.array(
      fc.oneof(wait, writes[0]!, { weight: 1, arbitrary: restart(true) }) as fc.Arbitrary<Step>,
      {
        maxLength: 40,
        size: "max",
      },
    );
    await fc.assert(
      fc.asyncProperty(seed, loss, whole, async (seed, loss, steps) => {
        const { network, outcomes } = await play(seed, loss, steps);
        const { tickets = "0" } = agreed(network.living) as { tickets?: string };
        expect(new Set(outcomes.tickets).size).toBe(outcomes.tickets.length);
        expect(Number(tickets)).toBeGreaterThanOrEqual(outcomes.tickets.length);
        expect(Number(tickets)).toBeLessThanOrEqual(outcomes.tickets.length + outcomes.ticketsInDoubt);
      }),
      { numRuns: 40 },
    );
    await fc.assert(
      fc.asyncProperty(seed, loss, histories(writes, { restarts: true }), async (seed, loss, steps) => {
        const { network, outcomes } = await play(seed, loss, steps);
        const { tickets = "0" } = agreed(network.living) as { tickets?: string };
        expect(Number(tickets)).toBeGreaterThanOrEqual(outcomes.tickets.length);
      }),
      { numRuns: 30 },
    );
  });

  test("keeps every element that was acknowledged until it is popped, through changes of owner", async () => {
    const writes = [
      { weight: 8, arbitrary: fc.record({ do: fc.constant("push" as const), at }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("pop" as const), at }) },
    ];
    const unbroken = fc.array(
      fc.oneof({ weight: 4, arbitrary: wait }, ...writes, {
        weight: 1,
        arbitrary: restart(true),
      }) as fc.Arbitrary<Step>,
      { maxLength: 60, size: "max" },
    );
    const any = fc.oneof(histories(writes, { restarts: true }), unbroken);
    await fc.assert(
      fc.asyncProperty(seed, loss, any, async (seed, loss, steps) => {
        const { network, outcomes } = await play(seed, loss, steps);
        const { list = [] } = agreed(network.living) as { list?: string[] };
        const accounted = new Set([...list, ...outcomes.popped]);
        const lost = outcomes.pushed.filter((element) => !accounted.has(element));
        expect(lost.length).toBeLessThanOrEqual(outcomes.popsInDoubt);
      }),
      { numRuns: 40 },
    );
    const whole = fc.array(fc.oneof(wait, ...writes) as fc.Arbitrary<Step>, { maxLength: 60, size: "max" });
    await fc.assert(
      fc.asyncProperty(seed, loss, whole, async (seed, loss, steps) => {
        const { network, outcomes } = await play(seed, loss, steps);
        const { list = [] } = agreed(network.living) as { list?: string[] };
        expect(new Set(outcomes.popped).size).toBe(outcomes.popped.length);
        expect([...outcomes.popped, ...list].sort()).toEqual([...outcomes.pushed].sort());
      }),
      { numRuns: 30 },
    );
  });

  test("lets a key vanish everywhere when its time is up, and a later set cancels that", async () => {
    await fc.assert(
      fc.asyncProperty(
        seed,
        loss,
        fc.integer({ min: 50, max: 5_000 }),
        at,
        at,
        async (seed, lossShare, ttlMs, one, other) => {
          const network = new SimulatedNetwork({ seed, lossShare });
          const nodes = NAMES.map((name) => network.start(name));
          await network.run(200);
          nodes[one]!.keyspace.setText("short", "x", { ttlMs });
          nodes[one]!.keyspace.setText("kept", "x", { ttlMs });
          nodes[one]!.keyspace.addMembers("members", ["m"]);
          nodes[one]!.keyspace.expire("members", ttlMs);
          await network.run(ttlMs / 2);
          const seen = nodes[other]!.keyspace.getText("kept");
          if (seen !== undefined) nodes[other]!.keyspace.setText("kept", "y");
          // What no push has brought the digests bring, with the time that was left then; of those a third is lost too.
          await network.run(ttlMs / 2 + 30_000);
          for (const { keyspace } of nodes) {
            expect([keyspace.has("short"), keyspace.has("members")]).toEqual([false, false]);
            expect(keyspace.getText("kept")).toBe(seen === undefined ? undefined : "y");
          }
          network.lossShare = 0;
          await network.run(QUIET_MS);
          for (const { keyspace } of nodes) expect(keyspace.size.keys).toBe(seen === undefined ? 0 : 1);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("shows what stands for a process for as long as that process is seen", async () => {
    const network = new SimulatedNetwork({ seed: 7 });
    const [a, b, c] = NAMES.map((name) => network.start(name)) as [
      SimulatedNode,
      SimulatedNode,
      SimulatedNode,
    ];
    await network.run(200);
    for (const { name, keyspace } of [a, b, c]) keyspace.setField("roomcount", name, "1,1", { bound: true });
    await network.run(200);
    const fields = (node: SimulatedNode) =>
      node.keyspace
        .fields("roomcount")
        .map(([field]) => field)
        .sort();
    expect(fields(a)).toEqual(["a", "b", "c"]);
    network.cut(a, c);
    network.cut(b, c);
    await network.run(1_000);
    expect([fields(a), fields(b), fields(c)]).toEqual([["a", "b"], ["a", "b"], ["c"]]);
    network.healAll();
    await network.run(1_000);
    expect([fields(a), fields(c)]).toEqual([
      ["a", "b", "c"],
      ["a", "b", "c"],
    ]);
    network.kill(b);
    await network.run(1_000);
    expect([fields(a), fields(c)]).toEqual([
      ["a", "c"],
      ["a", "c"],
    ]);
    const stopped = network.stop(c);
    await network.run(100);
    await stopped;
    expect(fields(a)).toEqual(["a"]);
    const again = network.start("c");
    await network.run(3_000);
    expect([fields(a), fields(again)]).toEqual([["a"], ["a"]]);
    again.keyspace.setField("roomcount", "c", "0,0", { bound: true });
    await network.run(100);
    expect([fields(a), fields(again)]).toEqual([
      ["a", "c"],
      ["a", "c"],
    ]);
  });

  test("lets both sides of a partition go on, and gives what both did afterwards", async () => {
    const network = new SimulatedNetwork({ seed: 3 });
    const [a, b, c] = NAMES.map((name) => network.start(name)) as [
      SimulatedNode,
      SimulatedNode,
      SimulatedNode,
    ];
    await network.run(200);
    network.cut(a, c);
    network.cut(b, c);
    await network.run(2_000);
    const calls = [
      a.keyspace.increment("n"),
      c.keyspace.increment("n"),
      a.keyspace.push("l", "tail", ["from a"]),
      c.keyspace.push("l", "tail", ["from c"]),
    ];
    a.keyspace.addMembers("s", ["a"]);
    c.keyspace.addMembers("s", ["c"]);
    await network.run(5_000);
    expect(await Promise.all(calls)).toEqual([1, 1, 1, 1]);
    network.healAll();
    await network.run(5_000);
    for (const { keyspace } of [a, b, c]) {
      expect(keyspace.getText("n")).toBe("2");
      expect(keyspace.elements("l").sort()).toEqual(["from a", "from c"]);
      expect(keyspace.members("s").sort()).toEqual(["a", "c"]);
    }
  });

  test("asks an owner that is cut off from us through a replica that reaches both", async () => {
    const network = new SimulatedNetwork({ seed: 5 });
    const nodes = NAMES.map((name) => network.start(name)) as [SimulatedNode, SimulatedNode, SimulatedNode];
    await network.run(200);
    network.cut(nodes[0], nodes[2]);
    await network.run(1_000);
    const calls = Array.from({ length: 20 }, (_, index) =>
      [0, 1, 2].map((at) => nodes[at]!.keyspace.increment(`k${index}`)),
    );
    await network.run(5_000);
    for (const three of calls) expect((await Promise.all(three)).sort()).toEqual([1, 2, 3]);
  });

  test("takes in a state that fills many messages, once the logs no longer reach back", async () => {
    const network = new SimulatedNetwork({
      seed: 9,
      keyspace: { logSizeMax: 10, frameBytesTarget: 4_096, valueBytesMax: 2_048 },
    });
    const a = network.start("a");
    await network.run(100);
    for (let index = 0; index < 500; index++) a.keyspace.setField("h", `f${index}`, `${index}`);
    for (let index = 0; index < 500; index += 3) a.keyspace.deleteField("h", `f${index}`);
    await network.run(100);
    const b = network.start("b");
    await network.run(5_000);
    expect(b.keyspace.digest).toBe(a.keyspace.digest);
    expect(b.keyspace.fields("h")).toHaveLength(333);
    expect([...a.errors, ...b.errors]).toEqual([]);
  });

  test("lets an owner see what its caller wrote before the call, although the push of it was lost", async () => {
    const network = new SimulatedNetwork({ seed: 11 });
    const nodes = NAMES.map((name) => network.start(name));
    await network.run(200);
    network.lossShare = 1;
    const calls = nodes.map(async ({ name, keyspace }) => {
      keyspace.setText(`text ${name}`, "in the way");
      keyspace.delete(`text ${name}`);
      keyspace.setText(`number ${name}`, "41");
      return [await keyspace.push(`text ${name}`, "tail", ["x"]), await keyspace.increment(`number ${name}`)];
    });
    await network.run(3_000);
    expect(await Promise.all(calls)).toEqual(NAMES.map(() => [1, 42]));
  });

  test("keeps a pushed element although its owner is lost at once, and no push of it arrived", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const network = new SimulatedNetwork({ seed });
      const nodes = NAMES.map((name) => network.start(name));
      await network.run(200);
      network.lossShare = 1;
      const owner = nodes[seed % 3]!;
      let pushed = false;
      // Of many keys each node owns some.
      const keys = Array.from({ length: 12 }, (_, index) => `list ${index}`);
      void Promise.all(keys.map((key) => owner.keyspace.push(key, "tail", ["kept"]))).then(() => {
        pushed = true;
      });
      while (!pushed) await network.run(1);
      network.kill(owner);
      network.lossShare = 0;
      await network.run(QUIET_MS);
      for (const { keyspace } of network.living)
        expect(keys.map((key) => keyspace.elements(key))).toEqual(keys.map(() => ["kept"]));
    }
  });

  test("agrees also when more lives have left keys behind than a pull can name", {
    timeout: 120_000,
  }, async () => {
    const small = { frameBytesTarget: 1_200, keyBytesMax: 100, valueBytesMax: 100 };
    const network = new SimulatedNetwork({ seed: 13, keyspace: small });
    const a = network.start("a");
    await network.run(50);
    for (let life = 0; life < 30; life++) {
      const b = network.start("b");
      await network.run(20);
      b.keyspace.setText(`life ${life}`, "x");
      await network.run(20);
      network.kill(b);
      for (const watcher of a.watchers) watcher({ replica: b.replica, status: "gone", linked: false });
    }
    const c = network.start("c");
    await network.run(5_000);
    network.lossShare = 1;
    a.keyspace.setText("late", "y");
    await network.run(100);
    network.lossShare = 0;
    await network.run(5_000);
    expect(c.keyspace.size.keys).toBe(31);
    expect(c.keyspace.digest).toBe(a.keyspace.digest);
    expect([...a.errors, ...c.errors]).toEqual([]);
  });
});
