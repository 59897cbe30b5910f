import { describe, expect, test } from "vitest";
import { formatHostAndPort, isLoopback, parseHostAndPort } from "./address.ts";

describe("an address", () => {
  test.each([
    ["127.0.0.1:4001", "127.0.0.1", 4001],
    ["localhost:0", "localhost", 0],
    ["node-1.internal:65535", "node-1.internal", 65535],
    ["[::1]:7001", "::1", 7001],
    ["[fe80::1%eth0]:7001", "fe80::1%eth0", 7001],
  ])("%s is read, and written back alike", (text, host, port) => {
    expect(parseHostAndPort(text, "--http")).toEqual({ host, port });
    expect(formatHostAndPort({ host, port })).toBe(text);
  });

  test.each([
    "",
    "4001",
    ":4001",
    "127.0.0.1",
    "127.0.0.1:",
    "::1:4001",
    "[::1]",
    "a:b",
    "a:1:2",
    "a b:1",
    "http://a:1",
    "a:-1",
    "a:1e3",
  ])("%j is refused by the name of the option", (text) => {
    expect(() => parseHostAndPort(text, "--http")).toThrow(/^--http .* is not host:port/);
  });

  test.each(["a:65536", "127.0.0.1:99999", "[::1]:123456"])("%j is refused for its port", (text) => {
    expect(() => parseHostAndPort(text, "--http")).toThrow(`--http "${text}" has a port above 65535`);
  });

  test("only loopback is out of reach for others", () => {
    expect(["127.0.0.1", "127.1.2.3", "::1", "localhost"].filter(isLoopback)).toHaveLength(4);
    expect(["0.0.0.0", "::", "10.0.0.1", "example.org", "127.example.org"].filter(isLoopback)).toEqual([]);
  });
});
