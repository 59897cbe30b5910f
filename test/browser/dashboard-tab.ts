/** A tab with a node's dashboard, as an operator sees it. */
import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { PageTab, type TabOptions } from "./page-tab.ts";

const WAIT_MS = 30_000;

export class DashboardTab {
  readonly page: Page;
  readonly #tab: PageTab;

  /** Opens it; `hash` is what is looked at, for example `topic=room`. */
  static async open(
    browser: Browser,
    url: string,
    options: Omit<TabOptions, "url" | "path"> & { readonly hash?: string } = {},
  ): Promise<DashboardTab> {
    const { hash, ...rest } = options;
    const path = hash === undefined ? "/dashboard" : `/dashboard#${hash}`;
    return new DashboardTab(await PageTab.open(browser, { ...rest, url, path }));
  }

  private constructor(tab: PageTab) {
    this.#tab = tab;
    this.page = tab.page;
  }

  /** What went wrong inside the page, breaches of its Content-Security-Policy included; none may. */
  get errors(): readonly string[] {
    return this.#tab.errors;
  }

  close(): Promise<void> {
    return this.#tab.close();
  }

  /** Waits until the summary says this. @throws with what it said instead */
  async untilHealth(level: string, title: string | RegExp): Promise<void> {
    await eventually(
      async () => {
        const said = await this.#read("#health-title");
        expect([await this.page.getAttribute("#health", "data-level"), said]).toEqual([
          level,
          typeof title === "string" ? title : expect.stringMatching(title),
        ]);
      },
      { timeoutMs: WAIT_MS },
    );
  }

  /** Waits until an element's text matches. @throws with what it said instead */
  async untilText(selector: string, text: string | RegExp): Promise<void> {
    const wanted = typeof text === "string" ? text : expect.stringMatching(text);
    await eventually(async () => expect(await this.#read(selector)).toEqual(wanted), { timeoutMs: WAIT_MS });
  }

  /** Waits until the elements' texts are these. @throws with what they were instead */
  async untilTexts(selector: string, texts: readonly string[]): Promise<void> {
    await eventually(async () => expect(await this.page.locator(selector).allTextContents()).toEqual(texts), {
      timeoutMs: WAIT_MS,
    });
  }

  /** Waits until the picture shows a node like that. */
  async untilDrawnNode(node: string, status: string): Promise<void> {
    await this.page.waitForSelector(`#picture-nodes > [data-key="${node}"][data-status="${status}"]`, {
      state: "attached",
    });
  }

  async untilDrawnLink(a: string, b: string, status: string): Promise<void> {
    const either = [`${a} ${b}`, `${b} ${a}`]
      .map((key) => `#picture-links > [data-key="${key}"][data-status="${status}"]`)
      .join(", ");
    await this.page.waitForSelector(either, { state: "attached" });
  }

  /** Waits until an event of that type is in the feed that says so. */
  async untilEvent(type: string, text: string): Promise<void> {
    await this.page.waitForSelector(`#events > [data-type="${type}"]:has-text(${JSON.stringify(text)})`);
  }

  /** Waits for what came of an action. */
  async untilOutcome(ok: boolean, text: string | RegExp): Promise<void> {
    await this.page.waitForSelector(`#outcome[data-ok="${ok}"]:not([hidden])`);
    await this.untilText("#outcome-text", text);
  }

  /** Answers the question that is, or will be, open. */
  async answer(dialog: "confirm" | "token", how: "go" | "cancel"): Promise<void> {
    await this.page.click(
      how === "go" ? `#${dialog}[open] [type="submit"]` : `#${dialog}[open] #${dialog}-cancel`,
    );
  }

  async giveToken(token: string): Promise<void> {
    await this.page.waitForSelector("#token[open]");
    await this.page.fill("#token-value", token);
    await this.answer("token", "go");
  }

  /** How far the page can be scrolled sideways. */
  overflow(): Promise<number> {
    return this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  }

  async #read(selector: string): Promise<string | null> {
    // Between two drawings an element may be gone; whoever waits looks again.
    return this.page.locator(selector).first().textContent({ timeout: 2_000 });
  }
}
