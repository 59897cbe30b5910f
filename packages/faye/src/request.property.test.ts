import fc from "fast-check";
import { createNode } from "presently";
import { expect, test } from "vitest";
import { LIMIT_DEFAULTS } from "./limits.ts";
import { metaOf, shownValue } from "./presence-value.ts";
import { ERROR, readRequest } from "./request.ts";

const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false });

test("whatever a client sends is a request or one of the original's two errors, and is never thrown back", () => {
  fc.assert(
    fc.property(fc.oneof(json, fc.record({ presence: fc.oneof(json, fc.record({ id: json })) })), (ext) => {
      const request = readRequest(ext, LIMIT_DEFAULTS);
      if (typeof request === "string") expect(Object.values(ERROR)).toContain(request);
      else expect(request.id).not.toBe("");
    }),
  );
});

test("what is accepted fits the node, and what the node refuses was not accepted", async () => {
  const node = await createNode({ name: "a", logLevel: "silent" });
  const session = node.session();
  const data = fc.oneof(
    json,
    fc.array(fc.nat(), { maxLength: 2_000, size: "max" }),
    fc.string({ maxLength: 9_000, size: "max", unit: "binary" }),
    fc.dictionary(fc.string(), json),
    fc.nat({ max: 40 }).map((depth) => nested(depth)),
  );
  const id = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300, size: "max" }),
    fc.integer(),
    fc.constant("__proto__"),
  );
  fc.assert(
    fc.property(id, data, (given, value) => {
      // As it comes over the wire.
      const ext = JSON.parse(JSON.stringify({ presence: { id: given, data: value } }));
      const request = readRequest(ext, LIMIT_DEFAULTS);
      if (typeof request === "string") return;
      expect(request.id).toBe(String(given));
      session.track("/presence/x", request.id, metaOf(request, node.get("/presence/x", request.id)));
      const [stored] = node.get("/presence/x", request.id);
      expect(stored && shownValue(stored, "request")).toEqual(ext.presence);
    }),
  );
  await node.stop();
});

test.each([
  [undefined, ERROR.idMissing],
  [null, ERROR.idMissing],
  ["alice", ERROR.idMissing],
  [{ presence: null }, ERROR.idMissing],
  [{ presence: ["alice"] }, ERROR.idMissing],
  [{ presence: { data: {} } }, ERROR.idMissing],
  [{ presence: { id: null } }, ERROR.idMissing],
  [{ presence: { id: "" } }, ERROR.idMissing],
  [{ presence: { id: 0 } }, ERROR.idMissing],
  [{ presence: { id: false } }, ERROR.idMissing],
  [{ presence: { id: {} } }, ERROR.idMissing],
  [{ presence: { id: ["alice"] } }, ERROR.idMissing],
  [{ presence: { id: "x".repeat(256) } }, ERROR.notStored],
  [{ presence: { id: "é".repeat(128) } }, ERROR.notStored],
  [{ presence: { id: "\ud83d" } }, ERROR.notStored],
  [{ presence: { id: "a", data: "x".repeat(8_000) } }, ERROR.notStored],
  [{ presence: { id: "a", data: nested(40) } }, ERROR.notStored],
  [{ presence: { id: "a", data: JSON.parse('{"__proto__":{}}') } }, ERROR.notStored],
])("%j is refused with the text: %s", (ext, error) => {
  expect(readRequest(ext, LIMIT_DEFAULTS)).toBe(error);
});

test.each([
  ["alice", "alice"],
  [7, "7"],
  [-1.5, "-1.5"],
  ["👩‍🚀", "👩‍🚀"],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["null", "null"],
])("%j is the id %s", (given, id) => {
  const presence = { id: given };
  expect(readRequest({ presence }, LIMIT_DEFAULTS)).toEqual({ id, presence });
});

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { value };
  return value;
}
