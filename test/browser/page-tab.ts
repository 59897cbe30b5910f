/** A tab of the browser that shows a node's page, as a person sees it. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import { eventually } from "../helpers/eventually.ts";

export interface TabOptions {
  /** The node's address. */
  readonly url: string;
  /** Which page; default is the room. */
  readonly path?: string;
  /** With a room, the page joins by itself; without, it shows the form. */
  readonly name?: string;
  readonly room?: string;
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly phone?: boolean;
  readonly colorScheme?: "light" | "dark";
}

export interface ShownPerson {
  readonly name: string;
  /** The nodes through which they are connected, one for each connection, sorted. */
  readonly via: readonly string[];
}

const WAIT_MS = 30_000;

export class PageTab {
  readonly page: Page;
  readonly #context: BrowserContext;
  /** What went wrong inside the page; none may. */
  readonly errors: string[] = [];

  /** Opens a tab with a profile of its own, as on a device of its own. */
  static async open(browser: Browser, options: TabOptions): Promise<PageTab> {
    const { url, path = "/", name, room, phone = false, colorScheme = "light" } = options;
    const context = await browser.newContext({
      viewport: options.viewport ?? (phone ? { width: 390, height: 844 } : { width: 1280, height: 800 }),
      colorScheme,
      isMobile: phone,
      hasTouch: phone,
    });
    const tab = new PageTab(context, await context.newPage());
    const query = new URLSearchParams({
      ...(name !== undefined && { name }),
      ...(room !== undefined && { room }),
    });
    await tab.page.goto(`${url}${path}${query.size === 0 ? "" : `?${query}`}`);
    if (name !== undefined && room !== undefined) await tab.untilConnection("live");
    return tab;
  }

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.page = page;
    page.setDefaultTimeout(WAIT_MS);
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) this.errors.push(message.text());
    });
    page.on("dialog", (dialog) => this.errors.push(`a dialog opened: ${dialog.message()}`));
  }

  async close(): Promise<void> {
    await this.#context.close();
  }

  /** Who is shown, in the order of their names. */
  async people(): Promise<readonly ShownPerson[]> {
    const people = await this.page.$$eval("#people > li", (cards) =>
      cards.map((card) => ({
        name: card.querySelector(".person-name")!.textContent!,
        via: [...card.querySelectorAll(".via")].map((via) => via.lastChild!.textContent!).sort(),
      })),
    );
    return people.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Waits until exactly these people are shown, each with its nodes. @throws with who was shown instead */
  async untilPeople(expected: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const wanted = Object.entries(expected)
      .map(([name, via]) => ({ name, via: via.toSorted() }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    await eventually(async () => expect(await this.people()).toEqual(wanted), { timeoutMs: WAIT_MS });
  }

  /** Waits for the state of the connection: `live`, `waiting`, `silent` … */
  async untilConnection(state: string): Promise<void> {
    await this.page.waitForSelector(`#connection[data-state="${state}"]`);
  }

  /** Waits for what the panel says of a node: `up`, `down`, `suspect` … */
  async untilNode(node: string, status: string): Promise<void> {
    await this.page.waitForSelector(`#nodes [data-node="${node}"][data-status="${status}"]`);
  }

  async untilLink(a: string, b: string, status: string): Promise<void> {
    await this.page.waitForSelector(`#links [data-link="${a} ${b}"][data-status="${status}"]`);
  }

  /** What the activity says, oldest first. */
  async activity(): Promise<readonly string[]> {
    const newestFirst = await this.page.$$eval("#activity .happening", (rows) =>
      rows.map((row) => row.textContent!),
    );
    return newestFirst.toReversed();
  }

  async untilActivity(sentence: string): Promise<void> {
    await eventually(async () => expect(await this.activity()).toContain(sentence), { timeoutMs: WAIT_MS });
  }
}
