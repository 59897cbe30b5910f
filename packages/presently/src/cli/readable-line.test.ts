/** What a line of the log looks like for a person. */
import { expect, test } from "vitest";
import { createLogger } from "../logger.ts";
import { LineOutput } from "../standard-output.ts";
import { readableLine } from "./readable-line.ts";

function lineOf(facts: object, message: string): string {
  let written = "";
  const output = new LineOutput((bytes) => {
    written += Buffer.from(bytes).toString();
    return bytes.length;
  });
  const log = createLogger({ level: "debug", base: { node: "n1" }, form: readableLine, output });
  log.warn(facts, message);
  return written;
}

const fault = new RangeError("too far");

test("has the time, the level and the message, and no facts", () => {
  expect(lineOf({ topic: "room" }, "started")).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: started\n$/);
});

test.each(["error", "err"])("has the stack of an error under %s", (field) => {
  expect(lineOf({ [field]: fault }, "a listener threw an error")).toContain(
    `: a listener threw an error\n${fault.stack}\n`,
  );
});

test("has no stack of what is no error", () => {
  expect(lineOf({ error: "a text" }, "started")).toMatch(/: started\n$/);
  expect(lineOf({ error: null }, "started")).toMatch(/: started\n$/);
});

test("obeys no control character of a stranger", () => {
  expect(lineOf({}, "\u001b[31mred\n[00:00:00.000] INFO: forged")).toContain(
    ": \\u{1b}[31mred\\u{a}[00:00:00.000] INFO: forged\n",
  );
});
