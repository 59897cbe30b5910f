import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { openEvents, send, type TestEvent, topicPath } from "../../../../test/helpers/http.ts";
import { createNode, type PresentlyNode } from "../node.ts";

let node: PresentlyNode;
let url: string;

/** The keys that a stream's events have come to; throws for one that is told twice, or ends without having begun. */
function shownBy([state, ...diffs]: readonly TestEvent[]): string[] {
  const keys = new Set(Object.keys(state!.data.presences));
  for (const { data } of diffs) {
    for (const { key } of data.leaves)
      if (!keys.delete(key)) throw new Error(`${key} left, and was not there`);
    for (const { key } of data.joins)
      if (keys.size === keys.add(key).size) throw new Error(`${key} came twice`);
  }
  return [...keys].sort();
}

beforeAll(async () => {
  const http = { port: 0, eventBufferBytesMax: 100_000, streamsMax: 20, eventHeartbeatMs: 100 };
  node = await createNode({ name: "a", http, logLevel: "silent" });
  url = node.httpUrl!;
});
afterAll(() => node.stop());

describe("an event stream", () => {
  test("gives the state, then every diff, numbered without holes", async () => {
    const session = node.session();
    session.track("room", "alice", { n: 1 });
    const stream = await openEvents(url, "room");
    const state = await stream.at(0);
    expect(stream.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(state).toMatchObject({ event: "state", data: { topic: "room", keys: 1, entries: 1 } });
    expect(Object.keys(state.data.presences)).toEqual(["alice"]);

    session.track("room", "alice", { n: 2 });
    session.track("room", "bob");
    session.close();
    const [update, join, leave] = [await stream.at(1), await stream.at(2), await stream.at(3)];
    expect(update.data.updates).toMatchObject([
      { before: { key: "alice", meta: { n: 1 } }, after: { key: "alice", meta: { n: 2 } } },
    ]);
    expect(update.data.updates[0].after.previousRef).toBe(update.data.updates[0].before.ref);
    expect(join.data).toMatchObject({
      joins: [{ key: "bob", node: "a", meta: {} }],
      leaves: [],
      updates: [],
    });
    expect(leave.data.leaves).toMatchObject([
      { key: "alice", reason: "left" },
      { key: "bob", reason: "left" },
    ]);
    const first = state.data.number;
    expect([update, join, leave].map(({ data }) => data.number)).toEqual([first + 1, first + 2, first + 3]);
    expect([state, update].map(({ id }) => id)).toEqual([String(first), String(first + 1)]);
    stream.close();
  });

  test("is told nothing twice where diffs of large topics are put off", async () => {
    const options = { diffIntervalMs: 1_000, diffIntervalEntries: 1, logLevel: "silent" } as const;
    const calm = await createNode({ name: "calm", http: { port: 0 }, ...options });
    const session = calm.session();
    session.track("room", "alice");
    const early = await openEvents(calm.httpUrl!, "room");
    await early.at(0);
    session.track("room", "bob");
    await early.at(1);
    // Within a second of the last diff: these are put off, while `late` comes.
    session.track("room", "carol");
    session.untrack("room", "alice");
    const late = await openEvents(calm.httpUrl!, "room");
    await late.at(0);
    await eventually(() => expect(shownBy(early.events)).toEqual(["bob", "carol"]));
    session.track("room", "dave");
    for (const stream of [early, late]) {
      await eventually(() => expect(stream.events.at(-1)!.data.joins).toMatchObject([{ key: "dave" }]));
      expect(shownBy(stream.events)).toEqual(["bob", "carol", "dave"]);
      stream.close();
    }
    await calm.stop();
  });

  test("with a key makes the caller present for as long as it is open", async () => {
    const watcher = await openEvents(url, "door");
    const visitor = await openEvents(url, "door", { key: "alice", meta: '{"device":"tv"}' });
    expect((await visitor.at(0)).data.presences).toMatchObject({
      alice: { metas: [{ meta: { device: "tv" } }] },
    });
    expect((await watcher.at(1)).data.joins).toMatchObject([{ key: "alice" }]);
    visitor.close();
    expect((await watcher.at(2)).data.leaves).toMatchObject([{ key: "alice", reason: "left" }]);
    watcher.close();
  });

  test("is one of several of the same key, each an entry of its own", async () => {
    const one = await openEvents(url, "twice", { key: "alice" });
    const two = await openEvents(url, "twice", { key: "alice" });
    await two.at(0);
    expect(node.count("twice")).toEqual({ keys: 1, entries: 2 });
    one.close();
    await eventually(() => expect(node.count("twice")).toEqual({ keys: 1, entries: 1 }));
    two.close();
    await eventually(() => expect(node.count("twice").entries).toBe(0));
  });

  test("shows the same to streams that came at different times", async () => {
    const early = await openEvents(url, "late");
    await early.at(0);
    const session = node.session();
    for (let n = 0; n < 20; n++) session.track("late", "alice", { n });
    const late = await openEvents(url, "late");
    const state = await late.at(0);
    session.track("late", "bob");
    const [seenEarly, seenLate] = [await early.at(21), await late.at(1)];
    expect(state.data.number).toBe(seenLate.data.number - 1);
    expect(seenLate).toEqual(seenEarly);
    session.close();
    early.close();
    late.close();
  });

  test("takes hostile keys as they are", async () => {
    const stream = await openEvents(url, "hostile", {
      key: "__proto__",
      meta: '{"x":"\\n\\nevent: state\\n"}',
    });
    const { data } = await stream.at(0);
    expect(Object.keys(data.presences)).toEqual(["__proto__"]);
    expect(stream.events).toHaveLength(1);
    stream.close();
  });

  test("is kept open by comments while nothing happens", async () => {
    const response = await fetch(`${url}${topicPath("idle")}/events`);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.endsWith("\n\n:\n\n:\n\n")) text += (await reader.read()).value;
    await reader.cancel();
  });

  test("of a client that is too slow is closed, and what it holds stays bounded", async () => {
    const slow = await openEvents(url, "slow", { key: "snail" });
    const watcher = await openEvents(url, "slow");
    await slow.at(0);
    slow.stall();
    const session = node.session();
    const meta = { pad: "x".repeat(8_000) };
    await eventually(
      async () => {
        for (let n = 0; n < 50; n++) session.track("slow", "busy", { ...meta, n });
        // Nobody reads anything before this turn of the event loop is over.
        await delay(0);
        expect(node.get("slow", "snail")).toEqual([]);
      },
      { what: "the end of the slow stream", timeoutMs: 60_000 },
    );
    // The other one kept up, or was closed in turn; the node itself is as it was.
    expect((await send(url, "/healthz")).status).toBe(200);
    session.close();
    slow.close();
    watcher.close();
  });

  test("that was closed as too slow says so, to a client that reads on in time", async () => {
    const slow = await openEvents(url, "slow but alive");
    await slow.at(0);
    slow.stall();
    const session = node.session();
    const pad = "x".repeat(8_000);
    for (let n = 0; n < 2_000; n++) session.track("slow but alive", "busy", { pad, n });
    slow.resume();
    await eventually(() => expect(slow.ended).toBe(true));
    expect(slow.events.at(-1)).toMatchObject({ event: "error", data: { error: { code: "TOO_SLOW" } } });
    session.close();
  });

  test("beyond the bound is refused, and makes nobody present", async () => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => openEvents(url, "full")));
    const refused = await send(url, `${topicPath("full")}/events?key=alice`);
    expect([refused.status, refused.body.error.code]).toEqual([429, "LIMIT_REACHED"]);
    expect(node.count("full").entries).toBe(0);
    for (const stream of streams) stream.close();
    await eventually(async () => {
      const again = await openEvents(url, "full", { key: "alice" });
      again.close();
      expect(again.status).toBe(200);
    });
  });

  test("ends with a HEAD request before it begins", async () => {
    const { status } = await send(url, `${topicPath("head")}/events?key=alice`, { method: "HEAD" });
    expect([status, node.count("head").entries]).toEqual([200, 0]);
  });
});
