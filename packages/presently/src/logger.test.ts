/** What a line of the log looks like for machines. */
import { describe, expect, test } from "vitest";
import { createLogger, type Log } from "./logger.ts";
import { LineOutput } from "./standard-output.ts";

function logging(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const output = new LineOutput((bytes) => {
    lines.push(Buffer.from(bytes).toString());
    return bytes.length;
  });
  return { log: createLogger({ level: "debug", base: { node: "n1" }, output }), lines };
}

const fault = Object.assign(new RangeError("too far"), { code: "E_FAR" });

describe("a line for machines", () => {
  test.each(["error", "err"])("has the type, message, code and stack of an error under %s", (field) => {
    const { log, lines } = logging();
    log.warn({ topic: "room", [field]: fault }, "a listener threw an error");
    const { [field]: error, ...others } = JSON.parse(lines[0]!);
    expect(others).toMatchObject({
      level: "warn",
      node: "n1",
      topic: "room",
      msg: "a listener threw an error",
    });
    expect(error).toMatchObject({
      type: "RangeError",
      message: "too far",
      code: "E_FAR",
      stack: fault.stack,
    });
  });

  test("keeps what is no error as it is, and blacks out secrets", () => {
    const { log, lines } = logging();
    log.info({ error: "a text", secret: "hush", mesh: { secret: "hush" } }, "started");
    expect(JSON.parse(lines[0]!)).toMatchObject({
      error: "a text",
      secret: "[secret]",
      mesh: { secret: "[secret]" },
    });
  });

  test("is written whatever the facts are", () => {
    const { log, lines } = logging();
    const circular: Record<string, unknown> = { large: 1n };
    circular.self = circular;
    log.info(circular, "started");
    expect(JSON.parse(lines[0]!).msg).toBe("started");
  });
});
