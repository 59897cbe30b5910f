/** The example page of `@presently/client` in a browser: React, two tabs, two nodes. */
import type { Browser, Page } from "playwright-core";
import type { PresentlyNode } from "presently";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ClientPage } from "../helpers/client-page.ts";
import { ClientWorld, portOf, socketUrl } from "../helpers/client-world.ts";
import { eventually } from "../helpers/eventually.ts";
import { has } from "../helpers/programs.ts";
import { Wire } from "../helpers/wire.ts";
import { launchChromium } from "./chromium.ts";

describe.runIf(has("chromium"))("the client in a browser", () => {
  let browser: Browser;
  let site: ClientPage;
  const world = new ClientWorld();
  const pages: Page[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    [browser, site] = await Promise.all([launchChromium(), ClientPage.start()]);
  });
  afterAll(() => Promise.all([browser?.close(), site?.close()]));
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
    await world.end();
    expect(errors.splice(0)).toEqual([]);
  });

  async function open(node: PresentlyNode, name: string, options?: { shell: boolean }): Promise<Page> {
    return await openAt(socketUrl(node), name, options);
  }

  async function openAt(socket: string, name: string, options?: { shell: boolean }): Promise<Page> {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", (error) => void errors.push(error.message));
    pages.push(page);
    await page.goto(site.url(socket, name, options));
    return page;
  }

  /** Who is shown, and as what. */
  const shown = (page: Page) =>
    page.$$eval("li", (items) =>
      items.map((item) => `${item.firstChild!.textContent} ${item.dataset.status}`).sort(),
    );
  const allShow = (people: readonly string[], shownBy: readonly Page[] = pages) =>
    eventually(async () => {
      for (const page of shownBy) expect(await shown(page)).toEqual(people);
    });
  const pointers = (page: Page) =>
    page.$$eval(".pointer", (items) =>
      items.map((item) => [item.textContent, (item as HTMLElement).style.left]),
    );
  const hide = (page: Page, hidden: boolean) =>
    page.evaluate(
      (state) => {
        Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      },
      hidden ? "hidden" : "visible",
    );

  it("shows both tabs in both, who is away, pointers and who types, and is whole after its node was away", async () => {
    const a = await world.start({ name: "a", checkOrigin: false });
    let b = await world.start({ name: "b", checkOrigin: false });
    // StrictMode mounts twice: others must not see it.
    const watcher = await world.client(a, { key: "watcher" }).join("room:42").whenJoined();
    const told: string[] = [];
    watcher.on("join", ({ key }) => void told.push(`join ${key}`));
    watcher.on("leave", ({ key }) => void told.push(`leave ${key}`));
    const alice = await open(a, "Alice");
    await eventually(() => expect(told).toEqual(["join Alice"]));
    const bob = await open(b, "Bob");
    await eventually(() => expect(told).toEqual(["join Alice", "join Bob"]));
    await watcher.leave();
    await allShow(["Alice active", "Bob active"]);

    await hide(bob, true);
    await allShow(["Alice active", "Bob away"]);
    await hide(bob, false);
    await allShow(["Alice active", "Bob active"]);

    await alice.mouse.move(120, 80);
    await eventually(async () => expect(await pointers(bob)).toEqual([["Alice", "120px"]]));
    // Typing is over by itself after a while: on a slow machine one has to go on.
    await eventually(async () => {
      await bob.locator("input").press("x");
      expect(await alice.locator("output").textContent()).toBe("Bob …");
    });

    const port = portOf(b);
    await world.stop(b);
    await eventually(async () =>
      expect(await bob.locator("main").getAttribute("data-room")).toBe("rejoining"),
    );
    expect(await shown(bob)).toEqual(["Alice active", "Bob active"]);
    b = await world.start({ name: "b", port, checkOrigin: false });
    await eventually(async () => expect(await bob.locator("main").getAttribute("data-room")).toBe("joined"));
    await allShow(["Alice active", "Bob active"]);
    expect(b.list("room:42").map(({ key, meta }) => [key, meta.name, meta.status])).toContainEqual([
      "Bob",
      "Bob",
      "active",
    ]);
  });

  it("is back after its connection was cut, though another tab is in front", async () => {
    const node = await world.start({ checkOrigin: false });
    const wire = await Wire.to(portOf(node));
    try {
      const page = await openAt(`ws://127.0.0.1:${wire.port}/socket`, "Alice");
      await allShow(["Alice active"]);
      await hide(page, true);
      await eventually(() => expect(node.list("room:42").map(({ meta }) => meta.status)).toEqual(["away"]));
      const before = node.list("room:42")[0]!.ref;
      wire.cut();
      await eventually(() => {
        const [alice, ...others] = node.list("room:42");
        expect(alice!.ref).not.toBe(before);
        expect([alice!.meta.status, others]).toEqual(["away", []]);
      });
      await hide(page, false);
      await allShow(["Alice active"]);
    } finally {
      await wire.close();
    }
  });

  it("shares a room between components, and leaves it when the last of them is gone, also in StrictMode", async () => {
    const node = await world.start({ checkOrigin: false });
    const told: string[] = [];
    for (const topic of ["room:1", "room:2"])
      node.watch(topic, (change) => {
        if (change.type !== "diff") return;
        for (const { key } of change.joins) told.push(`${key} joins ${topic}`);
        for (const { presence } of change.leaves) told.push(`${presence.key} leaves ${topic}`);
        for (const { after } of change.updates) told.push(`${after.key} is ${after.meta.mood}`);
      });
    const page = await open(node, "Alice", { shell: true });
    const show = (topics: string[], mood: string) =>
      page.evaluate(
        (words) => (globalThis as unknown as { show(...words: unknown[]): void }).show(...words),
        [topics, mood] as const,
      );
    const shownAs = (outputs: string[]) =>
      eventually(async () => expect(await page.locator("output").allTextContents()).toEqual(outputs));
    const expected: string[] = [];
    const tells = (...lines: string[]) => {
      expected.push(...lines);
      return eventually(() => expect(told).toEqual(expected));
    };
    await show(["room:1", "room:1"], "calm");
    await shownAs(["room:1 1", "room:1 1"]);
    await tells("Alice joins room:1");
    await show(["room:1"], "calm");
    await shownAs(["room:1 1"]);
    await show(["room:1"], "merry");
    await tells("Alice is merry");
    await show(["room:2"], "merry");
    await shownAs(["room:2 1"]);
    await eventually(() => expect(told).toHaveLength(4));
    expect(told.splice(2).sort()).toEqual(["Alice joins room:2", "Alice leaves room:1"]);
    await show([], "merry");
    await tells("Alice leaves room:2");
  });
});
