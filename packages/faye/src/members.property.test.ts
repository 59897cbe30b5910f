import fc from "fast-check";
import { expect, test } from "vitest";
import { Members } from "./members.ts";

const name = fc.constantFrom("a", "b", "__proto__", "constructor");
const step = fc.record({ client: name, channel: name, id: fc.option(name, { nil: undefined }) });

test("a client has one id at a time on each channel, and gives back what it had", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const members = new Members();
      /** Client and channel → id. */
      const model = new Map<string, { client: string; channel: string; id: string }>();
      const channelsOf = (client: string) =>
        [...model.values()].filter((one) => one.client === client).length;
      for (const { client, channel, id } of steps) {
        const place = `${client} ${channel}`;
        const had = model.get(place)?.id;
        if (id === undefined) model.delete(place);
        else model.set(place, { client, channel, id });
        const changed = id === undefined ? members.leave(client, channel) : members.join(client, channel, id);
        expect(changed).toBe(had === id ? undefined : had);
        expect(members.idOf(client, channel)).toBe(id);
        expect(members.channelsOf(client)).toBe(channelsOf(client));
        expect(members.has(client)).toBe(channelsOf(client) > 0);
        expect(members.size).toBe(new Set([...model.values()].map((one) => one.client)).size);
      }
    }),
  );
});
