/** The hooks where there is no page: on a server that renders. */
import { createClient } from "@presently/client";
import {
  PresentlyProvider,
  useConnection,
  useLiveValues,
  usePresence,
  useStatus,
  useTyping,
} from "@presently/client/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

function Everything() {
  const { people, self, status, meta, room } = usePresence("room:1", { meta: { name: "Alice" } });
  const { values } = useLiveValues("room:1", "pointer");
  const { keys } = useTyping("room:1");
  const shown = [people, self, status, meta, room, useStatus("room:1"), useConnection(), values.size, keys];
  return createElement("p", null, JSON.stringify(shown.map((value) => value ?? null)));
}

test("a server renders a room that nobody has joined yet, and joins none", () => {
  const client = createClient("ws://127.0.0.1:1/socket", { transport: WebSocket });
  const html = renderToString(createElement(PresentlyProvider, { client }, createElement(Everything)));
  const text = html.replace(/<\/?p>/g, "").replaceAll("&quot;", '"');
  expect(JSON.parse(text)).toEqual([[], null, "joining", {}, null, "active", "idle", 0, []]);
  expect([client.status, client.topics]).toEqual(["idle", []]);
});

test("without a provider a hook says what it needs", () => {
  expect(() => renderToString(createElement(Everything))).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("PresentlyProvider"),
    }),
  );
});
