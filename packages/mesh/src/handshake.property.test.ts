import { ProtocolError } from "@presently/replica";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { identity, run, side } from "../test/identities.ts";
import {
  decodeAddresses,
  decodeEnvelope,
  decodeIntroduction,
  decodeProof,
  decodeRejection,
} from "./frames.ts";

const packr = new Packr({ useRecords: false });

/** Bytes that look more or less like a frame. */
const garbage = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(fc.constantFrom(0, 1, 2, 255), fc.nat(20), fc.anything({ withNullPrototype: false, maxDepth: 3 }))
    .map(([major, type, value]) => {
      try {
        return Uint8Array.of(major, type, ...packr.pack(value));
      } catch {
        return Uint8Array.of(major, type);
      }
    }),
  fc
    .tuple(
      fc.nat(5),
      fc.dictionary(
        fc.constantFrom("body", "seal", "nonce", "keys", "code", "reason", "cluster"),
        fc.uint8Array(),
      ),
    )
    .map(([type, fields]) => Uint8Array.of(1, type, ...packr.pack(fields))),
);

describe("whatever the bytes are", () => {
  test("the decoders throw a ProtocolError and nothing else", () => {
    const decoders = [decodeEnvelope, decodeIntroduction, decodeProof, decodeRejection, decodeAddresses];
    fc.assert(
      fc.property(garbage, fc.constantFrom(...decoders), (bytes, decode) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("the handshake does not throw, and links nobody", () => {
    fc.assert(
      fc.property(garbage, fc.nat(2), (bytes, at) => {
        const { dialler, acceptor, frames } = run(
          side("dialler", identity("a")),
          side("acceptor", identity("b")),
          (frame, index) => (index === at ? bytes : frame),
        );
        fc.pre(frames.length > at);
        expect(dialler?.type).not.toBe("linked");
        expect(acceptor?.type).not.toBe("linked");
      }),
      { numRuns: 2000 },
    );
  });
});

describe("whoever sits between two nodes", () => {
  test("cannot change a byte of the handshake unnoticed", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(400), fc.integer({ min: 1, max: 255 }), (at, offset, flip) => {
        const { dialler, acceptor } = run(
          side("dialler", identity("a")),
          side("acceptor", identity("b")),
          (frame, index) => {
            if (index !== at) return frame;
            const changed = Uint8Array.from(frame);
            changed[offset % changed.length]! ^= flip;
            return changed;
          },
        );
        expect(dialler?.type).not.toBe("linked");
        // Once its own accept is on the way, the acceptor cannot know what becomes of it: the dialler hangs up.
        if (at < 3) expect(acceptor?.type).not.toBe("linked");
      }),
      { numRuns: 2000 },
    );
  });

  test("cannot cut a frame short or add to it", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.integer({ min: -200, max: 50 }), (at, by) => {
        fc.pre(by !== 0);
        const { dialler, acceptor } = run(
          side("dialler", identity("a")),
          side("acceptor", identity("b")),
          (frame, index) => {
            if (index !== at) return frame;
            const changed = new Uint8Array(Math.max(0, frame.length + by));
            changed.set(frame.subarray(0, changed.length));
            return changed;
          },
        );
        expect(dialler?.type).not.toBe("linked");
        if (at < 3) expect(acceptor?.type).not.toBe("linked");
      }),
    );
  });
});

test("two nodes link exactly if they name one cluster and share a secret, or have none", () => {
  const secrets = fc.uniqueArray(fc.constantFrom("red", "green", "blue"), { maxLength: 3 });
  const cluster = fc.constantFrom("shop", "depot");
  fc.assert(
    fc.property(secrets, secrets, cluster, cluster, (ours, theirs, here, there) => {
      const { dialler, acceptor } = run(
        side("dialler", identity("a", ours, { cluster: here })),
        side("acceptor", identity("b", theirs, { cluster: there })),
      );
      const shared = ours.some((secret) => theirs.includes(secret));
      const links = here === there && (shared || (ours.length === 0 && theirs.length === 0));
      expect([dialler?.type, acceptor?.type]).toEqual(links ? ["linked", "linked"] : ["refused", "refused"]);
    }),
  );
});
