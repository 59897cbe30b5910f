/**
 * The picture of the page in the documentation. `UPDATE_PICTURE=1 npx vitest run --project browser picture` takes it again;
 * otherwise this only makes sure that it can be taken, and that the one that is kept is not too large for a README.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import type { Demo } from "presently/demo";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { has } from "../helpers/programs.ts";
import { launchChromium } from "./chromium.ts";
import { Client, heal, startTestDemo } from "./demo-cluster.ts";
import { PageTab } from "./page-tab.ts";

const PICTURE = new URL("../../packages/presently/docs/page.png", import.meta.url);
const PICTURE_BYTES_MAX = 300 * 1024;
const ROOM = "lobby";

const PEOPLE: readonly (readonly [name: string, node: string, device: string, minutes: number])[] = [
  ["Ada Lovelace", "n1", "desktop · Firefox", 48],
  ["Ada Lovelace", "n3", "phone · Safari", 12],
  ["Grace Hopper", "n2", "desktop · Chrome", 31],
  ["Tomás Silva", "n3", "phone · Chrome", 26],
  ["Elif Kaya", "n2", "tablet · Safari", 19],
  ["Freya Lund", "n1", "desktop · Chrome", 8],
];

describe.runIf(has("chromium"))("the picture of the page", () => {
  let browser: Browser;
  let demo: Demo;
  const clients: Client[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    demo = await startTestDemo();
    await heal(demo);
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await browser?.close();
    await demo?.stop();
  });

  async function connect(name: string, node: string, device: string, minutes: number): Promise<Client> {
    const since = Date.now() - minutes * 60_000;
    const client = await Client.open(demo, node, ROOM, name, { name, device, since });
    clients.push(client);
    return client;
  }

  it("shows a cluster with people on every node, and what just happened", async () => {
    for (const person of PEOPLE) await connect(...person);
    const tab = await PageTab.open(browser, {
      url: demo.node("n1").url,
      name: "Kai",
      room: ROOM,
      viewport: { width: 1280, height: 790 },
    });
    const other = await PageTab.open(browser, { url: demo.node("n2").url, name: "Noor", room: ROOM });
    await connect("Zoë Keller", "n3", "desktop · Edge", 0);
    const guest = await connect("Visitor", "n1", "desktop · Chrome", 0);
    await tab.untilActivity("Visitor joined via n1");
    guest.close();
    await tab.untilActivity("Visitor left");
    await connect("Grace Hopper", "n1", "phone · Firefox", 0);
    await tab.untilActivity("Grace Hopper opened connection 2, via n1");
    // A cut that nobody notices is what the picture is about.
    demo.link("n1", "n3").cut();
    await tab.untilLink("n1", "n3", "cut");
    await connect("🦉 Owl", "n3", "phone · Firefox", 0);
    await tab.untilActivity("🦉 Owl joined via n3");
    await tab.page.waitForSelector("#people > li:nth-child(9)");
    await tab.page.waitForSelector('#nodes [data-node="n2"] .row-facts:has-text("agrees")');
    const picture = await tab.page.screenshot({ animations: "disabled" });
    expect(picture.length).toBeLessThan(PICTURE_BYTES_MAX);
    if (process.env.UPDATE_PICTURE) writeFileSync(PICTURE, picture);
    await Promise.all([tab.close(), other.close()]);
    expect([...tab.errors, ...other.errors]).toEqual([]);
  });

  it("is kept, and not too large for a README", () => {
    expect(readFileSync(PICTURE).length).toBeLessThan(PICTURE_BYTES_MAX);
  });
});
