/** What the page of a starting node says while a large state is on its slow way there. */
import type { Browser } from "playwright-core";
import { createNode, type PresentlyNode } from "presently";
import { LinkProxy } from "presently/demo";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send } from "../helpers/http.ts";
import { has } from "../helpers/programs.ts";
import { launchChromium } from "./chromium.ts";
import { PageTab } from "./page-tab.ts";

const ENTRIES = 60_000;
const PAD = "x".repeat(100);

describe.runIf(has("chromium"))("the page of a node that is being brought up to date", () => {
  let browser: Browser;
  let holder: PresentlyNode;
  let fresh: PresentlyNode | undefined;
  let path: LinkProxy;

  beforeAll(async () => {
    browser = await launchChromium();
    const options = { cluster: "sync", logLevel: "silent", mesh: { port: 0 } } as const;
    holder = await createNode({ ...options, name: "holder" });
    const session = holder.session();
    holder.batch(() => {
      for (let index = 0; index < ENTRIES; index++)
        session.track(`room:${index % 60}`, `${index}`, { pad: PAD });
    });
    path = await LinkProxy.listen({ targetPort: Number(new URL(holder.meshUrl!).port) });
  });

  afterAll(async () => {
    await browser?.close();
    await fresh?.stop();
    await holder?.stop();
    await path?.close();
  });

  it("tells how many entries have come, of how many and from whom, and that it is ready at the end", async () => {
    fresh = await createNode({
      name: "fresh",
      cluster: "sync",
      logLevel: "silent",
      mesh: { port: 0, peers: [`ws://127.0.0.1:${path.port}`], peerGossip: false, silentAfterMs: 60_000 },
      http: { port: 0 },
      downAfterMs: 60_000,
      pullTimeoutMs: 60_000,
      readyGraceMs: 60_000,
    });
    // The path stands still once a part has come: a state that takes its time.
    await eventually(
      () => {
        const { entriesReceived = 0 } = fresh!.syncProgress ?? {};
        if (entriesReceived > 0) path.stall();
        expect(entriesReceived).toBeGreaterThan(0);
      },
      { intervalMs: 1, timeoutMs: 30_000 },
    );
    const url = fresh.httpUrl!;
    const { body } = await send(url, "/api/cluster");
    expect(body).toMatchObject({ ready: false, sync: { from: holder.replica, entriesExpected: ENTRIES } });
    expect(body.sync.entriesReceived).toBeLessThan(ENTRIES);
    const tab = await PageTab.open(browser, { url });
    await tab.page.waitForSelector('#sync[data-ready="false"]:not([hidden])');
    const said = await tab.page.textContent("#sync-text");
    expect(said).toMatch(/^fresh is being brought up to date by holder: [\d,]+ of 60,000 entries$/);
    const bar = tab.page.locator("#sync-progress");
    expect(await bar.getAttribute("max")).toBe(String(ENTRIES));
    expect(Number(await bar.getAttribute("value"))).toBeGreaterThan(0);
    expect((await send(url, "/readyz")).text).toContain(`of ${ENTRIES} entries have come`);

    path.restore();
    await fresh.whenReady();
    await tab.page.waitForSelector('#sync[data-ready="true"]', { state: "hidden" });
    expect((await send(url, "/api/cluster")).body).toMatchObject({ ready: true, sync: null });
    expect(fresh.topics().reduce((sum, { entries }) => sum + entries, 0)).toBe(ENTRIES);
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
});
