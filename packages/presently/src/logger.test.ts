/** What a line of the log looks like, for machines and for people. */
import { describe, expect, test } from "vitest";
import { createLogger, type Log } from "./logger.ts";
import { LineOutput } from "./standard-output.ts";

function logging(pretty: boolean): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const output = new LineOutput((bytes) => {
    lines.push(Buffer.from(bytes).toString());
    return bytes.length;
  });
  return { log: createLogger({ level: "debug", base: { node: "n1" }, pretty, output }), lines };
}

const fault = Object.assign(new RangeError("too far"), { code: "E_FAR" });

describe("a line for machines", () => {
  test.each(["error", "err"])("has the type, message, code and stack of an error under %s", (field) => {
    const { log, lines } = logging(false);
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
    const { log, lines } = logging(false);
    log.info({ error: "a text", secret: "hush", mesh: { secret: "hush" } }, "started");
    expect(JSON.parse(lines[0]!)).toMatchObject({
      error: "a text",
      secret: "[secret]",
      mesh: { secret: "[secret]" },
    });
  });

  test("is written whatever the facts are", () => {
    const { log, lines } = logging(false);
    const circular: Record<string, unknown> = { large: 1n };
    circular.self = circular;
    log.info(circular, "started");
    expect(JSON.parse(lines[0]!).msg).toBe("started");
  });
});

describe("a line for people", () => {
  test("has the message alone, and the stack of an error", () => {
    const { log, lines } = logging(true);
    log.info({ topic: "room" }, "started");
    log.error({ topic: "room", error: fault }, "a listener threw an error");
    expect(lines[0]).toMatch(/started[^\n]*\n$/);
    expect(lines[0]).not.toContain("room");
    expect(lines[1]).toContain("a listener threw an error");
    expect(lines[1]).toContain(fault.stack);
  });
});
