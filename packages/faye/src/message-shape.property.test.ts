/** Whatever comes as a message, Faye can deal with what is let pass, and with what is put in the place of the rest. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { badRequest, isWellFormed } from "./message-shape.ts";

const fields = [
  "channel",
  "clientId",
  "id",
  "subscription",
  "version",
  "connectionType",
  "supportedConnectionTypes",
  "advice",
  "ext",
  "data",
] as const;
const message = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(
    fc.constantFrom(...fields),
    fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.string(), fc.constantFrom("/meta/subscribe", "/room")),
    { maxKeys: 5 },
  ),
);

test("what passes has texts where Faye takes texts, and lists of texts where it takes lists", () => {
  fc.assert(
    fc.property(message, (value) => {
      if (!isWellFormed(value, 8)) return;
      expect(value.channel).toBeTypeOf("string");
      for (const field of ["clientId", "connectionType"] as const)
        expect(["string", "undefined"]).toContain(typeof (Reflect.get(value, field) ?? undefined));
      const types: unknown = Reflect.get(value, "supportedConnectionTypes") ?? [];
      for (const list of [types, [value.subscription ?? []].flat()])
        for (const item of list as unknown[]) expect(item).toBeTypeOf("string");
    }),
  );
});

test("what is put in the place of the rest is well-formed, or has no channel, and is an error", () => {
  fc.assert(
    fc.property(message, (value) => {
      const refused = badRequest(value);
      expect(refused.error).toBe("400::Bad request");
      if (refused.channel !== undefined) expect(isWellFormed(refused, 8)).toBe(true);
    }),
  );
});

test.each([
  ["deep", JSON.parse(`{"channel":"/a","data":${"[".repeat(9)}${"]".repeat(9)}}`)],
  ["named __proto__ inside", JSON.parse('{"channel":"/a","data":[{"__proto__":{}}]}')],
  ["on a channel of very many parts", { channel: "/a".repeat(600), data: 1 }],
  [
    "with a list that says how long it is",
    { channel: "/meta/handshake", supportedConnectionTypes: { length: 9 } },
  ],
])("a message %s does not pass", (_, value) => {
  expect(isWellFormed(value, 8)).toBe(false);
});
