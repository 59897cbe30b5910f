/** What is refused before anything is served. */
import { createServer } from "node:http";
import { ConfigurationError, createNode, InvalidArgumentError, type PresentlyNode } from "presently";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serveEndpoint } from "./endpoint.ts";
import { PhoenixSocket } from "./phoenix-socket.ts";

let node: PresentlyNode;
beforeEach(async () => {
  node = await createNode({ name: "a" });
});
afterEach(() => node.stop());

describe("a socket is refused", () => {
  test.each([
    ["a limit of nothing", { limits: { frameBytesMax: 0 } }, "limits.frameBytesMax must be an integer"],
    [
      "a limit that is no integer",
      { limits: { idleTimeoutMs: 1.5 } },
      "limits.idleTimeoutMs must be an integer",
    ],
    [
      "a limit that does not exist",
      { limits: { frameBytes: 1 } as never },
      "limits.frameBytes is not an option",
    ],
    ["an origin that is none", { checkOrigin: ["shop.example"] }, "checkOrigin has"],
  ])("%s", (_, options, problem) => {
    expect(() => new PhoenixSocket(node, options)).toThrow(InvalidArgumentError);
    expect(() => new PhoenixSocket(node, options)).toThrow(problem);
  });

  test("handleMetas without init, with both named", () => {
    const socket = new PhoenixSocket(node);
    const define = () => socket.channel("room:*", { presence: { handleMetas: () => undefined } });
    expect(define).toThrow(ConfigurationError);
    expect(define).toThrow(/handleMetas.*init/);
  });

  test("a pattern or a path that cannot be used", () => {
    const socket = new PhoenixSocket(node);
    expect(() => socket.channel("room:*:more")).toThrow(InvalidArgumentError);
    expect(() => socket.attach(createServer(), "socket")).toThrow(InvalidArgumentError);
  });

  test("the ready-made one, at a node without an HTTP address", () => {
    expect(() => serveEndpoint(node)).toThrow("node must have the option http");
  });
});

test("an option that is undefined has its default", () => {
  expect(new PhoenixSocket(node, { limits: { frameBytesMax: undefined as never } }).connections).toBe(0);
});
