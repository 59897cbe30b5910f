import { expect, test } from "vitest";
import { UsageError } from "./failure.ts";
import { loadNats } from "./nats-flags.ts";

test("without --nats there is no transport but the mesh", async () => {
  expect(await loadNats({})).toBeUndefined();
});

test.each([
  [{ nats: ["127.0.0.1:4222"] }, "must be a URL: write nats://host:port"],
  [{ natsCredentialsFile: "x" }, "--nats-credentials-file needs --nats"],
  [{ nats: ["nats://127.0.0.1:4222"], natsCredentialsFile: "nowhere" }, "cannot be read (ENOENT)"],
])("flags that cannot be used are refused: %j", async (flags, problem) => {
  await expect(loadNats(flags)).rejects.toThrow(UsageError);
  await expect(loadNats(flags)).rejects.toThrow(problem);
});
