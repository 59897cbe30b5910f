/** A fresh node joins a cluster that holds a large state. */
import { afterEach, describe, expect, test } from "vitest";
import { entriesAt, type LoadedNode, startLoadedNode } from "../fixtures/loaded-node.ts";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";

/** `PRESENTLY_LARGE_STATE=500000` runs at the size that the issue names. */
const ENTRIES = Number(process.env.PRESENTLY_LARGE_STATE ?? 100_000);
/** So that what is under way between two processes is a small part of the whole. */
const PAD_BYTES = 300;
/** A node says so often how far it has come: `PROGRESS_STEP` of the replica. */
const STEP = 50_000;
const PATIENT = { timeoutMs: 100_000 };
/** Nobody may count as ready just because its peer was slow to answer. */
const FRESH = { readyGraceMs: 60_000 };

const nodes: LoadedNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.kill()));
});

async function start(options: Parameters<typeof startLoadedNode>[0]): Promise<LoadedNode> {
  const node = await startLoadedNode(options);
  nodes.push(node);
  return node;
}

/** The steps that a node has said it took, and the peer that brought the last part of each. */
function progressOf({ output }: LoadedNode): { entries: number; from: string }[] {
  const said = output.matchAll(/"msg":"(\d+) of \d+ entries received so far, now from (\S+?)@\d+"/g);
  return Array.from(said, ([, entries, from]) => ({ entries: Number(entries), from: from! }));
}

const stallsOf = async (node: LoadedNode) => ({ all: await node.stalls(), own: await node.ownStalls() });

const isReady = async ({ url }: LoadedNode) => (await send(url, "/readyz")).status === 200;

describe(`a fresh node that joins ${ENTRIES} entries`, () => {
  test("is ready only when everything is there, tells how far it is, and nobody takes the other for dead", async () => {
    const holder = await start({ name: "holder" });
    await holder.track(ENTRIES, PAD_BYTES);
    const stallsBefore = await stallsOf(holder);
    const fresh = await start({ name: "fresh", mesh: { peers: [holder.meshUrl] }, ...FRESH });
    const startedAt = performance.now();
    let looks = 0;
    await eventually(async () => {
      const ready = await isReady(fresh);
      looks++;
      // In this order: what is missing after it was ready would be missing.
      const entries = await entriesAt(fresh.url);
      if (ready) expect(entries).toBe(ENTRIES);
      expect(ready).toBe(true);
    }, PATIENT);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    expect(looks).toBeGreaterThan(1);
    expect(progressOf(fresh).map(({ entries }) => Math.floor(entries / STEP))).toEqual(
      Array.from({ length: Math.floor(ENTRIES / STEP) }, (_, index) => index + 1),
    );
    for (const node of [holder, fresh]) expect(node.output).not.toMatch(/"type":"replica-down"/);
    const [atSender, atNewcomer] = [await stallsOf(holder), await stallsOf(fresh)];
    console.log(
      `${ENTRIES} entries synced in ${seconds} s; stalls above 50 ms, of these by work of its own: sender ` +
        `${atSender.all - stallsBefore.all}, ${atSender.own - stallsBefore.own}; newcomer ${atNewcomer.all}, ${atNewcomer.own}`,
    );
  });

  test("goes on with another peer when the sender is killed in the middle, and does not start over", async () => {
    const holder = await start({ name: "holder" });
    await holder.track(ENTRIES, PAD_BYTES);
    const copies = await Promise.all(
      ["copy-1", "copy-2"].map((name) => start({ name, mesh: { peers: [holder.meshUrl] }, ...FRESH })),
    );
    for (const copy of copies) await eventually(async () => expect(await isReady(copy)).toBe(true), PATIENT);

    const fresh = await start({
      name: "fresh",
      mesh: { peers: copies.map(({ meshUrl }) => meshUrl) },
      ...FRESH,
    });
    let killed: Promise<void> | undefined;
    let sender: string | undefined;
    const killSender = () => {
      sender ??= progressOf(fresh)[0]?.from;
      if (sender !== undefined) killed ??= copies.find(({ name }) => name === sender)!.kill();
    };
    fresh.onLine(killSender);
    killSender();
    await eventually(() => expect(sender).toBeDefined(), PATIENT);
    await killed;
    expect(await isReady(fresh)).toBe(false);

    await eventually(async () => {
      // Readiness would wait for the killed one to answer, as it is configured.
      const { body } = await send(fresh.url, "/api/cluster");
      const agreeing = body.replicas.filter(({ agrees }: { agrees: boolean | null }) => agrees === true);
      expect(agreeing).toHaveLength(1);
    }, PATIENT);
    expect(await entriesAt(fresh.url)).toBe(ENTRIES);
    const progress = progressOf(fresh);
    const last = progress.at(-1)!;
    expect(last.from).not.toBe(sender);
    // Whoever starts over receives what it had once more: another step at least.
    expect(last.entries).toBeLessThan(ENTRIES + STEP);
    console.log(
      `${ENTRIES} entries, sender killed after ${progress[0]!.entries}: ${last.entries} received when the last step was told`,
    );
  });
});
