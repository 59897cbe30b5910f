import { expect, test } from "vitest";
import { advise } from "./advice.ts";
import type { FayeMessage } from "./faye.ts";

const FAYES_OWN = { reconnect: "handshake" };
const denied = "403::Handshake denied";

test.each<[string, FayeMessage, FayeMessage["advice"]]>([
  [
    "a refused handshake",
    { channel: "/meta/handshake", error: denied, advice: FAYES_OWN },
    { reconnect: "retry", interval: 5_000 },
  ],
  [
    "a connect of a client that is not known",
    { channel: "/meta/connect", error: "401:x:Unknown client", advice: FAYES_OWN },
    { reconnect: "handshake", interval: 500 },
  ],
  [
    "a connect that is refused for another reason",
    { channel: "/meta/connect", error: "503::Too many messages at a time", advice: FAYES_OWN },
    { reconnect: "handshake", interval: 5_000 },
  ],
])("%s is told to wait", (_, reply, advice) => {
  const told = { ...reply };
  advise(told);
  expect(told.advice).toEqual(advice);
  // Two extensions may both do it.
  advise(told);
  expect(told.advice).toEqual(advice);
});

test.each<[string, FayeMessage]>([
  ["a handshake that succeeded", { channel: "/meta/handshake", advice: { reconnect: "retry", interval: 0 } }],
  ["a refused publication", { channel: "/chat", error: "403:/chat:Forbidden channel" }],
  ["a refused subscription", { channel: "/meta/subscribe", error: "401:x:Unknown client" }],
  [
    "one that the application wants no more",
    { channel: "/meta/handshake", error: denied, advice: { reconnect: "none" } },
  ],
  [
    "one whose pause the application has set",
    { channel: "/meta/handshake", error: denied, advice: { reconnect: "handshake", interval: 60_000 } },
  ],
])("the advice for %s stays", (_, reply) => {
  const told = { ...reply };
  advise(told);
  expect(told).toEqual(reply);
});
