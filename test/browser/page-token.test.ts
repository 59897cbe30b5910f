/** The room page of a node that asks for tokens. */
import type { Browser } from "playwright-core";
import { type Access, createNode, type PresentlyNode } from "presently";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { has } from "../helpers/programs.ts";
import { launchChromium } from "./chromium.ts";
import { PageTab } from "./page-tab.ts";

const access: Access = {
  authenticate: ({ token }) => (token === "open-sesame" ? { id: "ada", claims: {} } : undefined),
  authorize: () => true,
};

describe.runIf(has("chromium"))("the page of a node with access", () => {
  let browser: Browser;
  let node: PresentlyNode;
  beforeAll(async () => {
    browser = await launchChromium();
    node = await createNode({ name: "n1", logLevel: "silent", http: { port: 0 }, access });
  });
  afterAll(() => Promise.all([browser?.close(), node?.stop()]));

  it("has a field for the token, says when it is refused, and keeps it in the tab", async () => {
    const tab = await PageTab.open(browser, { url: node.httpUrl! });
    const { page } = tab;
    await page.waitForSelector("#join-token", { state: "visible" });
    await page.fill("#join-name", "Ada");
    await page.fill("#join-room", "lobby");
    await page.fill("#join-token", "wrong");
    await page.click("#join-form button[type=submit]");
    await page.waitForSelector("#join-error:not([hidden])");
    expect(await page.textContent("#join-error")).toMatch(/token/);
    await page.fill("#join-token", "open-sesame");
    await page.click("#join-form button[type=submit]");
    await tab.untilConnection("live");
    await tab.untilPeople({ Ada: ["n1"] });
    expect(node.list("room:lobby").map(({ key }) => key)).toEqual(["Ada"]);
    expect(page.url()).not.toContain("sesame");
    await page.reload();
    await tab.untilPeople({ Ada: ["n1"] });
    expect(tab.errors).toEqual([]);
    await tab.close();
  });

  it("shows no such field where no token is asked for", async () => {
    const open = await createNode({ name: "n2", logLevel: "silent", http: { port: 0 } });
    const tab = await PageTab.open(browser, { url: open.httpUrl!, name: "Bob", room: "lobby" });
    await tab.page.click("#leave");
    await tab.page.waitForSelector("#join-form");
    expect(await tab.page.isVisible("#join-token")).toBe(false);
    await tab.close();
    await open.stop();
  });
});
