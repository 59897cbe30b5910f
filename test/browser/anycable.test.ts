/** The documentation's quick start in a browser: `@anycable/web` as it ships, on three nodes. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { signStream } from "@presently/anycable";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CableNode, startCableNodes } from "../conformance/anycable-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { has } from "../helpers/programs.ts";
import { launchChromium } from "./chromium.ts";

/** Folders of the packages that the page imports, as the package manager laid them out. */
function folderOf(name: string, from: string): string {
  return dirname(createRequire(from).resolve(`${name}/package.json`));
}
const web = folderOf("@anycable/web", import.meta.url);
const core = folderOf("@anycable/core", pathToFileURL(join(web, "index.js")).href);
// It exports no package.json; its entry stands in the package's own folder.
const nanoevents = dirname(createRequire(join(core, "index.js")).resolve("nanoevents"));
const folders: Readonly<Record<string, string>> = { web, core, nanoevents };
const secret = "a secret of signer and server";

const html = `<!doctype html><meta charset="utf-8"><title>room</title><link rel="icon" href="data:,">
<script type="importmap">
  { "imports": { "@anycable/web": "/m/web/index.js", "@anycable/core": "/m/core/index.js", "nanoevents": "/m/nanoevents/index.js" } }
</script>
<ul id="users"></ul><pre id="messages"></pre>
<script type="module">
  import { createCable } from "@anycable/web";
  const query = new URLSearchParams(location.search);
  const cable = createCable({ protocol: "actioncable-v1-ext-json", reconnectStrategy: () => 50 });
  const chat = query.has("signed") ? cable.streamFromSigned(query.get("signed")) : cable.streamFrom("room/42");
  const show = async () => {
    const people = await chat.presence.info();
    const items = Object.entries(people ?? {}).sort().map(([id, { name }]) => {
      const item = document.createElement("li");
      item.textContent = id + " " + name;
      return item;
    });
    document.querySelector("#users").replaceChildren(...items);
  };
  chat.on("presence", show);
  chat.on("message", (message) => {
    document.querySelector("#messages").textContent += message.text + "\\n";
  });
  await chat.ensureSubscribed();
  await chat.presence.join(query.get("id"), { name: query.get("name") });
  await show();
  window.leave = () => chat.presence.leave();
  window.cut = () => cable.transport.ws.close();
</script>`;

describe.runIf(has("chromium"))("@anycable/web in a browser", () => {
  let browser: Browser;
  let nodes: CableNode[] = [];
  const pages: Page[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    nodes = await startCableNodes(["a", "b", "c"], { publicStreams: true, secret, presenceTtlMs: 600 });
    for (const { server } of nodes)
      server.on("request", (request, response) => {
        const path = (request.url ?? "").split("?")[0]!;
        const [, folder = "", file = ""] = /^\/m\/(\w+)\/(.+)$/.exec(path) ?? [];
        const source = normalize(join(folders[folder] ?? "", file));
        const isModule = folder in folders && source.startsWith(folders[folder]! + sep) && existsSync(source);
        response.setHeader("content-type", isModule ? "text/javascript" : "text/html");
        response.end(isModule ? readFileSync(source) : html);
      });
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all(nodes.map((node) => node.stop()));
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
    expect(errors.splice(0)).toEqual([]);
    await eventually(() => expect(nodes[0]!.cable.presence("room/42")).toEqual([]));
  });

  async function open(node: CableNode, query: Record<string, string>): Promise<Page> {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", (error) => void errors.push(error.message));
    pages.push(page);
    await page.goto(`${node.httpUrl}/?${new URLSearchParams(query)}`);
    return page;
  }

  const allShow = (tabs: readonly Page[], people: readonly string[]) =>
    eventually(async () => {
      for (const tab of tabs) expect(await tab.locator("#users li").allTextContents()).toEqual(people);
    });
  const run = (page: Page, name: string) =>
    page.evaluate((call) => (globalThis as unknown as Record<string, () => unknown>)[call]!(), name);

  it("shows two tabs of one person and one of another as two people, until the last tab is gone", async () => {
    const phone = await open(nodes[0]!, { id: "7", name: "Ann" });
    const laptop = await open(nodes[1]!, { id: "7", name: "Ann" });
    const bob = await open(nodes[2]!, { id: "8", name: "Bob" });
    await allShow([phone, laptop, bob], ["7 Ann", "8 Bob"]);
    await nodes[1]!.cable.broadcast("room/42", { text: "hello" });
    await eventually(async () => {
      for (const page of [phone, laptop, bob])
        expect(await page.locator("#messages").textContent()).toBe("hello\n");
    });
    await phone.close();
    await eventually(() => expect(nodes[2]!.node.get("room/42", "7").map(({ node }) => node)).toEqual(["b"]));
    await allShow([bob], ["7 Ann", "8 Bob"]);
    await laptop.close();
    await allShow([bob], ["8 Bob"]);
  });

  it("goes on after its connection broke, on a signed stream, and after a reload", async () => {
    const signed = signStream(secret, "room/42");
    const ann = await open(nodes[0]!, { id: "7", name: "Ann", signed });
    const bob = await open(nodes[1]!, { id: "8", name: "Bob" });
    await allShow([ann, bob], ["7 Ann", "8 Bob"]);
    await run(ann, "cut");
    await nodes[2]!.cable.broadcast("room/42", { text: "missed?" });
    await eventually(async () => expect(await ann.locator("#messages").textContent()).toBe("missed?\n"));
    await ann.reload();
    await allShow([ann, bob], ["7 Ann", "8 Bob"]);
    await run(ann, "leave");
    await allShow([ann, bob], ["8 Bob"]);
  });
});
