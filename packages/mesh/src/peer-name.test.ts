import { describe, expect, test } from "vitest";
import { addressesAt, addressesOf, parsePeerName } from "./peer-name.ts";

describe("a peer by name", () => {
  test.each([
    ["dns+ws://mesh.shop.svc:7001", { type: "dns", protocol: "ws:", host: "mesh.shop.svc", port: ":7001" }],
    ["DNS+WSS://Mesh:7001/", { type: "dns", protocol: "wss:", host: "mesh", port: ":7001", path: "" }],
    ["dns+ws://mesh/at/here", { type: "dns", host: "mesh", port: "", path: "/at/here" }],
    ["srv+ws://_mesh._tcp.shop.svc", { type: "srv", protocol: "ws:", host: "_mesh._tcp.shop.svc", port: "" }],
    ["srv+wss://_mesh._tcp.shop", { type: "srv", protocol: "wss:", host: "_mesh._tcp.shop" }],
  ])("%s is read, and its spelling is read alike", (text, fields) => {
    const name = parsePeerName(text);
    expect(name).toMatchObject(fields);
    expect(parsePeerName(name!.text)).toEqual(name);
  });

  test.each([
    "ws://mesh:7001",
    "dns://mesh:7001",
    "dns+http://mesh:7001",
    "dns+ws://10.0.0.1:7001",
    "dns+ws://[::1]:7001",
    "dns+ws://:7001",
    "dns+ws://user@mesh:7001",
    "srv+ws://_mesh._tcp.shop:7001",
    "srv+ws://",
  ])("%s is none", (text) => {
    expect(parsePeerName(text)).toBeUndefined();
  });

  test("stands for each of its IP addresses, and for nothing that is none", () => {
    const name = parsePeerName("dns+wss://mesh:7001/x")!;
    expect(addressesAt(name, ["10.0.0.1", "fd00::1", "mesh", ""])).toEqual([
      "wss://10.0.0.1:7001/x",
      "wss://[fd00::1]:7001/x",
    ]);
    expect(addressesAt(parsePeerName("dns+ws://mesh")!, ["10.0.0.1"])).toEqual(["ws://10.0.0.1"]);
  });

  test("stands for each host and port of its SRV records", () => {
    const name = parsePeerName("srv+ws://_mesh._tcp.shop")!;
    const services = [
      { name: "n1.shop", port: 7001 },
      { name: "N2.shop.", port: 7002 },
      { name: "", port: 7003 },
      { name: "n4.shop", port: 0 },
    ];
    expect(addressesOf(name, services)).toEqual(["ws://n1.shop:7001", "ws://n2.shop:7002"]);
  });
});
