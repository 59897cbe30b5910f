/** What does a rolling restart cost: bytes between the nodes, and joins and leaves that watchers are told? */
import { setTimeout as delay } from "node:timers/promises";
import { MemberProcess } from "../peers/group.ts";
import { PEERS } from "../peers/index.ts";
import { nowMs } from "../peers/member.ts";
import { bytesBetween, type Connection } from "../processes/bytes-between.ts";
import { progress, progressDone, report } from "../report.ts";
import { showNumber } from "../rounds.ts";

const SIZE = 3;
const PEOPLE = 10_000;
const HANDOFFS_MS = [0, 10_000];
const WHOLE_WITHIN_MS = 20_000;
const ROOMS = Array.from({ length: SIZE }, (_, index) => `room:${index}`);

interface Node {
  process: MemberProcess;
  address: string;
}

const rows: string[][] = [];
for (const handoffMs of HANDOFFS_MS) {
  progress(`every one of ${SIZE} nodes restarts, hand-off ${handoffMs} ms`);
  const { bytes, joins, leaves, awayMs } = await rollingRestart(handoffMs);
  rows.push([
    `hand-off ${handoffMs.toLocaleString("en")} ms`,
    `${showNumber(bytes / 1_000)} kB`,
    showNumber(bytes / (SIZE * PEOPLE)),
    leaves.toLocaleString("en"),
    joins.toLocaleString("en"),
    showNumber(awayMs),
  ]);
}
progressDone();

report({
  caption:
    `A rolling restart of ${SIZE} nodes, each of which stops gracefully, starts anew under its name, and tracks its ` +
    `${PEOPLE.toLocaleString("en")} people again: what went between the nodes, and what the watchers of the nodes that were up meanwhile were ` +
    "told, all together.",
  columns: ["", "bytes", "bytes for each person restarted", "leaves told", "joins told", "longest away, ms"],
  rows,
  notes: [
    `A node that starts also learns of the ${((SIZE - 1) * PEOPLE).toLocaleString("en")} people of the others, and tells both of them of its own: at least ` +
      `${(SIZE - 1) * 2} entries travel for each person restarted.`,
    "With a hand-off (handoffMs), people who are back before it ends were never gone for anybody. The time away includes the start of the process.",
  ],
});

interface Restarts {
  readonly bytes: number;
  readonly joins: number;
  readonly leaves: number;
  /** The longest time from the beginning of a node's stop until it has tracked all its people again. */
  readonly awayMs: number;
}

async function rollingRestart(handoffMs: number): Promise<Restarts> {
  const nodes: Node[] = [];
  for (let index = 0; index < SIZE; index++) nodes.push(await start(index, nodes));
  await whole(nodes);
  for (const { process } of nodes) await process.ask("watch", { rooms: ROOMS });
  const gone: (readonly Connection[])[] = [];
  const total = async () =>
    bytesBetween([...(await Promise.all(nodes.map(({ process }) => process.ask("traffic", {})))), ...gone]);
  const before = await total();
  let [joins, leaves, awayMs] = [0, 0, 0];
  const count = async (from: readonly Node[]) => {
    for (const { process } of from)
      for (const [type] of await process.ask("seen", { count: 0, timeoutMs: 0 })) {
        if (type === "join") joins++;
        else if (type === "leave") leaves++;
      }
  };
  for (let index = 0; index < SIZE; index++) {
    const stopping = nodes[index]!;
    const others = nodes.filter((node) => node !== stopping);
    // What a node is told of its own people as it stops is no news to anybody.
    await count([stopping]);
    const stoppedAtMs = nowMs();
    await stopping.process.ask("stop", { handoffMs });
    gone.push(await stopping.process.ask("traffic", {}));
    await stopping.process.kill();
    nodes[index] = await start(index, others);
    awayMs = Math.max(awayMs, nowMs() - stoppedAtMs);
    await whole(nodes);
    await delay(handoffMs);
    await count(others);
    await nodes[index]!.process.ask("watch", { rooms: ROOMS });
  }
  const bytes = (await total()) - before;
  await Promise.all(nodes.map(({ process }) => process.kill()));
  return { bytes, joins, leaves, awayMs };
}

async function start(index: number, others: readonly Node[]): Promise<Node> {
  const process = new MemberProcess(PEERS.presently);
  const place = { name: `n${index}`, peers: others.map(({ address }) => address), seats: 0 };
  const { address } = await process.ask("open", { peer: "presently", place });
  await process.ask("fill", { room: ROOMS[index]!, count: PEOPLE });
  return { process, address };
}

/** Settles when every node shows everybody. */
async function whole(nodes: readonly Node[]): Promise<void> {
  for (const { process } of nodes)
    for (const room of ROOMS) {
      const { atMs } = await process.ask("counted", { room, count: PEOPLE, timeoutMs: WHOLE_WITHIN_MS });
      if (atMs === undefined) throw new Error(`${room} is not whole within ${WHOLE_WITHIN_MS} ms`);
    }
}
