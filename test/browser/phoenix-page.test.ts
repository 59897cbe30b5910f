/** The page of the demo as a client of phoenix.js: three nodes, three tabs; and the page of a node without it. */
import type { Browser } from "playwright-core";
import { type Demo, startDemo } from "presently/demo";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { has } from "../helpers/programs.ts";
import { launchChromium } from "./chromium.ts";
import { heal } from "./demo-cluster.ts";
import { PageTab } from "./page-tab.ts";

describe.runIf(has("chromium"))("the page", () => {
  let browser: Browser;
  let demo: Demo | undefined;
  const tabs: PageTab[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  afterEach(async () => {
    const errors = tabs.flatMap((tab) => tab.errors);
    await Promise.all(tabs.splice(0).map((tab) => tab.close()));
    await demo?.stop();
    demo = undefined;
    expect(errors).toEqual([]);
  });

  async function open(url: string, name: string): Promise<PageTab> {
    const tab = await PageTab.open(browser, { url, name, room: "lobby" });
    tabs.push(tab);
    return tab;
  }

  /** Whether this page has loaded the npm client, without which it has no WebSocket. */
  const isPhoenixClient = (tab: PageTab) =>
    tab.page.evaluate(() =>
      performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/socket/phoenix.mjs")),
    );

  it("shows two tabs as Alice and one as Bob by phoenix.js, who is left when they close, and when a node dies", async () => {
    demo = await startDemo({ ports: "free" });
    await heal(demo);
    const [first, second, bob] = [
      await open(demo.node("n1").url, "Alice"),
      await open(demo.node("n2").url, "Alice"),
      await open(demo.node("n3").url, "Bob"),
    ];
    for (const tab of tabs) {
      await tab.untilPeople({ Alice: ["n1", "n2"], Bob: ["n3"] });
      expect(await isPhoenixClient(tab)).toBe(true);
    }
    await first.close();
    await bob.untilActivity("Alice has 1 of 2 connections left");
    for (const tab of [second, bob]) await tab.untilPeople({ Alice: ["n2"], Bob: ["n3"] });
    await second.close();
    await bob.untilPeople({ Bob: ["n3"] });
    await bob.untilActivity("Alice left");
    await open(demo.node("n1").url, "Carol");
    await bob.untilPeople({ Bob: ["n3"], Carol: ["n1"] });
    await demo.node("n1").kill();
    await bob.untilPeople({ Bob: ["n3"] });
    await bob.untilActivity("Carol lost with n1");
    await demo.node("n1").start();
    await bob.untilPeople({ Bob: ["n3"], Carol: ["n1"] });
  });

  it("is the same by server-sent events at a node that does not serve phoenix.js", async () => {
    demo = await startDemo({ ports: "free", nodes: 1, phoenix: false });
    const alice = await open(demo.node("n1").url, "Alice");
    const bob = await open(demo.node("n1").url, "Bob");
    for (const tab of [alice, bob]) await tab.untilPeople({ Alice: ["n1"], Bob: ["n1"] });
    await bob.close();
    await alice.untilPeople({ Alice: ["n1"] });
    await alice.untilActivity("Bob left");
    expect(await isPhoenixClient(alice)).toBe(false);
    expect(await (await fetch(`${demo.node("n1").url}/phoenix.json`)).json()).toEqual({});
  });
});
