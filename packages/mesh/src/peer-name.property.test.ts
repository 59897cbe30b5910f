import fc from "fast-check";
import { expect, test } from "vitest";
import { normalizeAddress } from "./address.ts";
import { addressesAt, addressesOf, parsePeerName } from "./peer-name.ts";

const texts = fc.oneof(
  fc.string(),
  fc
    .tuple(fc.constantFrom("dns+ws://", "srv+wss://", "DNS+WSS://", "dns+"), fc.string())
    .map((parts) => parts.join("")),
  fc
    .tuple(
      fc.constantFrom("dns+ws", "dns+wss", "srv+ws", "srv+wss"),
      fc.webUrl({ withQueryParameters: true }),
    )
    .map(([scheme, url]) => url.replace(/^https?/, scheme)),
);

test("a peer by name is read or refused, whatever the text, and its spelling is read alike", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const name = parsePeerName(text);
      if (name !== undefined) expect(parsePeerName(name.text)).toEqual(name);
    }),
  );
});

test("whatever a name server answers, only addresses that can be dialled come of it", () => {
  const answers = fc.record({
    ips: fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string())),
    services: fc.array(
      fc.record({ name: fc.oneof(fc.domain(), fc.string()), port: fc.oneof(fc.nat(70_000), fc.integer()) }),
    ),
  });
  fc.assert(
    fc.property(texts, answers, (text, { ips, services }) => {
      const name = parsePeerName(text);
      if (name === undefined) return;
      for (const address of [...addressesAt(name, ips), ...addressesOf(name, services)]) {
        expect(normalizeAddress(address)).toBe(address);
        expect(address.startsWith(`${name.protocol}//`)).toBe(true);
      }
    }),
  );
});
