/** Histories that once broke a promise, or that chance does not get to. */
import { replay } from "@presently/testkit";
import { expect, test } from "vitest";
import { KNOWN_SCENARIOS } from "../helpers/known-scenarios.ts";

test.each(KNOWN_SCENARIOS)("%s", (_, scenario) => {
  const { error, timeline } = replay(scenario);
  expect(error, timeline).toBeUndefined();
});
