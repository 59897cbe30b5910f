/** The program of the migration guide runs as it stands there, and ends by itself. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("the guide's program runs", { timeout: 60_000 }, async () => {
  const guide = await readFile(join(root, "packages/presently/docs/guides/from-phoenix.md"), "utf8");
  const [, program] = /^```ts\n([\s\S]*?)^```$/m.exec(guide) ?? [];
  expect(program).toBeDefined();
  // Below the root, so that packages are found from there; named so that neither git nor the linter looks at it.
  await mkdir(join(root, "test/unit/dist"), { recursive: true });
  const folder = await mkdtemp(join(root, "test/unit/dist/guide-"));
  try {
    const file = join(folder, "program.ts");
    await writeFile(file, program!);
    await import(/* @vite-ignore */ file);
  } finally {
    await rm(folder, { recursive: true });
  }
});
