import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { dataOf, inPortions, looksLikeEvent, restore } from "./presence-event.ts";
import type { IdAndValue } from "./presence-value.ts";

/** What Faye does with everything that is published. */
const copy: (value: unknown) => unknown = createRequire(import.meta.url)("faye/src/util/copy_object.js");

const id = fc.oneof(fc.constantFrom("__proto__", "constructor", "toString", "7"), fc.string());
const type = fc.constantFrom("subscribe" as const, "unsubscribe" as const);
const entries = fc.uniqueArray(fc.tuple(id, fc.jsonValue()), { selector: ([name]) => name, minLength: 1 });

test("an event survives Faye's copying with every id, and is one map of one kind", () => {
  fc.assert(
    fc.property(type, entries, (kind, pairs) => {
      const copied = copy(copy(dataOf({ type: kind, entries: pairs as IdAndValue[] })));
      expect(looksLikeEvent(copied)).toBe(true);
      const data = (restore(copied) ?? copied) as Record<string, Record<string, unknown>>;
      expect(Object.keys(data)).toEqual([kind]);
      // Compared as it goes over the wire.
      const sent = JSON.parse(JSON.stringify(data[kind]));
      expect(new Set(Object.keys(sent))).toEqual(new Set(pairs.map(([name]) => name)));
      for (const [name, value] of pairs)
        if (!JSON.stringify(value).includes("__proto__"))
          expect(sent[name]).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("portions have all ids once, in order, and none has too many", () => {
  fc.assert(
    fc.property(type, entries, fc.integer({ min: 1, max: 5 }), (kind, pairs, idsMax) => {
      const portions = [...inPortions(kind, pairs as IdAndValue[], idsMax)];
      expect(portions.flatMap((portion) => portion.entries)).toEqual(pairs);
      for (const portion of portions) {
        expect(portion.type).toBe(kind);
        expect(portion.entries.length).toBeLessThanOrEqual(idsMax);
        expect(portion.entries.length).toBeGreaterThan(0);
      }
    }),
  );
});

test.each([undefined, null, 7, "subscribe", [], {}, { subscribed: {} }, { text: "hi" }])(
  "%j does not look like an event",
  (data) => {
    expect(looksLikeEvent(data)).toBe(false);
    expect(restore(data)).toBeUndefined();
  },
);
