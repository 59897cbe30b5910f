/** The browser client of Faye as it ships, by each of its transports, on two nodes. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FayeNode, startFayeNodes } from "../conformance/faye-client.ts";
import { eventually } from "../helpers/eventually.ts";
import { has } from "../helpers/programs.ts";
import { launchChromium } from "./chromium.ts";

const html = `<!doctype html><meta charset="utf-8"><title>lobby</title><link rel="icon" href="data:,">
<ul id="users"></ul><ul id="messages"></ul>
<script src="/bayeux/client.js"></script>
<script>
  const query = new URLSearchParams(location.search);
  window.client = new Faye.Client(query.get("server") ?? "/bayeux", { retry: 0.1 });
  for (const feature of query.getAll("without")) client.disable(feature);
  const users = new Map();
  const show = ({ subscribe = {}, unsubscribe = {} }) => {
    for (const [id, value] of Object.entries(subscribe)) users.set(id, value);
    for (const id of Object.keys(unsubscribe)) users.delete(id);
    const items = [...users].map(([id, { data }]) => {
      const item = document.createElement("li");
      item.textContent = id + (data === undefined ? "" : " (" + data.mood + ")");
      return item;
    });
    document.querySelector("#users").replaceChildren(...items);
  };
  client.addExtension({
    outgoing(message, callback) {
      if (message.channel === "/meta/subscribe" && message.subscription.startsWith("/presence/"))
        message.ext = { presence: { id: query.get("name"), data: { mood: query.get("mood") ?? "fine" } } };
      callback(message);
    },
    incoming(message, callback) {
      if (message.channel === "/meta/subscribe" && message.ext?.presence) {
        users.clear();
        show(message.ext.presence);
      }
      callback(message);
    },
  });
  client.subscribe("/presence/lobby", show);
  client.subscribe("/chat", (text) => {
    const item = document.createElement("li");
    item.textContent = text;
    document.querySelector("#messages").append(item);
  });
</script>`;

/** What a browser does without, to be left with the transport. A page of another origin has one of its own. */
const TRANSPORTS: Readonly<Record<string, readonly string[]>> = {
  websocket: [],
  eventsource: ["websocket"],
  "long-polling": ["websocket", "eventsource"],
  "cross-origin-long-polling": ["websocket"],
  "callback-polling": ["websocket", "eventsource", "long-polling"],
};

interface FayeWindow {
  client: {
    _dispatcher: { connectionType: string };
    publish(channel: string, data: unknown): PromiseLike<void>;
    disconnect(): PromiseLike<void>;
  };
}

describe.runIf(has("chromium"))("the browser client of Faye", () => {
  let browser: Browser;
  let nodes: FayeNode[] = [];
  const pages: Page[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    nodes = await startFayeNodes(["a", "b"], { setup: { broadcast: true } });
    for (const { server } of nodes) {
      server.on("request", (request, response) => {
        if (request.url?.startsWith("/bayeux") === true) return;
        response.setHeader("content-type", "text/html").end(html);
      });
    }
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all(nodes.map((node) => node.stop()));
  });
  afterEach(async () => {
    // A page that closes says goodbye; its client is gone from the lists before the next test begins.
    await Promise.all(pages.splice(0).map((page) => page.context().close({ reason: "the test is over" })));
    expect(errors.splice(0)).toEqual([]);
  });

  async function open(node: FayeNode, query: readonly (readonly [string, string])[]): Promise<Page> {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", (error) => void errors.push(error.message));
    pages.push(page);
    const search = new URLSearchParams(query.map(([name, value]) => [name, value]));
    await page.goto(`${new URL(node.url).origin}/?${search}`);
    return page;
  }

  const shown = async (page: Page, list = "#users") =>
    (await page.locator(`${list} li`).allTextContents()).sort();
  const transportOf = (page: Page) =>
    page.evaluate(() => (globalThis as unknown as FayeWindow).client._dispatcher.connectionType);
  const publish = (page: Page, text: string) =>
    page.evaluate(async (data) => {
      await (globalThis as unknown as FayeWindow).client.publish("/chat", data);
    }, text);
  const disconnect = (page: Page) =>
    page.evaluate(async () => {
      await (globalThis as unknown as FayeWindow).client.disconnect();
    });
  const leave = (page: Page) => page.goto("about:blank");

  it("shows by each of its transports who is there on all nodes, and what they say", async () => {
    const [a, b] = nodes as [FayeNode, FayeNode];
    const transports = Object.keys(TRANSPORTS);
    const byTransport = new Map<string, Page>();
    for (const transport of transports) {
      const features = TRANSPORTS[transport]!.map((feature) => ["without", feature] as const);
      const server = transport.startsWith("cross-origin") ? [["server", b.url] as const] : [];
      byTransport.set(transport, await open(a, [["name", transport], ...features, ...server]));
    }
    const bob = await open(b, [
      ["name", "Bob"],
      ["mood", "😀\u2028"],
    ]);
    const tabs = [...byTransport.values(), bob];
    const everybody = [...transports.map((name) => `${name} (fine)`), "Bob (😀\u2028)"].sort();
    await eventually(async () => {
      for (const page of tabs) expect(await shown(page)).toEqual(everybody);
    });
    for (const [transport, page] of byTransport) {
      expect(await transportOf(page)).toBe(transport);
      await publish(page, transport);
    }
    await eventually(async () => {
      for (const page of tabs) expect(await shown(page, "#messages")).toEqual([...transports].sort());
    });

    // After a reload the page is there once, as before.
    await bob.reload();
    await eventually(async () => {
      for (const page of tabs) expect(await shown(page)).toEqual(everybody);
    });

    // A page that closes says so by WebSocket; a browser does not wait for the other transports to have said it.
    await leave(bob);
    for (const transport of ["callback-polling", "eventsource", "long-polling"])
      await disconnect(byTransport.get(transport)!);
    await eventually(async () =>
      expect(await shown(byTransport.get("websocket")!)).toEqual([
        "cross-origin-long-polling (fine)",
        "websocket (fine)",
      ]),
    );
  });
});
