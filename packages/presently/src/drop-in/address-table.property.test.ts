import fc from "fast-check";
import { expect, test } from "vitest";
import { AddressTable, blockOf } from "./address-table.ts";

const addresses = [
  "192.0.2.1",
  "::ffff:192.0.2.1",
  "192.0.2.2",
  "2001:db8::1",
  "2001:db8::2",
  "2001:db8:0:1::1",
];
const step = fc.record({
  address: fc.constantFrom(...addresses),
  leaves: fc.boolean(),
  afterMs: fc.nat(2_000),
});

test("no address ever has more open, or begins more in a second, than it may, and the table stays bounded", () => {
  fc.assert(
    fc.property(
      fc.array(step, { size: "max", maxLength: 200 }),
      fc.record({
        openMax: fc.integer({ min: 1, max: 3 }),
        perSecondMax: fc.integer({ min: 1, max: 3 }),
        addressesMax: fc.integer({ min: 1, max: 4 }),
      }),
      (steps, bounds) => {
        const table = new AddressTable({ ...bounds, sparesLoopback: false });
        const open = new Map<string, number>();
        const begun = new Map<string, number[]>();
        let now = 0;
        for (const { address, leaves, afterMs } of steps) {
          now += afterMs;
          const block = blockOf(address);
          const before = open.get(block) ?? 0;
          if (leaves && before > 0) {
            table.leave(address);
            if (before === 1) open.delete(block);
            else open.set(block, before - 1);
          }
          if (!leaves && table.enter(address, now) === undefined) {
            open.set(block, before + 1);
            const recent = (begun.get(block) ?? []).filter((at) => at > now - 1_000);
            begun.set(block, [...recent, now]);
          }
          const most = Math.max(0, ...open.values());
          if (most > bounds.openMax) throw new Error(`${most} are open`);
          if (table.size > bounds.addressesMax) throw new Error(`${table.size} addresses are known`);
          if (open.size > table.size) throw new Error("an address that has something open was forgotten");
          // Only an address that was never forgotten keeps its rate: as many at once, and as many again within the second.
          const rate = begun.get(block)?.length ?? 0;
          if (bounds.addressesMax >= 4 && rate > 2 * bounds.perSecondMax)
            throw new Error(`${rate} were begun`);
        }
      },
    ),
  );
});

test("whoever is refused for what it has open is let in once that has ended", () => {
  const table = new AddressTable({ openMax: 1, perSecondMax: 100, addressesMax: 10, sparesLoopback: false });
  expect(table.enter("192.0.2.1", 0)).toBeUndefined();
  expect(table.enter("192.0.2.1", 0)).toMatchObject({ limit: "openMax" });
  expect(table.enter("192.0.2.2", 0)).toBeUndefined();
  table.leave("192.0.2.1");
  expect(table.enter("192.0.2.1", 0)).toBeUndefined();
});

test("whoever comes too fast is let in after the pause that the refusal names", () => {
  const table = new AddressTable({ openMax: 100, perSecondMax: 2, addressesMax: 10, sparesLoopback: false });
  expect([0, 0].map((now) => table.enter("192.0.2.1", now))).toEqual([undefined, undefined]);
  const refusal = table.enter("192.0.2.1", 0);
  expect(refusal).toEqual({ limit: "perSecondMax", retryAfterMs: 500 });
  expect(table.enter("192.0.2.1", 499)).toBeDefined();
  expect(table.enter("192.0.2.1", 1_000)).toBeUndefined();
});

test("a table full of addresses that have something open takes no further one, and forgets none of them", () => {
  const table = new AddressTable({ openMax: 1, perSecondMax: 100, addressesMax: 2, sparesLoopback: false });
  table.enter("192.0.2.1", 0);
  table.enter("192.0.2.2", 0);
  expect(table.enter("192.0.2.3", 0)).toMatchObject({ limit: "addressesMax" });
  expect(table.enter("192.0.2.1", 0)).toMatchObject({ limit: "openMax" });
  table.leave("192.0.2.2");
  expect(table.enter("192.0.2.3", 0)).toBeUndefined();
});

test("loopback is spared where it is to be, in every way of writing it", () => {
  const bounds = { openMax: 1, perSecondMax: 1, addressesMax: 1 };
  const sparing = new AddressTable({ ...bounds, sparesLoopback: true });
  const strict = new AddressTable({ ...bounds, sparesLoopback: false });
  for (const address of ["127.0.0.1", "127.0.0.1", "::1", "::1", "::ffff:127.0.0.1"])
    expect(sparing.enter(address, 0)).toBeUndefined();
  expect(sparing.size).toBe(0);
  strict.enter("127.0.0.1", 0);
  expect(strict.enter("127.0.0.1", 0)).toBeDefined();
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["2001:DB8:1::", "2001:db8:1:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "::1"],
  ["::2", "0:0:0:0::/64"],
  ["unknown", "unknown"],
])("%s counts as %s", (address, block) => {
  expect(blockOf(address)).toBe(block);
});
