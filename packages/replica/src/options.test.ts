import { describe, expect, test } from "vitest";
import {
  ConfigurationError,
  InvalidArgumentError,
  REPLICA_DEFAULTS,
  type ReplicaOptions,
  seededRandom,
} from "./index.ts";
import { resolveReplicaOptions } from "./options.ts";

const ID = { name: "a", incarnation: 1 };
type Numeric = keyof typeof REPLICA_DEFAULTS;
const NUMERIC = Object.keys(REPLICA_DEFAULTS) as Numeric[];

describe("options", () => {
  test("have defaults that go together", () => {
    const { random, steps, ...settings } = resolveReplicaOptions(ID);
    expect(settings).toEqual({ ...REPLICA_DEFAULTS, ...ID });
    expect(random()).toBe(resolveReplicaOptions(ID).random());
    expect(resolveReplicaOptions({ ...ID, steps: { rangesPerFrame: 2 } }).steps).toEqual({
      ...steps,
      rangesPerFrame: 2,
    });
    const call = () => resolveReplicaOptions({ ...ID, steps: { framesPerTurn: 0 } });
    expect(call).toThrow(/^steps.framesPerTurn must be an integer of at least 1/);
  });

  test("that are undefined are as if they were left out", () => {
    const nothing = Object.fromEntries([...NUMERIC, "random"].map((option) => [option, undefined]));
    const { random, steps, ...settings } = resolveReplicaOptions({ ...nothing, ...ID } as ReplicaOptions);
    expect(settings).toEqual({ ...REPLICA_DEFAULTS, ...ID });
    expect(typeof random).toBe("function");
  });

  test("are taken as they are", () => {
    for (const option of NUMERIC.filter((option) => !option.endsWith("Ms"))) {
      expect(resolveReplicaOptions({ ...ID, [option]: 7 })[option]).toBe(7);
      expect(resolveReplicaOptions({ ...ID, [option]: 1 })[option]).toBe(1);
    }
    const random = () => 0.5;
    expect(resolveReplicaOptions({ ...ID, random }).random).toBe(random);
    expect(resolveReplicaOptions({ ...ID, flushIntervalMs: 0 }).flushIntervalMs).toBe(0);
  });

  for (const option of NUMERIC) {
    test(`${option} must be a whole number of something`, () => {
      const least = option === "flushIntervalMs" || option === "diffIntervalMs" ? 0 : 1;
      for (const value of [least - 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "100", null, 10n]) {
        const call = () => resolveReplicaOptions({ ...ID, [option]: value } as ReplicaOptions);
        expect(call).toThrow(InvalidArgumentError);
        expect(call).toThrow(new RegExp(`^${option} must be an integer of at least ${least}`));
      }
    });
  }

  test("name must be one that a replica id can be made of", () => {
    for (const name of ["a", "A.b_c:d-e", "node@7", "x".repeat(64), "10.0.0.1:4000"])
      expect(resolveReplicaOptions({ ...ID, name }).name).toBe(name);
    for (const name of ["", "x".repeat(65), "a b", "a\n", "é", "a/b", undefined, null]) {
      const call = () => resolveReplicaOptions({ ...ID, name } as ReplicaOptions);
      expect(call).toThrow(InvalidArgumentError);
      expect(call).toThrow(/^name must/);
    }
  });

  test("incarnation must be a whole number", () => {
    for (const incarnation of [0, 1, Number.MAX_SAFE_INTEGER])
      expect(resolveReplicaOptions({ ...ID, incarnation }).incarnation).toBe(incarnation);
    for (const incarnation of [-1, 1.5, Number.NaN, 2 ** 53, "1", undefined]) {
      expect(() => resolveReplicaOptions({ ...ID, incarnation } as ReplicaOptions)).toThrow(
        /^incarnation must/,
      );
    }
  });

  const contradictions: readonly [Partial<Record<Numeric, number>>, Numeric, Numeric][] = [
    [{ flushIntervalMs: 1_001 }, "flushIntervalMs", "heartbeatIntervalMs"],
    [{ flushIntervalMs: 100, heartbeatIntervalMs: 99 }, "flushIntervalMs", "heartbeatIntervalMs"],
    [{ heartbeatIntervalMs: 2_501 }, "downAfterMs", "heartbeatIntervalMs"],
    [{ downAfterMs: 1_999 }, "downAfterMs", "heartbeatIntervalMs"],
    [{ downAfterMs: 1_200_000 }, "evictAfterMs", "downAfterMs"],
    [{ evictAfterMs: 5_000 }, "evictAfterMs", "downAfterMs"],
    [{ evictAfterMs: 1 }, "evictAfterMs", "downAfterMs"],
  ];
  for (const [options, one, other] of contradictions) {
    test(`that contradict each other are both named: ${JSON.stringify(options)}`, () => {
      const call = () => resolveReplicaOptions({ ...ID, ...options });
      expect(call).toThrow(ConfigurationError);
      expect(call).toThrow(expect.objectContaining({ code: "INVALID_CONFIGURATION" }));
      expect(call).toThrow(one);
      expect(call).toThrow(other);
      const values = { ...REPLICA_DEFAULTS, ...options };
      for (const option of [one, other]) expect(call).toThrow(`${option} (${values[option]})`);
    });
  }

  test("that just do not contradict each other are taken", () => {
    for (const options of [
      { flushIntervalMs: 1_000 },
      { heartbeatIntervalMs: 2_500 },
      { downAfterMs: 2_000 },
      { evictAfterMs: 5_001 },
    ])
      expect(resolveReplicaOptions({ ...ID, ...options })).toMatchObject(options);
  });
});

describe("a seeded generator", () => {
  test("gives the same numbers for the same seed, others for another, all in [0, 1) and evenly", () => {
    const [one, same, other] = [seededRandom("a@1"), seededRandom("a@1"), seededRandom("a@2")];
    let [outside, unequal, differences, sum] = [0, 0, 0, 0];
    for (let index = 0; index < 10_000; index++) {
      const number = one();
      if (number < 0 || number >= 1) outside++;
      if (same() !== number) unequal++;
      if (other() !== number) differences++;
      sum += number;
    }
    expect([outside, unequal]).toEqual([0, 0]);
    expect(differences).toBeGreaterThan(9_990);
    expect(Math.abs(sum / 10_000 - 0.5)).toBeLessThan(0.02);
  });
});
