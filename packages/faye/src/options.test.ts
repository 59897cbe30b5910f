import { ConfigurationError, createNode, InvalidArgumentError, type PresentlyNode } from "presently";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LIMIT_DEFAULTS } from "./limits.ts";
import { matches, resolveSettings, type SetupOptions } from "./options.ts";

let node: PresentlyNode;
beforeAll(async () => {
  node = await createNode({ name: "a", logLevel: "silent" });
});
afterAll(() => node.stop());

test.each([
  [{ node: undefined }, "options.node"],
  [{ engine: {} }, "addClient"],
  [{ channelRe: "/presence/" }, "options.channelRe"],
  [{ values: "both" }, "options.values"],
  [{ broadcast: "yes" }, "options.broadcast"],
  [{ clustered: 1 }, "options.clustered"],
  [{ idsPerEvent: 0 }, "options.idsPerEvent"],
  [{ forgedEvents: true }, "options.forgedEvents"],
  [{ limits: { idBytesMax: 0 } }, "limits.idBytesMax"],
  [{ limits: { idBytes: 1 } }, "limits.idBytes"],
  [{ chanelRe: /x/ }, "options.chanelRe"],
])("an option that cannot be used is refused by name: %j", (options, name) => {
  const given = { node, ...options } as unknown as SetupOptions;
  expect(() => resolveSettings(given)).toThrow(InvalidArgumentError);
  expect(() => resolveSettings(given)).toThrow(name);
});

test("options that contradict each other are refused, and both are named", () => {
  expect(() => resolveSettings({ node, clustered: true, broadcast: true })).toThrow(ConfigurationError);
  expect(() => resolveSettings({ node, clustered: true, broadcast: true })).toThrow(/broadcast.*clustered/);
  const engine = { addClient() {}, getSubscribers() {}, unsubscribe() {} };
  expect(() => resolveSettings({ engine, broadcast: /x/ })).toThrow(/broadcast.*node/);
});

test("the original's Redis servers are accepted, and said to be ignored", () => {
  const notices: string[] = [];
  const settings = resolveSettings({
    node,
    servers: ["localhost:6379"],
    onNotice: ({ type }) => void notices.push(type),
  });
  expect(notices).toEqual(["option-ignored"]);
  expect(settings.limits).toEqual(LIMIT_DEFAULTS);
});

test("an expression matches alike each time, whatever its flags", () => {
  for (const flags of ["", "g", "y", "gy", "i"]) {
    const expression = new RegExp("^/presence/", flags);
    for (let time = 0; time < 3; time++) {
      expect(matches(expression, "/presence/x")).toBe(true);
      expect(matches(expression, "/chat/presence/x")).toBe(false);
    }
  }
});
