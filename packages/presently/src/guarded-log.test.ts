/** The log of an application that throws or rejects costs its line, and nothing else. */
import { describe, expect, test } from "vitest";
import { eventually } from "../../../test/helpers/eventually.ts";
import { GuardedLog } from "./guarded-log.ts";
import type { Log } from "./logger.ts";

const levels = ["debug", "info", "warn", "error"] as const;
const made = (write: (message: string) => unknown): Log => {
  const method = (_: object, message: string) => void write(message);
  return { debug: method, info: method, warn: method, error: method };
};

describe("a log behind a guard", () => {
  test.each(levels)("that throws at %s loses the line, which is counted, and said once it works", (level) => {
    let isBroken = true;
    const lines: string[] = [];
    const log = new GuardedLog(
      made((message) => {
        if (isBroken) throw new Error("ENOSPC");
        lines.push(message);
      }),
    );
    log[level]({}, "one");
    log[level]({}, "two");
    isBroken = false;
    log[level]({}, "three");
    log[level]({}, "four");
    expect(lines).toEqual(["three", "2 lines of the log were dropped", "four"]);
    expect(log.dropped).toBe(2);
  });

  test("whose promise rejects loses the line, and that is no unhandled rejection", async () => {
    const rejecting = async () => {
      throw new Error("the collector is away");
    };
    const log = new GuardedLog({ debug: rejecting, info: rejecting, warn: rejecting, error: rejecting });
    log.info({}, "one");
    await eventually(() => expect(log.dropped).toBe(1));
  });

  test("keeps its own `this`", () => {
    class Collector {
      readonly lines: string[] = [];
      info(_: object, message: string): void {
        this.lines.push(message);
      }
    }
    const collector = new Collector();
    new GuardedLog(collector as unknown as Log).info({}, "one");
    expect(collector.lines).toEqual(["one"]);
  });
});
