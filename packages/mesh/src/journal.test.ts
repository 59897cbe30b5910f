import { replicaId } from "@presently/replica";
import { describe, expect, test } from "vitest";
import { Journal } from "./journal.ts";
import type { MeshNotice } from "./options.ts";
import { closeReason, refusal } from "./refusal.ts";

function setUp() {
  const notices: MeshNotice[] = [];
  const clock = { ms: 0 };
  const journal = new Journal({ log: (notice) => notices.push(notice), now: () => clock.ms });
  return { journal, notices, clock };
}

describe("a journal", () => {
  test("counts every refusal of ours, and says each kind once a minute", () => {
    const { journal, notices, clock } = setUp();
    for (let attempt = 0; attempt < 100; attempt += 1) {
      journal.refusal("us", "acceptor", `10.0.0.1:${40_000 + attempt}`, refusal("SECRET", "none in common"));
      clock.ms += 1000;
    }
    expect(journal.refused).toEqual({ SECRET: 100 });
    expect(notices).toHaveLength(2);
  });

  test("tells hosts and reasons apart", () => {
    const { journal, notices } = setUp();
    journal.refusal("us", "acceptor", "10.0.0.1:1", refusal("SECRET", "none in common"));
    journal.refusal("us", "acceptor", "10.0.0.2:1", refusal("SECRET", "none in common"));
    journal.refusal("us", "acceptor", "10.0.0.2:2", refusal("CLUSTER", "another one"));
    journal.refusal("peer", "dialler", "ws://10.0.0.2:1", refusal("CLUSTER", "another one"));
    expect(notices.map(({ type }) => type)).toEqual(["refused", "refused", "refused", "refused-by-peer"]);
    expect(journal.refused).toEqual({ SECRET: 2, CLUSTER: 1 });
  });

  test("does not count what is part of normal operation", () => {
    const { journal, notices } = setUp();
    const peer = replicaId("b", 1);
    journal.refusal("us", "acceptor", "10.0.0.1:1", refusal("DUPLICATE", "a link is under way"), peer);
    expect(journal.refused).toEqual({});
    expect(notices).toMatchObject([{ type: "not-needed", level: "debug", code: "DUPLICATE" }]);
  });

  test("is bounded, however many strangers there are", () => {
    const { journal, notices } = setUp();
    for (let host = 0; host < 2000; host += 1) {
      journal.refusal("us", "acceptor", `host ${host}:1`, refusal("MALFORMED", "what is this"));
    }
    expect(notices).toHaveLength(2000);
    expect(journal.refused).toEqual({ MALFORMED: 2000 });
  });
});

test("the reason of a close frame fits, and is cut between characters", () => {
  expect(closeReason(refusal("SLOW", "too slow")).toString()).toBe("SLOW: too slow");
  for (let length = 100; length < 130; length += 1) {
    const cut = closeReason(refusal("SLOW", `${"x".repeat(length)}${"€".repeat(20)}`));
    expect(cut.length).toBeLessThanOrEqual(123);
    expect(cut.length).toBeGreaterThan(119);
    expect(cut.toString()).not.toContain("\uFFFD");
  }
});
