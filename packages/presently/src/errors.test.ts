import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ListenError } from "./errors.ts";

const page = readFileSync(new URL("../docs/errors.md", import.meta.url), "utf8");

/** Every text in the sources that looks like a code, where codes are given. */
function codesIn(folder: string): string[] {
  const sources = new URL(`../../${folder}/src/`, import.meta.url);
  return readdirSync(sources, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .flatMap((path) => {
      const text = readFileSync(new URL(path, sources), "utf8");
      const given =
        /(?:super|Error|refusal|errorEvent)\(\s*(?:\d+,\s*)?(?:\w+ \? )?"([A-Z]+(?:_[A-Z]+)+|[A-Z]{4,})"(?: : "([A-Z_]+)")?/g;
      return [...text.matchAll(given)].flatMap(([, one, other]) => [one!, ...(other ? [other] : [])]);
    });
}

describe("the page of errors", () => {
  test.each(["replica", "mesh", "presently"])("has every code of packages/%s", (folder) => {
    const codes = [...new Set(codesIn(folder))];
    expect(codes.length).toBeGreaterThan(3);
    expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });
});

describe("an address that cannot be listened on", () => {
  test("is named as it is written elsewhere", () => {
    const inUse = new ListenError(
      "mesh",
      "::1",
      7001,
      Object.assign(new Error("no"), { code: "EADDRINUSE" }),
    );
    expect(inUse).toMatchObject({ code: "ADDRESS_IN_USE", name: "ListenError", reason: "EADDRINUSE" });
    expect(inUse.message).toBe(
      "mesh address [::1]:7001 is in use: stop what listens there, or choose another port",
    );
    const foreign = new ListenError(
      "http",
      "10.9.8.7",
      80,
      Object.assign(new Error("no"), { code: "EADDRNOTAVAIL" }),
    );
    expect(foreign).toMatchObject({
      code: "LISTEN_FAILED",
      message: expect.stringContaining("10.9.8.7:80 (EADDRNOTAVAIL)"),
    });
  });
});
