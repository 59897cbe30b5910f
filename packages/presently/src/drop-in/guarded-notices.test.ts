/** An observer that throws costs a warning. */
import { once } from "node:events";
import { expect, test } from "vitest";
import { guardNotices } from "./guarded-notices.ts";

test.each([
  [
    "throws",
    () => {
      throw new Error("the observer is broken");
    },
  ],
  [
    "rejects",
    async () => {
      throw new Error("the observer is broken");
    },
  ],
])("an observer that %s is a warning of the process, with the stack", async (_, onNotice) => {
  const warned = once(process, "warning");
  guardNotices(onNotice)({ type: "any" });
  const [warning] = await warned;
  expect(warning).toMatchObject({
    name: "PresentlyWarning",
    message: "onNotice threw an error: Error: the observer is broken",
    detail: expect.stringContaining("guarded-notices.test.ts"),
  });
});
