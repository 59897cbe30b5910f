import { replicaId } from "@presently/replica";
import { describe, expect, test } from "vitest";
import { type Candidate, type Incumbent, judge, type Standing } from "./admission.ts";

const alice = replicaId("alice", 1);
const bob = replicaId("bob", 5);

const standing: Standing = {
  replica: bob,
  instance: "bob's process",
  address: "ws://bob:1",
  role: "acceptor",
  incumbent: undefined,
  proving: false,
  full: false,
};
const candidate: Candidate = { replica: alice, instance: "alice's process", address: "ws://alice:1" };
const incumbent: Incumbent = { ...candidate, linkId: "link", role: "acceptor" };

const verdict = (differing: Partial<Standing>, from: Partial<Candidate> = {}) =>
  judge({ ...standing, ...differing }, { ...candidate, ...from })?.code;

describe("a candidate", () => {
  test("that nothing speaks against is admitted", () => {
    expect(verdict({})).toBeUndefined();
    expect(verdict({ role: "dialler" })).toBeUndefined();
  });

  test("that is ourselves is refused", () => {
    expect(verdict({}, { replica: bob, instance: standing.instance })).toBe("SELF");
    expect(verdict({ role: "dialler" }, { replica: bob, instance: standing.instance })).toBe("SELF");
  });

  test("of our own id never gets a link, and learns where we are", () => {
    expect(verdict({}, { replica: bob })).toBe("REPLICA_ID_TAKEN");
    expect(judge(standing, { ...candidate, replica: bob })).toMatchObject({ holder: "ws://bob:1" });
  });

  test("of our own name gets a link whether it is newer or older: over it the two find out which of them stops", () => {
    for (const incarnation of [4, 6]) {
      expect(verdict({}, { replica: replicaId("bob", incarnation) })).toBeUndefined();
      expect(verdict({ role: "dialler" }, { replica: replicaId("bob", incarnation) })).toBeUndefined();
    }
  });

  test("of our own id is left for the acceptor to refuse", () => {
    expect(verdict({ role: "dialler" }, { replica: bob })).toBeUndefined();
  });

  test("is refused when there are as many links as may be, unless it replaces one", () => {
    expect(verdict({ full: true })).toBe("LINKS_FULL");
    expect(verdict({ full: true, incumbent })).toBeUndefined();
  });
});

describe("an incumbent", () => {
  test("stays when we dial its node once more", () => {
    expect(verdict({ incumbent, role: "dialler" })).toBe("DUPLICATE");
    expect(verdict({ incumbent: { ...incumbent, role: "dialler" }, role: "dialler" })).toBe("DUPLICATE");
  });

  test("that the candidate dialled gives way: the candidate has given it up", () => {
    expect(verdict({ incumbent })).toBeUndefined();
  });

  test("that we dialled stays, unless the candidate says that it lost it", () => {
    const dialled: Incumbent = { ...incumbent, role: "dialler" };
    expect(verdict({ incumbent: dialled })).toBe("DUPLICATE");
    expect(verdict({ incumbent: dialled }, { lostLinkId: "an older link" })).toBe("DUPLICATE");
    expect(verdict({ incumbent: dialled }, { lostLinkId: "link" })).toBeUndefined();
  });

  test("gives way to a newer incarnation, and stays against an older one", () => {
    const older: Incumbent = { ...incumbent, replica: replicaId("alice", 0) };
    const newer: Incumbent = { ...incumbent, replica: replicaId("alice", 9) };
    for (const role of ["dialler", "acceptor"] as const) {
      expect(verdict({ role, incumbent: older }, { instance: "another process" })).toBeUndefined();
      expect(verdict({ role, incumbent: newer })).toBe("STALE_INCARNATION");
    }
  });

  test("stays against another process with its replica id, which is told where it is", () => {
    const other = { ...candidate, instance: "another process", address: "ws://other:1" };
    for (const role of ["dialler", "acceptor"] as const) {
      const refused = judge({ ...standing, role, incumbent }, other);
      expect(refused).toMatchObject({ code: "REPLICA_ID_TAKEN", holder: "ws://alice:1" });
      expect(refused?.reason).toMatch(/ws:\/\/other:1.*ws:\/\/alice:1/);
    }
  });
});

describe("when both have a proof on its way", () => {
  test("the link dialled by the smaller replica id is kept", () => {
    expect(verdict({ proving: true })).toBeUndefined();
    const turned: Partial<Standing> = { replica: alice, instance: candidate.instance, proving: true };
    expect(verdict(turned, { replica: bob, instance: standing.instance })).toBe("DUPLICATE");
  });

  test("no second one is sent", () => {
    expect(verdict({ role: "dialler", proving: true })).toBe("DUPLICATE");
  });
});
