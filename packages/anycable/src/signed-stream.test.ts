import { expect, test } from "vitest";
import { apiSecretFrom, isSameSecret, signStream, verifyStream } from "./signed-stream.ts";

const secret = "s3Krit";
const signed = "ImNoYXQ6MjAyMSI=--f9ee45dbccb1da04d8ceb99cc820207804370ba0d06b46fc3b8b373af1315628";

test("the published example verifies, and is what signing makes", () => {
  expect(verifyStream(secret, signed)).toBe("chat:2021");
  expect(signStream(secret, "chat:2021")).toBe(signed);
});

test.each(["room/42", "чат", "🙂", "__proto__", 'a"b', "a--b"])("%j comes back as it was signed", (name) => {
  expect(verifyStream(secret, signStream(secret, name))).toBe(name);
});

test("nothing else verifies", () => {
  // The JSON of an array, under the right signature.
  const array = "WyJjaGF0LzIwMjMiLDE2ODUwMjQwMTdd";
  for (const text of [
    "",
    "--",
    signed.slice(0, -1),
    `${signed}0`,
    signed.toUpperCase(),
    `${signed}--${signed}`,
    signed.replace("ImNo", "ImNp"),
    `${array}--${"0".repeat(64)}`,
  ])
    expect(verifyStream(secret, text), text).toBeUndefined();
  expect(verifyStream("another", signed)).toBeUndefined();
});

test("an array under a genuine signature is no name", async () => {
  const { createHmac } = await import("node:crypto");
  const sign = (json: string) => {
    const payload = Buffer.from(json).toString("base64");
    return `${payload}--${createHmac("sha256", secret).update(payload).digest("hex")}`;
  };
  expect(verifyStream(secret, sign('"chat:2021"'))).toBe("chat:2021");
  for (const json of ['["chat",2021]', "1", "null", '""', "{", '{"a":1}'])
    expect(verifyStream(secret, sign(json)), json).toBeUndefined();
});

test("the secret of the REST API follows from the common one", () => {
  expect(apiSecretFrom("qwerty")).toMatch(/^[0-9a-f]{64}$/);
  expect(isSameSecret(apiSecretFrom("qwerty"), apiSecretFrom("qwerty"))).toBe(true);
  expect(isSameSecret(apiSecretFrom("qwerty"), apiSecretFrom("qwertz"))).toBe(false);
});
