/** The dashboard against real nodes: what an operator sees while they are broken and mended, and what one can do. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { type Access, createNode, type PresentlyNode } from "presently";
import type { Demo } from "presently/demo";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send, topicPath } from "../helpers/http.ts";
import { has } from "../helpers/programs.ts";
import { violationsOf } from "./accessibility.ts";
import { launchChromium } from "./chromium.ts";
import { DashboardTab } from "./dashboard-tab.ts";
import { Client, heal, startTestDemo } from "./demo-cluster.ts";

const PICTURE = new URL("../../packages/presently/docs/dashboard.png", import.meta.url);
const PICTURE_BYTES_MAX = 300 * 1024;
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  lobby: ["Ada", "Grace", "Tomás", "Elif", "Freya", "Noor", "Zoë", "Kai"],
  support: ["Ada", "Grace", "Tomás", "Elif"],
  "design review": ["Freya", "Noor"],
  random: ["Zoë", "Kai", "Ada", "Elif", "Freya", "Noor"],
  "on call": ["Grace"],
};

describe.runIf(has("chromium"))("the dashboard", () => {
  let browser: Browser;
  let tabs: DashboardTab[] = [];
  let nodes: PresentlyNode[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    const errors = tabs.flatMap((tab) => tab.errors);
    await Promise.all(tabs.map((tab) => tab.close()));
    await Promise.all(nodes.map((node) => node.stop()));
    [tabs, nodes] = [[], []];
    expect(errors).toEqual([]);
  });

  async function open(url: string, options: Parameters<typeof DashboardTab.open>[2] = {}) {
    const tab = await DashboardTab.open(browser, url, options);
    tabs.push(tab);
    return tab;
  }

  /** Nodes of this process, linked with each other. */
  async function startNodes(count: number, options: { readonly access?: Access } = {}) {
    for (let index = 1; index <= count; index++) {
      const mesh = { port: 0, peers: nodes.map((node) => node.meshUrl!) };
      nodes.push(
        await createNode({ name: `n${index}`, logLevel: "silent", mesh, http: { port: 0 }, ...options }),
      );
    }
    await Promise.all(nodes.map((node) => node.whenReady()));
    return nodes as [PresentlyNode, PresentlyNode];
  }

  /** `UPDATE_PICTURE=1 npx vitest run --project browser dashboard.test` takes it anew, with a minute of curves. */
  async function takePicture(tab: DashboardTab, urls: readonly string[]) {
    const put = (room: string, name: string, index: number) => {
      const meta = { name, since: Date.now() - index * 400_000 };
      const path = topicPath(`room:${room}`, name.toLowerCase());
      return send(urls[index % urls.length]!, path, { method: "PUT", body: { meta } });
    };
    for (const [room, people] of Object.entries(ROOMS))
      for (const [index, name] of people.entries()) await put(room, name, index);
    await tab.page.setViewportSize({ width: 1280, height: 1500 });
    await tab.page.click("#outcome-close");
    await tab.page.click('#topics button:has-text("lobby")');
    for (let guest = 0; guest < 30; guest++) {
      await put("lobby", `Guest ${guest % 4}`, 0);
      await tab.page.waitForTimeout(400 + 500 * (guest % 7));
      const last = topicPath("room:lobby", `guest ${(guest + 2) % 4}`);
      await send(urls[0]!, last, { method: "DELETE" });
    }
    await tab.page.mouse.move(0, 0);
    writeFileSync(PICTURE, await tab.page.screenshot({ animations: "disabled" }));
  }

  it("has a picture in the documentation that is not too large for it", () => {
    expect(readFileSync(PICTURE).length).toBeLessThan(PICTURE_BYTES_MAX);
  });

  describe("of one of three processes", () => {
    let demo: Demo;
    beforeAll(async () => {
      demo = await startTestDemo();
      await heal(demo);
    });
    afterAll(() => demo?.stop());

    it("shows a crash, a restart, cuts and a silent node as they are, and never what was as what is", async () => {
      const visitor = await Client.open(demo, "n3", "lobby", "ada");
      const tab = await open(demo.node("n1").url);
      const wellAgain = () => tab.untilHealth("good", "All 3 replicas are up and agree with n1");
      await wellAgain();
      await tab.untilDrawnLink("n2", "n3", "up");
      await tab.untilText('[data-node="n3"] [data-label="Link"] .cell-main', / m?s$/);
      await tab.untilText('[data-tile="Entries"] .tile-value', "1");

      await demo.node("n3").kill();
      await tab.untilHealth("bad", "n3 is down");
      await tab.untilDrawnNode("n3", "down");
      await tab.untilDrawnLink("n1", "n3", "down");
      await tab.untilEvent("replica-down", "is down");
      await tab.untilText('[data-tile="Entries"] .tile-value', "0");
      await tab.untilText('[data-tile="Replicas up"] .tile-value', "2");
      await tab.untilText('[data-node="n3"] [data-label="Link"] .cell-main', "none");
      visitor.close();

      // It will not come back as it was: forgotten, by hand, everywhere.
      await tab.page.click('[data-node="n3"] button');
      await tab.untilText("#confirm-title", /^Forget n3@\d+\?$/);
      await tab.page.keyboard.press("Escape");
      await tab.page.waitForSelector("#confirm:not([open])", { state: "attached" });
      await tab.page.waitForSelector('#replicas [data-node="n3"]');
      await tab.page.click('[data-node="n3"] button');
      await tab.answer("confirm", "go");
      await tab.untilOutcome(true, /^n3@\d+ was forgotten by n1@\d+, n2@\d+\.$/);
      await tab.untilHealth("good", "All 2 replicas are up and agree with n1");
      await tab.untilEvent("action", "was forgotten");

      await demo.node("n3").start();
      await wellAgain();

      demo.link("n2", "n3").cut();
      await tab.untilHealth("warn", "n2 and n3 have no link with each other");
      await tab.untilDrawnLink("n2", "n3", "indirect");
      if (process.env.UPDATE_PICTURE)
        await takePicture(
          tab,
          demo.nodes.map(({ url }) => url),
        );
      demo.link("n2", "n3").restore();
      await wellAgain();
      demo.link("n1", "n2").cut();
      await tab.untilHealth("warn", "n1 has no link with n2");
      await tab.untilText('[data-node="n2"] [data-label="Link"] .cell-main', "relayed");
      await tab.untilText('[data-node="n2"] [data-label="Agreed"] .cell-main', "not known");
      demo.link("n1", "n2").restore();
      await wellAgain();

      demo.node("n1").pause();
      await tab.untilHealth("bad", "n1 is not answering");
      await tab.untilText("#health-detail", /^for (a moment|\d+ s)\. .* it may be wrong by now$/);
      await tab.untilTexts("#tiles .tile-value", ["–", "–", "–", "–", "–"]);
      await tab.untilDrawnNode("n2", "unknown");
      await tab.untilText('[data-node="n2"] .cell-status', "was up");
      demo.node("n1").resume();
      await wellAgain();
    });
  });

  it("finds topics among 5,000, drawing one page of them, and shows who comes and goes on one", async () => {
    const [n1, n2] = await startNodes(2);
    const session = n1.session();
    n1.batch(() => {
      for (let index = 0; index < 5_000; index++) session.track(`room:${index}`, "ada");
      for (const key of ["bob", "cleo"]) session.track("room:4321", key);
    });
    const hostile = { name: "<img src=x onerror=alert(1)>", device: "\u202edaeh" };
    n1.session().track("\u202e<b>x</b>", "<i>\u202eevil</i>", hostile);
    const tab = await open(n1.httpUrl!);
    const { page } = tab;
    await tab.untilText("#topics-total", "5,001 topics · 5,003 keys · 5,003 entries");
    expect(await page.locator("#topics > li").count()).toBe(25);
    await tab.untilText("#topics .name", "room:4321");
    await tab.untilText("#topics-page", "page 1 of 201");

    await page.fill("#topics-prefix", "room:43");
    await tab.untilText("#topics-total", /^111 topics start like that/);
    await page.selectOption("#topics-sort", "name");
    await tab.untilText("#topics .name", "room:43");
    await page.click("#topics-next");
    await tab.untilText("#topics .name", "room:4321");
    await page.click("#topics-previous");
    await tab.untilText("#topics .name", "room:43");

    // By keyboard, and kept in the address.
    await page.fill("#topics-prefix", "room:4321");
    await tab.untilTexts("#topics .name", ["room:4321"]);
    await page.focus("#topics button");
    await page.keyboard.press("Enter");
    const people = "#people .name";
    await tab.untilTexts(people, ["ada", "bob", "cleo"]);
    const late = n2.session();
    late.track("room:4321", "dan");
    await tab.untilTexts(people, ["ada", "bob", "cleo", "dan"]);
    await tab.untilText('[data-tile="Changes a minute"] .tile-detail', "1 join, 0 leaves");
    late.close();
    await tab.untilTexts(people, ["ada", "bob", "cleo"]);
    await page.fill("#people-filter", "LE");
    await tab.untilTexts(people, ["cleo"]);
    await page.reload();
    await tab.untilTexts(people, ["ada", "bob", "cleo"]);

    // One with more people than a page should hold is counted, and not listed.
    const crowd = n1.session();
    n1.batch(() => {
      for (let index = 0; index <= 20_000; index++) crowd.track("crowd", String(index));
    });
    await page.fill("#topics-prefix", "crowd");
    await tab.untilTexts("#topics .name", ["crowd"]);
    await page.click("#topics button");
    await tab.untilText("#topic-notice", /^20,001 entries are more than this page lists/);
    await tab.untilTexts(people, []);
    crowd.close();

    await page.fill("#topics-prefix", "\u202e");
    await tab.untilTexts("#topics .name", ["⟨202e⟩<b>x</b>"]);
    await page.click("#topics button");
    await tab.untilTexts(people, ["<img src=x onerror=alert(1)> (<i>⟨202e⟩evil</i>)"]);
    expect(await page.$$("main img, main b, main i")).toEqual([]);
  });

  it("gives its connections back while nobody looks, and is up to date when somebody does", async () => {
    const [n1] = await startNodes(1);
    const session = n1.session();
    session.track("room", "ada");
    const tab = await open(n1.httpUrl!, { hash: "topic=room" });
    const { page } = tab;
    await tab.untilTexts("#people .name", ["ada"]);
    await page.clock.install();
    const setHidden = (hidden: boolean) =>
      page.evaluate((value) => {
        Object.defineProperty(document, "hidden", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await setHidden(true);
    await page.clock.fastForward(11_000);
    session.track("room", "bob");
    const opened = page.waitForRequest("**/api/cluster/notices");
    await setHidden(false);
    await opened;
    await tab.untilTexts("#people .name", ["ada", "bob"]);
    await page.waitForSelector("#topic:not([data-stale])");
  });

  it("asks for a token, keeps it in the tab, and says what one may not do", async () => {
    const access: Access = {
      authenticate: ({ token }) =>
        token === "look" || token === "operate" ? { id: token, claims: {} } : undefined,
      authorize: ({ id }, { kind }) => id === "operate" || kind === "inspect" || kind === "watch",
    };
    const [n1, n2] = await startNodes(2, { access });
    const key = "k/\u202e?".padEnd(255 - 2, "x");
    n2.session().track("room", key);
    const tab = await open(n1.httpUrl!, { hash: "topic=room" });
    const { page } = tab;
    await tab.untilHealth("unknown", "This node asks for a token");
    await tab.giveToken("wrong");
    await tab.untilText("#token-text", "This token is not known here, or does not count any more.");
    await tab.answer("token", "cancel");
    // Asked once, it does not insist.
    await page.click("#token-enter");
    await tab.giveToken("look");
    await tab.untilHealth("good", "All 2 replicas are up and agree with n1");
    const shown = key.replace("\u202e", "⟨202e⟩");
    await tab.untilTexts("#people .name", [shown]);
    await tab.untilEvent("replica-up", n2.replica);

    await page.click("#people button");
    await tab.answer("confirm", "go");
    await tab.untilText("#token-text", /was not removed from room yet\. "look" may not operate kick\.$/);
    await tab.answer("token", "cancel");
    await tab.untilOutcome(
      false,
      /was not removed from room: "look" may not operate kick \(403 FORBIDDEN\)$/,
    );
    expect(n1.count("room").keys).toBe(1);

    await page.click("#people button");
    await tab.answer("confirm", "go");
    await tab.giveToken("operate");
    await tab.untilOutcome(true, `${shown} was removed from room.`);
    await tab.untilText("#people-more", "Nobody.");
    expect(n2.count("room").keys).toBe(0);

    await page.click('[data-node="n2"] button');
    await tab.answer("confirm", "go");
    await tab.untilOutcome(true, `${n2.replica} was forgotten by ${n1.replica}.`);
    // It lives, so it comes back, and the page does not hide that either.
    await tab.untilHealth("good", "All 2 replicas are up and agree with n1");

    const stored = await page.evaluate(() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage)]);
    expect(stored).toEqual([expect.stringContaining("operate"), expect.not.stringContaining("operate")]);
    expect(page.url()).not.toContain("operate");
    await page.reload();
    await tab.untilHealth("good", "All 2 replicas are up and agree with n1");
    await page.click("#token-forget");
    await page.waitForSelector("#token[open]");
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain("operate");
  });

  it("stays within phones and laptops and the rules of axe-core, in light and dark, with 50 nodes and names without an end", async () => {
    const [n1] = await startNodes(1);
    n1.session().track("t".repeat(255), "k".repeat(255), { name: "n".repeat(255) });
    const replicas = Array.from({ length: 49 }, (_, index) => {
      const node = index === 7 ? `${"node".repeat(60)}` : `n${index + 2}`;
      const status = index === 3 ? "down" : index === 5 ? "suspect" : "up";
      const linked = status === "up" && index !== 9;
      return {
        ...{ replica: `${node}@1`, node, status, linked, entries: 1_234_567, events: 7_654_321, hash: 0 },
        ...{ heardAgoMs: 100, agrees: linked, agreedAgoMs: linked ? 100 : null, address: null },
      };
    });
    const answer = await send(n1.httpUrl!, "/api/cluster");
    const report = { ...answer.body, replicas: [...answer.body.replicas, ...replicas] };
    for (const phone of [true, false]) {
      const tab = await open(n1.httpUrl!, {
        phone,
        colorScheme: phone ? "dark" : "light",
        hash: `topic=${"t".repeat(255)}`,
      });
      await tab.page.route("**/api/cluster", (route) => route.fulfill({ json: report }));
      await tab.untilHealth("bad", "n5 is down");
      await tab.untilText("#people .name", /^n+ \(k+\)$/);
      await eventually(async () => expect(await tab.page.locator("#replicas > tr").count()).toBe(50));
      expect(await tab.page.locator("#picture-nodes > g").count()).toBe(50);
      // Its own links, and not the 1,176 others.
      expect(await tab.page.locator("#picture-links > g").count()).toBe(49);
      expect(await tab.page.getAttribute("#picture", "aria-label")).toMatch(
        /^The cluster: 48 nodes up, n5 down, n7 suspect;/,
      );
      expect(await tab.overflow()).toBeLessThanOrEqual(0);
      expect(await violationsOf(tab.page)).toEqual([]);
      await tab.page.unrouteAll({ behavior: "ignoreErrors" });
    }
  });
});
