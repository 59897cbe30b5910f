/**
 * What does healing take after a partition longer than the time-out? Two processes at default options, the path between
 * them through a proxy; each holds 50,000 entries, of which 1,000 left, 1,000 were updated and 1,000 joined meanwhile.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Link, PortChooser } from "presently/demo";
import type { HealingAnswer, HealingOrder } from "../processes/healing-node.ts";
import { show, spreadOf } from "../rounds.ts";

const ENTRIES = Number(process.env.HEALING_ENTRIES ?? 50_000);
const EACH = Number(process.env.HEALING_EACH ?? 1_000);
const TOPICS = 100;
const ROUNDS = Number(process.env.HEALING_ROUNDS ?? 5);

class Side {
  readonly name: string;
  readonly #child = fork(fileURLToPath(new URL("../processes/healing-node.ts", import.meta.url)));

  constructor(name: string) {
    this.name = name;
  }

  async ask(order: HealingOrder): Promise<HealingAnswer> {
    this.#child.send(order);
    const [answer] = (await once(this.#child, "message")) as [HealingAnswer];
    return answer;
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

interface Round {
  readonly sinceNetworkMs: number;
  readonly sinceLinkMs: number;
  readonly bytes: number;
  readonly joins: number;
  readonly falseEvents: number;
  readonly longestStallMs: number;
  readonly longestWorkMs: number;
}

async function round(): Promise<Round> {
  const ports = new PortChooser();
  const ends = [
    { name: "left", meshPort: await ports.choose() },
    { name: "right", meshPort: await ports.choose() },
  ] as const;
  const link = await Link.open(...ends);
  const sides = ends.map(({ name }) => new Side(name));
  const both = (order: HealingOrder) => Promise.all(sides.map((side) => side.ask(order)));
  try {
    for (const [index, { name, meshPort }] of ends.entries())
      await sides[index]!.ask({ do: "start", name, port: meshPort, peer: link.peerUrl(name) });
    await both({ do: "hold", entries: ENTRIES, topics: TOPICS });
    const isWhole = ({ agrees, entries }: HealingAnswer) => agrees === true && entries === 2 * ENTRIES;
    while (!(await both({ do: "agreement" })).every(isWhole)) await delay(50);
    await both({ do: "watch" });
    link.cut();
    while (!(await both({ do: "agreement" })).every(({ status }) => status === "down")) await delay(50);
    await both({ do: "change", each: EACH });
    // Longer than the time-out.
    await delay(6_000);
    await both({ do: "seen" });
    link.restore();
    const restoredAt = performance.now();
    let answers: HealingAnswer[];
    do {
      await delay(5);
      answers = await both({ do: "agreement" });
    } while (!answers.every(isWhole));
    const sinceNetworkMs = performance.now() - restoredAt;
    await delay(1_000);
    const [seen] = await both({ do: "seen" });
    return {
      sinceNetworkMs,
      sinceLinkMs: Math.max(...answers.map(({ linkedForMs }) => linkedForMs!)),
      bytes: answers[0]!.bytes!,
      joins: seen!.joins!,
      falseEvents: seen!.leaves! + seen!.updates!,
      longestStallMs: seen!.longestStallMs!,
      longestWorkMs: seen!.longestWorkMs!,
    };
  } finally {
    for (const side of sides) await side.kill();
    await link.close();
  }
}

console.log(
  `${ENTRIES.toLocaleString("en")} entries a side, ${EACH.toLocaleString("en")} joined, updated and left on each during a cut ` +
    `longer than the time-out; median (least–most) of ${ROUNDS} rounds`,
);
const results: Round[] = [];
for (let index = 0; index < ROUNDS; index++) results.push(await round());
const of = (what: (round: Round) => number) => spreadOf(results.map(what));
console.log(
  `  agreement after the link is back: ${show(
    of(({ sinceLinkMs }) => sinceLinkMs),
    "ms",
  )}`,
);
console.log(
  `  … after the network is back: ${show(
    of(({ sinceNetworkMs }) => sinceNetworkMs),
    "ms",
  )}`,
);
console.log(
  `  bytes both ways: ${show(
    of(({ bytes }) => bytes / 1_000),
    "kB",
  )}`,
);
console.log(
  `  joins published on one side, of ${ENTRIES} expected: ${show(
    of(({ joins }) => joins),
    "",
  )}`,
);
console.log(
  `  leaves and updates published there, of 0 expected: ${show(
    of((each) => each.falseEvents),
    "",
  )}`,
);
console.log(
  `  longest pause of its event loop: ${show(
    of((each) => each.longestStallMs),
    "ms",
  )}`,
);
console.log(
  `  … of which it worked itself: ${show(
    of((each) => each.longestWorkMs),
    "ms",
  )}`,
);
