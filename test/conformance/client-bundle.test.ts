/** What an application pays for `@presently/client`: bytes, minified and compressed, as its README says them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { bundle } from "../helpers/client-page.ts";

vi.setConfig({ testTimeout: 60_000 });

const readme = readFileSync(
  fileURLToPath(new URL("../../packages/client/README.md", import.meta.url)),
  "utf8",
);
const options = { minify: true, external: ["react"], target: "es2022" };

test.each(["index", "react/index"])("src/%s.ts is as small as the README says", async (entry) => {
  const bytes = gzipSync(await bundle(`packages/client/src/${entry}.ts`, options)).length;
  const said = /\| `(?<entry>[^`]+)` \| (?<kilobytes>[\d.]+) kB \|/g;
  const sizes = new Map(
    Array.from(readme.matchAll(said), ({ groups }) => [groups!.entry!, Number(groups!.kilobytes)]),
  );
  const kilobytes = sizes.get(entry === "index" ? "@presently/client" : "@presently/client/react");
  expect(Math.abs(bytes / 1_000 - kilobytes!), `${bytes} bytes`).toBeLessThan(0.3);
});
