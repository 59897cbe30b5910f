import fc from "fast-check";
import { expect, test } from "vitest";
import { envelope, plain, saidAsMap, saidIn } from "./envelope.ts";

const json = fc.jsonValue();
const map = fc.dictionary(fc.oneof(fc.constantFrom("$at", "info", "__proto__"), fc.string()), json, {
  noNullPrototype: true,
});
const at = fc.nat(Number.MAX_SAFE_INTEGER);

test("an envelope says its info, whatever notes are beside it", () => {
  fc.assert(
    fc.property(fc.option(json, { nil: undefined }), at, (info, stamp) => {
      expect(saidIn(envelope({ info, at: stamp }, { $note: 1 }))).toEqual({ info, at: stamp });
    }),
  );
});

test("a plain meta says all of itself, also one that looks like an envelope", () => {
  fc.assert(
    fc.property(map, (meta) => {
      expect(saidIn(plain(meta))).toEqual({ info: meta, at: 0 });
      expect(saidAsMap(plain(meta))).toEqual(meta);
    }),
  );
});

test("what is no map is shown as the field info of one, and nothing as an empty one", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(json), fc.constant(null)),
      (info) => {
        expect(saidAsMap(envelope({ info, at: 1 }))).toEqual({ info });
      },
    ),
  );
  expect(saidAsMap(envelope({ info: undefined, at: 1 }))).toEqual({});
});

test("a stamp beyond all others stays a stamp", () => {
  expect(saidIn(envelope({ info: 1, at: Number.MAX_SAFE_INTEGER + 1 })).at).toBe(Number.MAX_SAFE_INTEGER);
});
