import { ConfigurationError } from "@presently/replica";
import { afterEach, expect, test } from "vitest";
import { TestMeshes } from "../test/meshes.ts";

afterEach(() => {
  delete (process.versions as Record<string, string>).bun;
});

test("on Bun the mesh is refused in one line, before it listens", () => {
  Object.defineProperty(process.versions, "bun", { value: "1.4.5", configurable: true });
  expect(() => new TestMeshes().make("a", {})).toThrow(
    new ConfigurationError("the mesh needs Node.js: Bun has another WebSocket than the package ws"),
  );
});
