/** Three nodes, three browsers with a page each: what people see while the cluster is broken and mended. */
import type { Browser } from "playwright-core";
import type { Demo } from "presently/demo";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { has } from "../helpers/programs.ts";
import { violationsOf } from "./accessibility.ts";
import { launchChromium } from "./chromium.ts";
import { Client, heal, reportOf, startTestDemo } from "./demo-cluster.ts";
import { PageTab, type TabOptions } from "./page-tab.ts";

/** The default of `--down-after-ms`: a node that nobody hears of for longer is believed down. */
const DOWN_AFTER_MS = 5_000;

describe.runIf(has("chromium"))("the page", () => {
  let browser: Browser;
  let demo: Demo;
  let tabs: PageTab[] = [];
  let clients: Client[] = [];
  let rooms = 0;

  beforeAll(async () => {
    browser = await launchChromium();
    demo = await startTestDemo();
    await heal(demo);
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
  });

  afterEach(async () => {
    const errors = tabs.flatMap((tab) => tab.errors);
    await Promise.all(tabs.map((tab) => tab.close()));
    for (const client of clients) client.close();
    tabs = [];
    clients = [];
    await heal(demo);
    expect(errors).toEqual([]);
  });

  const newRoom = () => `room ${++rooms}`;

  async function open(node: string, options: Omit<TabOptions, "url"> = {}): Promise<PageTab> {
    const tab = await PageTab.open(browser, { url: demo.node(node).url, ...options });
    tabs.push(tab);
    return tab;
  }

  /** Ada on n1, Bob on n2, Cleo on n3. */
  async function openThree(room: string): Promise<[PageTab, PageTab, PageTab]> {
    return [
      await open("n1", { name: "Ada", room }),
      await open("n2", { name: "Bob", room }),
      await open("n3", { name: "Cleo", room }),
    ];
  }

  const allThree = { Ada: ["n1"], Bob: ["n2"], Cleo: ["n3"] };

  async function connect(node: string, room: string, key: string, meta?: object): Promise<Client> {
    const client = await Client.open(demo, node, room, key, meta);
    clients.push(client);
    return client;
  }

  it("shows people on three nodes to each other", async () => {
    for (const tab of await openThree(newRoom())) await tab.untilPeople(allThree);
  });

  it("shows a closed tab nowhere", async () => {
    const [ada, bob, cleo] = await openThree(newRoom());
    for (const tab of [ada, bob, cleo]) await tab.untilPeople(allThree);
    await cleo.close();
    for (const tab of [ada, bob]) {
      await tab.untilPeople({ Ada: ["n1"], Bob: ["n2"] });
      await tab.untilActivity("Cleo left");
    }
  });

  it("loses the people of a killed node, and has them back after its restart without a click", async () => {
    const [ada, bob, cleo] = await openThree(newRoom());
    for (const tab of [ada, bob, cleo]) await tab.untilPeople(allThree);
    await demo.node("n3").kill();
    for (const tab of [ada, bob]) {
      await tab.untilPeople({ Ada: ["n1"], Bob: ["n2"] });
      await tab.untilActivity("Cleo lost with n3");
    }
    await cleo.untilConnection("waiting");
    // The page shows who was there last, and says that it may be wrong.
    expect(await cleo.people()).toHaveLength(3);
    await cleo.page.waitForSelector("#notice:not([hidden])");
    await demo.node("n3").start();
    await cleo.untilConnection("live");
    for (const tab of [ada, bob, cleo]) await tab.untilPeople(allThree);
    await cleo.page.waitForSelector("#notice", { state: "hidden" });
  });

  it("shows nobody that two nodes are cut off from each other while a third hears both", async () => {
    const room = newRoom();
    const [ada, bob, cleo] = await openThree(room);
    for (const tab of [ada, bob, cleo]) await tab.untilPeople(allThree);
    const before = await ada.activity();
    demo.link("n1", "n2").cut();
    const cutMs = performance.now();
    await ada.untilLink("n1", "n2", "cut");
    // News still crosses the cut, both ways.
    await connect("n2", room, "Dan");
    await connect("n1", room, "Eve");
    const everybody = { ...allThree, Dan: ["n2"], Eve: ["n1"] };
    for (const tab of [ada, bob, cleo]) await tab.untilPeople(everybody);
    while (performance.now() < cutMs + 1.5 * DOWN_AFTER_MS) {
      expect(await ada.people()).toHaveLength(5);
      expect(await bob.people()).toHaveLength(5);
      await ada.page.waitForTimeout(100);
    }
    // It was no short cut back: the link is still down, and n2 is up nevertheless.
    await eventually(async () => {
      expect(await reportOf(demo, "n1", "n2")).toMatchObject({ status: "up", linked: false });
    });
    const since = (await ada.activity()).filter((sentence) => !before.includes(sentence));
    expect(since.toSorted()).toEqual(["Dan joined via n2", "Eve joined via n1"]);
  });

  it("shows names of markup, emoji and property names as the text that they are", async () => {
    const room = newRoom();
    const names = [
      "<img src=x onerror=alert(1)>",
      "</li><script>alert(2)</script>",
      "&lt;b&gt; &amp; \"quotes\" 'n' `ticks`",
      "__proto__",
      "constructor",
      "👩‍👩‍👧 🦊",
      "مرحبا",
      "a/b?c=d#e%2e",
    ];
    const [own, ...others] = names as [string, ...string[]];
    const expected = [[own, ["n1"]]];
    for (const [index, name] of others.entries()) {
      const node = `n${(index % 3) + 1}`;
      await connect(node, room, name, { name, device: `<i>${name}</i>` });
      expected.push([name, [node]]);
    }
    const tab = await open("n1", { name: own, room });
    await tab.untilPeople(Object.fromEntries(expected));
    expect(await tab.page.$$("main img, main script, main i")).toEqual([]);
    expect(await tab.page.textContent("[data-person='__proto__'] .device")).toBe("<i>__proto__</i>");
  });

  it("shows a room whose name is markup as text, and joins it", async () => {
    const room = "<u>é/?#&'%</u>";
    const tab = await open("n1", { name: "Ada", room });
    const other = await open("n2", { name: "Bob", room });
    await tab.untilPeople({ Ada: ["n1"], Bob: ["n2"] });
    await other.page.waitForSelector(`#room-name:text-is(${JSON.stringify(room)})`);
  });

  it("shows several connections of one name as one person", async () => {
    const room = newRoom();
    const tab = await open("n1", { name: "Ada", room });
    const second = await connect("n2", room, "Ada", { device: "phone · Safari" });
    await tab.untilPeople({ Ada: ["n1", "n2"] });
    await tab.page.waitForSelector('.person-count:text-is("×2")');
    second.close();
    await tab.untilPeople({ Ada: ["n1"] });
    await tab.untilActivity("Ada has 1 of 2 connections left");
  });

  it("says that a stopped node does not answer, and goes on when it does", async () => {
    const tab = await open("n3", { name: "Cleo", room: newRoom() });
    demo.node("n3").pause();
    await tab.untilConnection("silent");
    demo.node("n3").resume();
    await tab.untilConnection("live");
    await tab.untilPeople({ Cleo: ["n3"] });
  });

  it("joins by its form, remembers the name, and leaves", async () => {
    const room = newRoom();
    const ada = await open("n1", { name: "Ada", room });
    const { page } = ada;
    await page.click("#leave");
    await page.waitForSelector("#join");
    expect(await page.inputValue("#join-name")).toBe("Ada");
    await page.reload();
    await page.waitForSelector("#join");
    expect(await page.inputValue("#join-name")).toBe("Ada");
    await page.fill("#join-name", "  Ada   ");
    await page.fill("#join-room", room);
    await page.keyboard.press("Enter");
    await ada.untilPeople({ Ada: ["n1"] });
    // Loading the page again is no farewell.
    await page.reload();
    await ada.untilPeople({ Ada: ["n1"] });
  });

  it("is joined by keyboard, and goes on from the room's name", async () => {
    const { page } = await open("n1");
    await page.fill("#join-name", "Ada");
    await page.fill("#join-room", newRoom());
    await page.keyboard.press("Enter");
    await page.waitForSelector("#room-name:focus");
    await page.keyboard.press("Tab");
    await page.waitForSelector("#leave:focus");
  });

  it("draws nothing while nothing happens", async () => {
    const room = newRoom();
    const others = ["Bob", "Cleo", "Dan", "Eve"];
    for (const name of others) await connect("n2", room, name, { name, since: Date.now() - 3_600_000 });
    const tab = await open("n1", { name: "Ada", room });
    await tab.untilPeople({ Ada: ["n1"], ...Object.fromEntries(others.map((name) => [name, ["n2"]])) });
    const still = await tab.page.evaluate(async () => {
      const isStill = () => document.getAnimations().length === 0;
      const rounds = () => performance.getEntriesByName(`${location.origin}/api/cluster`).length;
      const frame = () => new Promise(requestAnimationFrame);
      while (!isStill()) await frame();
      const changes: string[] = [];
      const observer = new MutationObserver((records) => {
        for (const { type, target, attributeName, oldValue } of records) {
          const isSame =
            type === "attributes" && (target as Element).getAttribute(attributeName!) === oldValue;
          if (!isSame) changes.push(`${type} ${attributeName ?? ""}: ${target.textContent}`);
        }
      });
      const what = { subtree: true, childList: true, attributeOldValue: true, characterData: true };
      observer.observe(document, what);
      // The page asks its node each second: for three answers it has had something to draw.
      const until = rounds() + 3;
      while (rounds() < until) await frame();
      return { changes, animations: document.getAnimations().length };
    });
    expect(still).toEqual({ changes: [], animations: 0 });
  });

  it("shows characters that cannot be seen, and no stay of a thousand years", async () => {
    const room = newRoom();
    await connect("n2", room, "eve", { name: "A\u202eda\u200b", since: 0 });
    const tab = await open("n1", { name: "Ada", room });
    await tab.untilPeople({ Ada: ["n1"], "A⟨202e⟩da⟨200b⟩": ["n2"] });
    expect(await tab.page.textContent("[data-person='eve'] .person-since")).toBe("here");
  });

  it("has nothing in it that axe-core finds, in either colour scheme", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const room = newRoom();
      await connect("n2", room, "Bob", { name: "Bob" });
      const form = await open("n1", { colorScheme });
      await form.page.waitForSelector("#rooms-list button");
      expect(await violationsOf(form.page)).toEqual([]);
      const tab = await open("n1", { name: "Ada", room, colorScheme });
      await tab.untilPeople({ Ada: ["n1"], Bob: ["n2"] });
      await tab.page.waitForFunction(() => document.getAnimations().length === 0);
      expect(await violationsOf(tab.page)).toEqual([]);
    }
  });

  it("offers the rooms that people are in", async () => {
    const room = newRoom();
    await connect("n2", room, "Bob");
    const { page } = await open("n2");
    await page.click(`#rooms-list button:has-text("${room}")`);
    expect(await page.inputValue("#join-room")).toBe(room);
  });

  it("says why it was refused, and does not try for ever", async () => {
    const tab = await open("n1");
    await tab.page.goto(`${demo.node("n1").url}/?name=${"x".repeat(300)}&room=lobby`);
    await tab.page.waitForSelector("#join-error:not([hidden])");
    expect(await tab.page.textContent("#join-error")).toMatch(/255/);
  });

  it("cuts and restores a link, and kills and restarts a node, at the press of a button", async () => {
    const ada = await open("n1", { name: "Ada", room: newRoom() });
    const { page } = ada;
    await page.click('[data-link="n2 n3"] button');
    await ada.untilLink("n2", "n3", "cut");
    expect(demo.link("n2", "n3").isCut).toBe(true);
    await page.click('[data-link="n2 n3"] button');
    await ada.untilLink("n2", "n3", "up");
    await page.click('[data-node="n2"] .kill');
    await ada.untilNode("n2", "down");
    await page.click('[data-node="n2"] .kill');
    await ada.untilNode("n2", "up");
    // Its own node too: the supervisor still listens.
    await page.click('[data-node="n1"] .kill');
    await ada.untilConnection("waiting");
    await page.click('[data-node="n1"] .kill');
    await ada.untilConnection("live");
    await ada.untilPeople({ Ada: ["n1"] });
  });

  it("fits a phone and a laptop, in light and dark, without scrolling sideways", async () => {
    const room = newRoom();
    await connect("n2", room, "a-name-without-a-single-space-in-it-that-is-longer-than-any-phone-is-wide", {
      device: "a device with a long story about itself that nobody asked for",
    });
    for (const phone of [true, false]) {
      for (const colorScheme of ["light", "dark"] as const) {
        const { page } = await open("n1", { name: "Ada", room, phone, colorScheme });
        await page.waitForSelector("#people > li:nth-child(2)");
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow).toBeLessThanOrEqual(0);
      }
    }
  });
});
