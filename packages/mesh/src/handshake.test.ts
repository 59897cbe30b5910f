import { replicaId } from "@presently/replica";
import { describe, expect, test } from "vitest";
import { identity, run, side } from "../test/identities.ts";
import { encodeBody, encodeEnvelope, FRAME } from "./frames.ts";
import { HANDSHAKE_BYTES_MAX, type HandshakeStep } from "./handshake.ts";
import { refusal } from "./refusal.ts";
import { Keyring } from "./secrets.ts";

/** The code of a refusal, and who made it. */
function refused(step: HandshakeStep | undefined): string {
  return step?.type === "refused" ? `${step.refusal.code} by ${step.by}` : `${step?.type}`;
}

describe("a handshake", () => {
  test("links two nodes that share a secret, under one link id", () => {
    const a = identity("a", ["sesame"], { capabilities: ["batch"], minor: 3 });
    const b = identity("b");
    const { dialler, acceptor, frames } = run(side("dialler", a), side("acceptor", b));
    expect(dialler).toMatchObject({ type: "linked", peer: { replica: b.replica, instance: b.instance } });
    expect(acceptor).toMatchObject({
      type: "linked",
      peer: { replica: a.replica, capabilities: ["batch"], minor: 3, address: a.address },
    });
    expect(dialler?.type === "linked" && dialler.linkId).toBe(acceptor?.type === "linked" && acceptor.linkId);
    expect(frames.map((frame) => frame[1])).toEqual([
      FRAME.hello,
      FRAME.challenge,
      FRAME.proof,
      FRAME.accept,
    ]);
  });

  test("names every link anew", () => {
    const ids = [1, 2, 3].map((nonceByte) => {
      const { acceptor } = run(
        side("dialler", identity("a"), { nonceByte }),
        side("acceptor", identity("b")),
      );
      return acceptor?.type === "linked" ? acceptor.linkId : "";
    });
    expect(new Set(ids).size).toBe(3);
  });

  test("never shows the secret", () => {
    const { frames } = run(side("dialler", identity("a")), side("acceptor", identity("b")));
    for (const frame of frames) expect(Buffer.from(frame).includes("sesame")).toBe(false);
  });

  test("works without secrets if neither side has one", () => {
    const { dialler, acceptor } = run(
      side("dialler", identity("a", [])),
      side("acceptor", identity("b", [])),
    );
    expect([dialler?.type, acceptor?.type]).toEqual(["linked", "linked"]);
  });

  test.each([
    [["sesame"], ["open"], "no secret in common"],
    [["sesame"], [], "the peer has a secret and this node has none"],
    [[], ["sesame"], "this node has a secret and the peer has none"],
  ])("with secrets %j and %j is refused, and both sides know why", (ours, theirs, reason) => {
    const { dialler, acceptor } = run(
      side("dialler", identity("a", ours)),
      side("acceptor", identity("b", theirs)),
    );
    expect([refused(dialler), refused(acceptor)]).toEqual(["SECRET by peer", "SECRET by us"]);
    expect(dialler?.type === "refused" && dialler.refusal.reason).toContain(reason);
    expect(dialler?.type === "refused" && dialler.proven).toBe(false);
  });

  test.each([
    [["new", "old"], ["old"]],
    [["old"], ["new", "old"]],
    [
      ["new", "old"],
      ["old", "new"],
    ],
  ])("while a secret is changed, %j and %j link", (ours, theirs) => {
    const { dialler, acceptor } = run(
      side("dialler", identity("a", ours)),
      side("acceptor", identity("b", theirs)),
    );
    expect([dialler?.type, acceptor?.type]).toEqual(["linked", "linked"]);
  });

  test("with another cluster is refused, and both sides know why", () => {
    const b = identity("b", ["sesame"], { cluster: "depot" });
    const { dialler, acceptor } = run(side("dialler", identity("a")), side("acceptor", b));
    expect([refused(dialler), refused(acceptor)]).toEqual(["CLUSTER by peer", "CLUSTER by us"]);
    expect(dialler?.type === "refused" && dialler.refusal.reason).toMatch(/"shop".*"depot"/);
  });

  test("with another major version is refused, and both sides know why", () => {
    const b = identity("b", ["sesame"], { major: 2 });
    const { dialler, acceptor } = run(side("dialler", identity("a")), side("acceptor", b));
    expect([refused(dialler), refused(acceptor)]).toEqual(["VERSION by peer", "VERSION by us"]);
    expect(dialler?.type === "refused" && dialler.refusal.reason).toContain("version 1, this node speaks 2");
  });

  test("ignores fields that it does not know", () => {
    const a = identity("a", []);
    const { keyring: _, major: __, ...known } = a;
    const body = encodeBody({ ...known, nonce: new Uint8Array(16), keys: [], colour: "red" } as never);
    const hello = encodeEnvelope(1, { type: FRAME.hello, body, seal: undefined });
    expect(side("acceptor", identity("b", [])).receive(hello).type).toBe("continue");
  });

  test("tells the dialler's last lost link to the acceptor's judge, and to nobody before", () => {
    const judged: unknown[] = [];
    run(
      side("dialler", identity("a"), { lostLinkId: "feed" }),
      side("acceptor", identity("b"), {
        judge: (peer, lostLinkId) => {
          judged.push([peer.replica, lostLinkId]);
          return undefined;
        },
      }),
    );
    expect(judged).toEqual([[replicaId("a", 1), "feed"]]);
  });

  test("that the acceptor's judge refuses ends so at both sides, proven, with what it carries", () => {
    const stale = { ...refusal("STALE_INCARNATION", "old"), newest: 7 };
    const { dialler, acceptor } = run(
      side("dialler", identity("a")),
      side("acceptor", identity("b"), { judge: () => stale }),
    );
    expect(dialler).toMatchObject({ by: "peer", proven: true, refusal: { newest: 7 } });
    expect(acceptor).toMatchObject({ by: "us", proven: true, peer: { replica: replicaId("a", 1) } });
  });

  test("that the dialler's judge refuses ends so at both sides, proven", () => {
    const judge = () => refusal("REPLICA_ID_TAKEN", "two of you");
    const { dialler, acceptor } = run(
      side("dialler", identity("a"), { judge }),
      side("acceptor", identity("b")),
    );
    expect(dialler).toMatchObject({ by: "us", proven: true, peer: { replica: replicaId("b", 1) } });
    expect(acceptor).toMatchObject({ by: "peer", proven: true, refusal: { code: "REPLICA_ID_TAKEN" } });
  });

  test("a rejection that a stranger forges is not proven", () => {
    const dialler = side("dialler", identity("a"));
    dialler.hello();
    const forged = encodeBody({ code: "STALE_INCARNATION", reason: "x", newest: 9, holder: undefined });
    const frame = encodeEnvelope(1, { type: FRAME.reject, body: forged, seal: new Uint8Array(32) });
    expect(dialler.receive(frame)).toMatchObject({ type: "refused", by: "peer", proven: false });
  });

  test("a proof cannot be reflected: what a node seals as acceptor is nothing it takes as a proof", () => {
    // The attacker holds no secret. It dials the node, has itself dialled by the node, and passes frames across.
    const node = identity("b");
    const asAcceptor = side("acceptor", node, { nonceByte: 3 });
    const asDialler = side("dialler", node, { nonceByte: 4 });
    const challenge = asAcceptor.receive(asDialler.hello());
    expect(challenge.type).toBe("continue");
    for (const type of [FRAME.proof, FRAME.challenge, FRAME.accept]) {
      const reflected = Uint8Array.from(challenge.send!);
      reflected[1] = type;
      const victim = side("acceptor", node, { nonceByte: 3 });
      victim.receive(asDialler.hello());
      expect(victim.receive(reflected).type).toBe("refused");
    }
  });

  test("a proof cannot be replayed: it answers one nonce", () => {
    const { frames } = run(side("dialler", identity("a")), side("acceptor", identity("b")));
    const later = side("acceptor", identity("b"), { nonceByte: 9 });
    expect(later.receive(frames[0]!).type).toBe("continue");
    expect(refused(later.receive(frames[2]!))).toBe("BAD_PROOF by us");
  });

  test("a challenge of an earlier connection proves nothing to a new one", () => {
    const { frames } = run(side("dialler", identity("a")), side("acceptor", identity("b")));
    const later = side("dialler", identity("a"), { nonceByte: 9 });
    later.hello();
    expect(refused(later.receive(frames[1]!))).toBe("BAD_PROOF by us");
  });

  test("a frame out of turn is mistimed", () => {
    const { frames } = run(side("dialler", identity("a")), side("acceptor", identity("b")));
    for (const index of [1, 2, 3]) {
      expect(refused(side("acceptor", identity("b")).receive(frames[index]!))).toBe("MISTIMED by us");
    }
    expect(refused(side("acceptor", identity("b")).receive(Uint8Array.of(1, 16, 0x80)))).toBe(
      "MISTIMED by us",
    );
  });

  test("at its largest fits the bytes that a stranger may send", () => {
    const largest = identity("a", [], {
      cluster: "c".repeat(255),
      replica: replicaId("n".repeat(290), 1),
      capabilities: Array.from({ length: 32 }, (_, index) => `${index}`.padEnd(32, "x")),
      address: `ws://${"h".repeat(240)}:7001`,
      keyring: new Keyring(Array.from({ length: 16 }, (_, index) => `secret ${index}`)),
    });
    const { acceptor, frames } = run(
      side("dialler", largest),
      side("acceptor", { ...largest, instance: "other" }),
    );
    expect(acceptor?.type).toBe("linked");
    const sent = (indexes: number[]) => indexes.reduce((sum, index) => sum + frames[index]!.length, 0);
    // A WebSocket adds at most 14 bytes to a frame.
    expect(sent([0, 2]) + 28).toBeLessThan(HANDSHAKE_BYTES_MAX);
    expect(sent([1, 3]) + 28).toBeLessThan(HANDSHAKE_BYTES_MAX);
  });
});
