import { expect, test } from "vitest";
import type { FayeMessage } from "./faye.ts";
import { isOwnChannel, OwnChannels } from "./own-channels.ts";

const here = () => new OwnChannels((channel) => channel.startsWith("/presence/"));

/** The channels of a message that subscribes, as Faye gets it. */
function widened(channels: OwnChannels, subscription: unknown): FayeMessage & { subscription: string[] } {
  const message = { channel: "/meta/subscribe", subscription };
  channels.widen(message);
  return message as never;
}

test("a client that subscribes is subscribed to the events of its server as well, and is told what it asked for", () => {
  const channels = here();
  for (const subscription of ["/presence/x", ["/presence/x"], "/presence/*", "/**"]) {
    const message = widened(channels, subscription);
    expect(message.subscription.map(isOwnChannel)).toEqual([false, true]);
    const reply = { channel: "/meta/subscribe", subscription: message.subscription };
    channels.narrow(reply);
    expect(reply.subscription).toEqual(subscription);
  }
  expect(widened(channels, "/chat").subscription).toBe("/chat");
});

test("an event comes to the clients of its server, by the name that they know", () => {
  const channels = here();
  const event: FayeMessage = { channel: "/presence/x" };
  channels.keep(event);
  expect(isOwnChannel(event.channel as string)).toBe(true);
  expect(widened(channels, "/presence/x").subscription).toContain(event.channel);
  expect(channels.open(event, "c")).toBe(true);
  expect(event).toEqual({ channel: "/presence/x" });
});

test("an event of another server is for those who subscribed there, and not for those who have all of ours", () => {
  const [channels, elsewhere] = [here(), here()];
  const event = () => {
    const told: FayeMessage = { channel: "/presence/x" };
    elsewhere.keep(told);
    return told;
  };
  expect(channels.open(event(), "c")).toBe(true);
  channels.subscribed("c", "/**");
  expect(channels.open(event(), "c")).toBe(false);
  channels.unsubscribed("c", "/**");
  expect(channels.open(event(), "c")).toBe(true);
  expect(channels.open({ channel: "/chat" }, undefined)).toBe(true);
});
