import { describe, expect, test } from "vitest";
import { resolveConfig } from "../../config.ts";
import type { NodeOptions } from "../../node-options.ts";
import { checkGroup, optionsOfSlot, processesIn } from "./orders.ts";

const orders = { slot: 3, processes: 4, siblings: ["ws://127.0.0.1:1"], directory: "/d", secret: "made" };
const http = { port: 4001 };

describe("the options of a process", () => {
  test("are those of the group, with a name, a port and an address of its own", () => {
    const mesh = {
      host: "10.0.0.1",
      port: 7001,
      advertise: "ws://n.example:7001",
      peers: ["ws://10.0.0.2:7001"],
    };
    expect(optionsOfSlot({ name: "n", secret: "s", http, mesh }, orders)).toEqual({
      name: "n-3",
      secret: "s",
      http,
      mesh: {
        host: "10.0.0.1",
        port: 7003,
        advertise: "ws://n.example:7003",
        peers: ["ws://10.0.0.2:7001", "ws://127.0.0.1:1"],
      },
    });
  });

  test("have a mesh on loopback, with a secret, where nobody has asked for one", () => {
    expect(optionsOfSlot({ name: "n", http }, orders)).toEqual({
      name: "n-3",
      secret: "made",
      http,
      mesh: { host: "127.0.0.1", port: 0, peers: ["ws://127.0.0.1:1"] },
    });
  });

  test("leave another transport alone", () => {
    const transport = () => {
      throw new Error("not called");
    };
    expect(optionsOfSlot({ name: "n", http, transport }, orders)).toEqual({ name: "n-3", http, transport });
  });
});

test.each([
  ["1", 1],
  [8, 8],
  [undefined, undefined],
])("--processes %j asks for %j", (processes, count) => {
  expect(processesIn({ processes })).toBe(count);
});

test("--processes auto asks for one for each core", () => {
  expect(processesIn({ processes: "auto" })).toBeGreaterThan(0);
});

test.each(["0", "1.5", "many", "257", ""])("--processes %j is refused", (processes) => {
  expect(() => processesIn({ processes })).toThrow("must be a whole number from 1 to 256, or auto");
});

test.each<[string, Partial<NodeOptions>, string]>([
  ["no HTTP address", { http: undefined } as never, "leave --no-http out"],
  ["too few ports", { mesh: { port: 65_534 } }, "takes the mesh ports 65534 to 65537"],
  ["the port of the API among those of the mesh", { mesh: { port: 3_999 } }, "http.port is one of them"],
  [
    "a mesh on all addresses of which none is told",
    { secret: "0123456789abcdef", mesh: { host: "0.0.0.0", port: 7_001 } },
    "needs --advertise",
  ],
  ["a name without room for a number", { name: "n".repeat(63) }, "must be 1 to 64 letters"],
])("a group is refused that has %s", (_, given, problem) => {
  const options: NodeOptions = { name: "n", http, ...given };
  const config = resolveConfig(options);
  expect(() => checkGroup(config, options, 4, (path) => path)).toThrow(problem);
});
