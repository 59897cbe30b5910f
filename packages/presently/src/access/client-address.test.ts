import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { ClientAddresses } from "./client-address.ts";

function addressOf(
  trusted: string[],
  remoteAddress: string | undefined,
  forwarded?: string,
): string | undefined {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return new ClientAddresses(trusted).of({ socket: { remoteAddress }, headers } as IncomingMessage);
}

test("is that of the socket unless a proxy is trusted, whatever the request says", () => {
  expect(addressOf([], "192.0.2.1", "203.0.113.9")).toBe("192.0.2.1");
  expect(addressOf(["10.0.0.0/8"], "192.0.2.1", "203.0.113.9")).toBe("192.0.2.1");
  expect(addressOf([], undefined)).toBeUndefined();
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  // The client wrote the first one itself.
  ["1.1.1.1, 203.0.113.9", "203.0.113.9"],
  ["1.1.1.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"],
  ["203.0.113.9:4711", "203.0.113.9"],
  ["[2001:db8::1]:4711", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
  ["1.1.1.1, nonsense", "10.0.0.1"],
  ["1.1.1.1, nonsense, 10.0.0.2", "10.0.0.2"],
  ["10.0.0.7", "10.0.0.7"],
  ["", "10.0.0.1"],
])("behind a trusted proxy, %j means %s", (forwarded, address) => {
  expect(addressOf(["10.0.0.0/8"], "10.0.0.1", forwarded)).toBe(address);
});

test("a trusted proxy is known however its address is written", () => {
  expect(addressOf(["10.0.0.1"], "::ffff:10.0.0.1", "203.0.113.9")).toBe("203.0.113.9");
  expect(addressOf(["fd00::/8"], "fd00::1%eth0", "203.0.113.9")).toBe("203.0.113.9");
});

test.each(["10.0.0.0/33", "::/129", "proxy.example", "10.0.0.0/", "10.0.0.0/8/8", ""])(
  "%j is no proxy",
  (proxy) => {
    expect(() => new ClientAddresses([proxy])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  },
);
