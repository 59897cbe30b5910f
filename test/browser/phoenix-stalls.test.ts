/** phoenix.js with its defaults in a page of React, over a network that stalls. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { listOfNode, type PhoenixNode, startPhoenixNodes } from "../conformance/phoenix-client.ts";
import { bundle } from "../helpers/client-page.ts";
import { eventually } from "../helpers/eventually.ts";
import { has } from "../helpers/programs.ts";
import { Wire } from "../helpers/wire.ts";
import { launchChromium } from "./chromium.ts";

vi.setConfig({ testTimeout: 120_000 });

const topic = "room:1";
const html = `<!doctype html><meta charset="utf-8"><title>room</title><link rel="icon" href="data:,">
<div id="root"></div><script type="module" src="/page.js"></script>`;

interface Seen {
  readonly connected: number;
  readonly counts: Readonly<Record<string, number>>;
  /** The most connections of one key that were ever shown. */
  readonly most: number;
  readonly joined: number;
  readonly timedOut: number;
}

describe.runIf(has("chromium"))("a page whose network stalls", () => {
  let browser: Browser;
  let script: Uint8Array;
  let node: PhoenixNode<string>;
  let wire: Wire;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    const define = { "process.env.NODE_ENV": '"development"' };
    [browser, script] = await Promise.all([
      launchChromium(),
      bundle("test/helpers/phoenix-strict-page.ts", { define }),
    ]);
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    [node] = (await startPhoenixNodes<string>(
      ["a"],
      (socket) => void socket.channel("room:*", { presence: { key: ({ assigns }) => assigns } }),
      { connect: ({ user_id }) => String(user_id) },
    )) as [PhoenixNode<string>];
    node.server.on("request", ({ url = "" }, response) => {
      const isScript = url === "/page.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
      response.end(isScript ? script : html);
    });
    wire = await Wire.to(node.port);
    page = await (await browser.newContext()).newPage();
    page.on("pageerror", (error) => void errors.push(error.message));
    await page.goto(`http://127.0.0.1:${wire.port}/?name=me`);
    await eventually(async () => expect((await seen()).connected).toBe(1));
  });
  afterEach(async () => {
    await page.context().close();
    await wire.close();
    await node.stop();
    expect(errors.splice(0)).toEqual([]);
  });

  const seen = () => page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
  const show = (times: number) =>
    page.evaluate((n) => (globalThis as unknown as { show(times: number): void }).show(n), times);
  const myRef = (before?: string) =>
    eventually(() => {
      const [ref] = listOfNode(node.node, topic).me ?? [];
      expect(ref).toBeDefined();
      expect(ref).not.toBe(before);
      return ref!;
    });
  /** The page shows these, once it has joined so often, and never showed anybody twice. */
  const shows = async (counts: Record<string, number>, joined: number) => {
    await eventually(async () => expect(await seen()).toMatchObject({ counts, joined }));
    // What the node tells next comes after all that was told before.
    const last = node.node.session();
    last.track(topic, "last");
    await eventually(async () => expect((await seen()).counts).toEqual({ ...counts, last: 1 }));
    last.close();
    await eventually(async () => expect((await seen()).counts).toEqual(counts));
    expect((await seen()).most).toBe(1);
  };

  it("shows everybody once, though StrictMode joins, leaves and joins in one tick", async () => {
    // Both joins are on their way before the page hears of the first.
    wire.hold("down");
    await show(1);
    await myRef();
    wire.release("down");
    await shows({ me: 1 }, 1);
    wire.hold("down");
    const before = await myRef();
    await show(2);
    await myRef(before);
    wire.release("down");
    await shows({ me: 1 }, 2);
  });

  it("shows who is there after a stall that its joins did not survive", async () => {
    await show(1);
    await shows({ me: 1 }, 1);
    wire.hold("down");
    const bob = node.node.session();
    bob.track(topic, "bob");
    const before = await myRef();
    await show(2);
    await myRef(before);
    bob.close();
    node.node.session().track(topic, "carol");
    // phoenix.js gives a join up after 10 s, leaves, and joins again.
    await eventually(async () => expect((await seen()).timedOut).toBe(1), { timeoutMs: 60_000 });
    await myRef(await myRef());
    wire.release("down");
    await shows({ carol: 1, me: 1 }, 2);
  });
});
