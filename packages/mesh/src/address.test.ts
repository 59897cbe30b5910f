import { describe, expect, test } from "vitest";
import { addressOf, isLoopback, normalizeAddress, reachableAddress } from "./address.ts";

describe("an address", () => {
  test.each([
    ["ws://127.0.0.1:7001", "ws://127.0.0.1:7001"],
    ["ws://127.0.0.1:7001/", "ws://127.0.0.1:7001"],
    ["WS://Example.COM:7001", "ws://example.com:7001"],
    ["ws://example.com:80", "ws://example.com"],
    ["wss://example.com/mesh", "wss://example.com/mesh"],
    ["ws://[::1]:7001", "ws://[::1]:7001"],
  ])("%s is spelled %s", (text, spelled) => {
    expect(normalizeAddress(text)).toBe(spelled);
    expect(normalizeAddress(spelled)).toBe(spelled);
  });

  test.each([
    "",
    "n2:7001",
    "http://n2:7001",
    "ws://",
    "ws://n2:0",
    "ws://n2:99999",
    "ws://user:word@n2:7001",
    "ws://n2:7001#here",
    `ws://${"n".repeat(300)}:7001`,
  ])("%j is refused", (text) => {
    expect(normalizeAddress(text)).toBeUndefined();
  });

  test("of a server holds its host and port", () => {
    expect(addressOf("127.0.0.1", 7001)).toBe("ws://127.0.0.1:7001");
    expect(addressOf("::1", 7001)).toBe("ws://[::1]:7001");
  });

  test("that advertises every interface means the host that we see", () => {
    expect(reachableAddress("ws://0.0.0.0:7001", "10.0.0.7")).toBe("ws://10.0.0.7:7001");
    expect(reachableAddress("ws://0.0.0.0:7001", "::ffff:10.0.0.7")).toBe("ws://10.0.0.7:7001");
    expect(reachableAddress("ws://[::]:7001", "fe80::1")).toBe("ws://[fe80::1]:7001");
    expect(reachableAddress("ws://n2:7001", "10.0.0.7")).toBe("ws://n2:7001");
    expect(reachableAddress("ws://0.0.0.0:7001", undefined)).toBe("ws://0.0.0.0:7001");
  });
});

test.each([
  ["127.0.0.1", true],
  ["127.8.8.8", true],
  ["::1", true],
  ["localhost", true],
  ["0.0.0.0", false],
  ["::", false],
  ["10.0.0.1", false],
  ["127.0.0.1.example.com", false],
])("loopback: %s is %s", (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback);
});
