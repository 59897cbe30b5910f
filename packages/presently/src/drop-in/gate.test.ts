import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Access, Identity } from "../access/access.ts";
import { Gate, type GateOptions } from "./gate.ts";
import type { GateNotice } from "./refusal-notices.ts";

const NOW = 1_800_000_000_000;
const ann: Identity = { id: "ann", claims: {} };
const watchRoom = { kind: "watch", topic: "room" } as const;

let notices: GateNotice[];

beforeEach(() => {
  notices = [];
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => vi.useRealTimers());

function gateOf(access: Partial<Access> | undefined, limits?: GateOptions["limits"]): Gate {
  const hooks = access && { authenticate: () => ann, authorize: () => true, ...access };
  const onNotice = (notice: GateNotice) => void notices.push(notice);
  return new Gate({ access: hooks, protocol: "phoenix", ...(limits && { limits }), onNotice });
}

function from(address?: string, token?: string) {
  return { token, params: {}, headers: {}, address };
}

describe("without access", () => {
  test("everybody comes in and may do everything", async () => {
    const gate = gateOf(undefined);
    expect(await gate.admit(from("192.0.2.1"))).toMatchObject({ ok: true, identity: undefined });
    expect(await gate.may(undefined, watchRoom)).toBe(true);
  });

  test("the bounds by address hold all the same", async () => {
    const gate = gateOf(undefined, { connectionsPerAddressMax: 1 });
    const first = await gate.admit(from("127.0.0.1"));
    const second = await gate.admit(from("127.0.0.1"));
    expect(second).toEqual({ ok: false, reason: "too-many", retryAfterMs: 1_000 });
    expect(notices).toMatchObject([{ type: "address-limit", option: "connectionsPerAddressMax" }]);
    if (first.ok) first.release();
    expect(await gate.admit(from("127.0.0.1"))).toMatchObject({ ok: true });
  });
});

test("nobody comes in while the node is starting, and no hook is asked", async () => {
  let starting = true;
  const authenticate = vi.fn((): Identity => ann);
  const access: Access = { authenticate, authorize: () => true };
  const gate = new Gate({ access, protocol: "phoenix", starting: () => starting, onNotice: () => undefined });
  expect(await gate.admit(from("192.0.2.1"))).toEqual({ ok: false, reason: "starting" });
  expect(authenticate).not.toHaveBeenCalled();
  expect(gate.refused.starting).toBe(1);
  starting = false;
  expect(await gate.admit(from("192.0.2.1"))).toMatchObject({ ok: true });
});

describe("who comes in", () => {
  test("is whom the hook names, by everything that the protocol knows", async () => {
    const authenticate = vi.fn((): Identity => ann);
    const gate = gateOf({ authenticate });
    const credentials = { token: "t", params: { a: 1 }, headers: { h: "1" }, address: "192.0.2.1" };
    expect(await gate.admit(credentials)).toMatchObject({ ok: true, identity: ann });
    expect(authenticate).toHaveBeenCalledWith({ ...credentials, protocol: "phoenix" });
  });

  test.each([undefined, null, false])("is nobody if the hook answers %s", async (answer) => {
    const gate = gateOf({ authenticate: async () => answer as undefined });
    expect(await gate.admit(from())).toEqual({ ok: false, reason: "unauthenticated" });
    expect(notices).toEqual([]);
  });

  test.each([
    true,
    "ann",
    { id: "", claims: {} },
    { id: 1, claims: {} },
    { id: "ann" },
    { id: "ann", claims: {}, expiresAtMs: Number.NaN },
    { id: "ann", claims: {}, expiresAtMs: "never" },
  ])("is nobody if the hook answers nonsense: %j", async (answer) => {
    const gate = gateOf({ authenticate: () => answer as unknown as Identity });
    expect(await gate.admit(from())).toEqual({ ok: false, reason: "failed" });
    expect(notices).toMatchObject([{ type: "access-failed", hook: "authenticate" }]);
  });

  test.each([
    () => {
      throw new Error("thrown");
    },
    () => Promise.reject(new Error("rejected")),
  ])("is nobody if the hook fails", async (authenticate) => {
    const gate = gateOf({ authenticate });
    expect(await gate.admit(from("192.0.2.1", "secret-token"))).toEqual({ ok: false, reason: "failed" });
    const failed = { type: "access-failed", level: "warn", protocol: "phoenix", error: expect.any(Error) };
    expect(notices).toMatchObject([failed]);
    expect(JSON.stringify(notices)).not.toContain("secret-token");
  });

  test("is nobody if the hook does not answer in time, whatever it does later", async () => {
    let answerLate: (identity: Identity) => void = () => undefined;
    const gate = gateOf(
      { authenticate: () => new Promise((resolve) => (answerLate = resolve)) },
      { hookTimeoutMs: 50, connectionsPerAddressMax: 1 },
    );
    const admission = gate.admit(from());
    await vi.advanceTimersByTimeAsync(50);
    expect(await admission).toEqual({ ok: false, reason: "failed" });
    answerLate(ann);
    // Its place is free again.
    const next = gate.admit(from());
    answerLate(ann);
    expect(await next).toMatchObject({ ok: true });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is nobody who has expired already", async () => {
    const gate = gateOf({ authenticate: () => ({ ...ann, expiresAtMs: NOW }) });
    expect(await gate.admit(from())).toEqual({ ok: false, reason: "unauthenticated" });
  });

  test("counts once against its address, however often it is released", async () => {
    const gate = gateOf({}, { connectionsPerAddressMax: 2 });
    const first = await gate.admit(from());
    await gate.admit(from());
    if (first.ok) for (let times = 0; times < 3; times++) first.release();
    expect(await gate.admit(from())).toMatchObject({ ok: true });
    expect(await gate.admit(from())).toMatchObject({ reason: "too-many" });
  });

  test("counts while the hook is being asked", async () => {
    const gate = gateOf(
      { authenticate: () => new Promise(() => undefined) },
      { connectionsPerAddressMax: 1 },
    );
    void gate.admit(from());
    expect(await gate.admit(from())).toMatchObject({ reason: "too-many" });
  });

  test("is not asked about beyond what its address may, and counts as refused", async () => {
    const authenticate = vi.fn(() => undefined);
    const gate = gateOf({ authenticate }, { connectsPerAddressPerSecondMax: 2 });
    for (let times = 0; times < 5; times++) await gate.admit(from("192.0.2.1"));
    expect(authenticate).toHaveBeenCalledTimes(2);
    expect(gate.refused).toEqual({ starting: 0, unauthenticated: 2, "too-many": 3, failed: 0, forbidden: 0 });
  });
});

describe("what they may do", () => {
  test.each([undefined, 1, "true", null, {}, false])("is nothing if the hook answers %s", async (answer) => {
    const gate = gateOf({ authorize: () => answer as unknown as boolean });
    expect(await gate.may(ann, watchRoom)).toBe(false);
  });

  test("is what the hook answers true to", async () => {
    const authorize = vi.fn(async (_identity: Identity, { kind }: { kind: string }) => kind === "watch");
    const gate = gateOf({ authorize });
    expect(await gate.may(ann, watchRoom)).toBe(true);
    expect(await gate.may(ann, { kind: "publish", topic: "room" })).toBe(false);
    expect(authorize).toHaveBeenCalledWith(ann, watchRoom);
    expect(gate.refused.forbidden).toBe(1);
  });

  test("is nothing for nobody, and nothing once they have expired", async () => {
    const authorize = vi.fn(() => true);
    const gate = gateOf({ authorize });
    const expiring = { ...ann, expiresAtMs: NOW + 10 };
    expect(await gate.may(undefined, watchRoom)).toBe(false);
    expect(await gate.may(expiring, watchRoom)).toBe(true);
    vi.setSystemTime(NOW + 10);
    expect(await gate.may(expiring, watchRoom)).toBe(false);
    expect(authorize).toHaveBeenCalledTimes(1);
  });

  test("is nothing for those who expire while the hook is asked", async () => {
    const gate = gateOf({
      authorize: async () => {
        vi.setSystemTime(NOW + 10);
        return true;
      },
    });
    expect(await gate.may({ ...ann, expiresAtMs: NOW + 10 }, watchRoom)).toBe(false);
  });

  test("is nothing if the hook throws, rejects or hangs, and that is a notice", async () => {
    const hang = () => new Promise<boolean>(() => undefined);
    for (const authorize of [() => Promise.reject(new Error("no")), hang]) {
      notices = [];
      const allowed = gateOf({ authorize }, { hookTimeoutMs: 20 }).may(ann, watchRoom);
      await vi.advanceTimersByTimeAsync(20);
      expect(await allowed).toBe(false);
      expect(notices).toMatchObject([{ type: "access-failed", hook: "authorize" }]);
    }
  });
});

describe("an identity that expires", () => {
  const expiring = (afterMs: number): Identity => ({ ...ann, expiresAtMs: NOW + afterMs });

  test("ends its connection then, once, however far away that is", () => {
    for (const afterMs of [1, 1_000, 40 * 86_400_000]) {
      vi.setSystemTime(NOW);
      const expired = vi.fn();
      gateOf({}).onExpire(expiring(afterMs), expired);
      vi.advanceTimersByTime(afterMs - 1);
      expect(expired).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(expired).toHaveBeenCalledTimes(1);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends nothing during the call, nor once nobody asks any more, nor if it never expires", () => {
    const expired = vi.fn();
    const gate = gateOf({});
    gate.onExpire(expiring(-5), expired);
    expect(expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(0);
    expect(expired).toHaveBeenCalledTimes(1);
    gate.onExpire(expiring(5), expired)();
    for (const identity of [undefined, ann, expiring(Number.POSITIVE_INFINITY)])
      gate.onExpire(identity, expired);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a flood of refusals is a bounded number of notices, which say how many there were", async () => {
  const gate = gateOf({ authenticate: () => Promise.reject(new Error("no")) });
  for (let times = 0; times < 50; times++) await gate.admit(from("127.0.0.1"));
  expect(notices).toHaveLength(10);
  vi.advanceTimersByTime(1_000);
  await gate.admit(from("127.0.0.1"));
  expect(notices).toHaveLength(11);
  expect(notices[10]!.suppressed).toBe(40);
});

test.each(["hookTimeoutMs", "addressesMax"])("a limit that is not positive is refused: %s", (limit) => {
  expect(() => gateOf({}, { [limit]: 0 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
