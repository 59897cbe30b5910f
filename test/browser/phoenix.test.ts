/** The seed guide's page in a browser: phoenix.js as it ships, on three nodes. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type PhoenixNode, startPhoenixNodes } from "../conformance/phoenix-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { has } from "../helpers/programs.ts";
import { launchChromium } from "./chromium.ts";

const clientModule = readFileSync(
  createRequire(import.meta.url)
    .resolve("phoenix")
    .replace(/\.cjs\.js$/, ".mjs"),
  "utf8",
);

const html = `<!doctype html><meta charset="utf-8"><title>lobby</title><link rel="icon" href="data:,">
<ul id="users"></ul>
<script type="module">
  import { LongPoll, Presence, Socket } from "/phoenix.mjs";
  const query = new URLSearchParams(location.search);
  const options = query.has("poll") ? { transport: LongPoll } : {};
  const socket = new Socket("/socket", {
    params: { user_id: query.get("name") },
    authToken: query.get("token") ?? undefined,
    reconnectAfterMs: () => 50,
    rejoinAfterMs: () => 50,
    ...options,
  });
  socket.connect();
  const channel = socket.channel("room:lobby", {});
  const presence = new Presence(channel);
  presence.onSync(() => {
    const items = presence.list((id, { metas: [, ...rest] }) => {
      const item = document.createElement("li");
      item.textContent = id + " (" + (rest.length + 1) + ")";
      return item;
    });
    document.querySelector("#users").replaceChildren(...items);
  });
  channel.join();
  window.echo = (bytes) =>
    new Promise((resolve) =>
      channel.push("echo", Uint8Array.from(bytes).buffer).receive("ok", (reply) => resolve([...new Uint8Array(reply)])),
    );
</script>`;

interface Assigns {
  readonly userId: string;
}

describe.runIf(has("chromium"))("phoenix.js in a browser", () => {
  let browser: Browser;
  let nodes: PhoenixNode<Assigns>[] = [];
  const pages: Page[] = [];
  const errors: string[] = [];
  const tokens: unknown[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
    expect(errors.splice(0)).toEqual([]);
  });

  async function start(names: readonly string[]): Promise<void> {
    tokens.length = 0;
    nodes = await startPhoenixNodes<Assigns>(
      names,
      (socket) =>
        socket.channel("room:*", {
          presence: { key: (channel) => channel.assigns.userId },
          handleIn: { echo: (payload) => ({ ok: payload }) },
        }),
      {
        connect: (params, { authToken }) => {
          tokens.push(authToken);
          return typeof params.user_id === "string" ? { userId: params.user_id } : null;
        },
      },
    );
    for (const { server } of nodes) {
      server.on("request", (request, response) => {
        const isModule = request.url === "/phoenix.mjs";
        response.setHeader("content-type", isModule ? "text/javascript" : "text/html");
        response.end(isModule ? clientModule : html);
      });
    }
  }

  async function open(node: PhoenixNode<Assigns>, query: Record<string, string>): Promise<Page> {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", (error) => void errors.push(error.message));
    pages.push(page);
    await page.goto(`http://127.0.0.1:${node.port}/?${new URLSearchParams(query)}`);
    return page;
  }

  const shown = async (page: Page) => (await page.locator("#users li").allTextContents()).sort();
  const allShow = (tabs: readonly Page[], people: readonly string[]) =>
    eventually(async () => {
      for (const tab of tabs) expect(await shown(tab)).toEqual(people);
    });

  it("shows two tabs as Alice and one as Bob, and who is left when they close", async () => {
    await start(["a", "b", "c"]);
    const first = await open(nodes[0]!, { name: "Alice" });
    const second = await open(nodes[1]!, { name: "Alice" });
    const bob = await open(nodes[2]!, { name: "Bob" });
    await allShow([first, second, bob], ["Alice (2)", "Bob (1)"]);
    await first.close();
    await allShow([second, bob], ["Alice (1)", "Bob (1)"]);
    await second.close();
    await allShow([bob], ["Bob (1)"]);
  });

  it("is the same by long-polling, with a token, and after a reload", async () => {
    await start(["a", "b"]);
    const polling = await open(nodes[0]!, { name: "Alice", poll: "1", token: "tok+/=" });
    const bob = await open(nodes[1]!, { name: "Bob", token: "token" });
    await allShow([polling, bob], ["Alice (1)", "Bob (1)"]);
    expect(tokens).toEqual(["tok+/=", "token"]);
    await bob.reload();
    await allShow([polling, bob], ["Alice (1)", "Bob (1)"]);
  });

  it("sends bytes, and gets them back", async () => {
    await start(["a"]);
    const alice = await open(nodes[0]!, { name: "Alice" });
    await allShow([alice], ["Alice (1)"]);
    const echoed = await alice.evaluate(
      (bytes) => (globalThis as unknown as { echo(bytes: number[]): Promise<number[]> }).echo(bytes),
      [1, 0, 255],
    );
    expect(echoed).toEqual([1, 0, 255]);
  });
});
