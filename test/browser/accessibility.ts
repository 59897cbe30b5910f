/** What axe-core has to say about a page. */
import axe from "axe-core";
import type { Page } from "playwright-core";

/** Each rule that the page breaks, with the elements that break it. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  // As a script of the debugger's, since the page itself runs none but its own.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`,
    );
  });
}
