import fc from "fast-check";
import { createNode } from "presently";
import { expect, test } from "vitest";
import { Lingering } from "./lingering.ts";
import { metaOf } from "./presence-map.ts";
import { Tracker } from "./tracker.ts";

const field = fc.oneof(fc.constantFrom("info", "$at", "presence", "socketId"), fc.string({ maxLength: 8 }));
const meta = fc.dictionary(field, fc.oneof(fc.nat(), fc.string(), fc.constant({ a: 1 })), {
  noNullPrototype: true,
});

test("a meta is shown as it was tracked and as it was updated, also one that looks like that of another protocol", async () => {
  const node = await createNode({ name: "a", logLevel: "silent" });
  const tracker = new Tracker(node, new Lingering());
  const shown = () => {
    const { phx_ref, phx_ref_prev, ...said } = metaOf(node.get("room", "ann")[0]!);
    return said;
  };
  fc.assert(
    fc.property(meta, meta, (first, second) => {
      tracker.track("room", "ann", first);
      expect(shown()).toEqual(first);
      tracker.update("room", "ann", (previous) => ({ ...previous, more: second }));
      expect(shown()).toEqual({ ...first, more: second });
      tracker.untrack("room", "ann");
    }),
  );
  await node.stop();
});
