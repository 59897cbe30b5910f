/** One random history of operations at our presence and at `RedisPresence` over a real Redis: the same results, of the same types. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Presence } from "@colyseus/core";
import { RedisPresence } from "@colyseus/redis-presence";
import { PresentlyPresence } from "@presently/colyseus";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { has, pathOf } from "../helpers/programs.ts";

const key = fc.constantFrom("a", "b", "c");
const field = fc.constantFrom("f", "g", "");
const value = fc.constantFrom<unknown>("x", "", "3", "-7", "03", " 1", "1.5", 5, "ü\u{1f600}");
const amount = fc.constantFrom<unknown>(1, -1, 0, "3", "-2", 1.5, "x", "");
const seconds = fc.constantFrom(100, 0, -1, "50");

/** The methods of the interface with arguments for them, as core and games call them. */
const operations = {
  set: [key, value],
  setex: [key, value, seconds],
  get: [key],
  exists: [key],
  del: [key],
  expire: [key, seconds],
  sadd: [key, value],
  smembers: [key],
  sismember: [key, value],
  srem: [key, value],
  scard: [key],
  sinter: [key, key],
  hset: [key, field, value],
  hget: [key, field],
  hgetall: [key],
  hdel: [key, field],
  hlen: [key],
  hincrby: [key, field, amount],
  incr: [key],
  decr: [key],
  llen: [key],
  lpush: [key, value],
  rpush: [key, value],
  lpop: [key],
  rpop: [key],
} satisfies Record<string, fc.Arbitrary<unknown>[]>;

type Call = readonly [method: string, args: readonly unknown[]];

const call: fc.Arbitrary<Call> = fc.oneof(
  ...Object.entries(operations).map(([method, args]) =>
    fc.tuple(fc.constant(method), fc.tuple(...(args as fc.Arbitrary<unknown>[]))),
  ),
  // Of lists that are empty only at the end of its time: a key that holds something is asked first.
  fc.tuple(fc.constant("brpop"), fc.tuple(key, fc.constant(0.01))),
  fc.tuple(
    fc.constant("hincrbyex"),
    fc.tuple(fc.constantFrom("ch:a", "ch:b"), field, fc.constantFrom(1, -1, "2"), fc.constant(100)),
  ),
  fc.tuple(fc.constantFrom("hgetall", "hlen"), fc.tuple(fc.constantFrom("ch:a", "ch:b"))),
);

/** A result with its type; an error by its kind. Sets of Redis are in no order. */
async function outcomeOf(presence: Presence, [method, args]: Call): Promise<unknown> {
  try {
    const result = await (presence as unknown as Record<string, (...args: unknown[]) => unknown>)[method]!(
      ...args,
    );
    if (result instanceof Error) return ["resolved with", kindOf(result)];
    return method === "smembers" || method === "sinter"
      ? [...(result as string[])].sort()
      : [typeof result, result];
  } catch (error) {
    return ["rejected with", kindOf(error)];
  }
}

function kindOf(error: unknown): string {
  const { message } = error as Error;
  return /WRONGTYPE/.test(message) ? "a wrong type" : "a value that is of no use";
}

describe.runIf(has("redis-server"))("beside Redis", () => {
  let directory: string;
  let server: ChildProcess;
  let redis: Presence;
  let ours: Presence;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "colyseus-redis-"));
    const path = join(directory, "socket");
    const options = ["--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"];
    server = spawn(pathOf("redis-server"), options, { stdio: "ignore" });
    await eventually(async () => {
      const probe = connect(path);
      await once(probe, "connect");
      probe.destroy();
    });
    redis = new RedisPresence({ path } as never) as unknown as Presence;
    ours = new PresentlyPresence(undefined, { onError: () => undefined });
  });
  afterAll(async () => {
    // As its `shutdown`, which nobody can wait for.
    const { pub, sub } = redis as unknown as Record<"pub" | "sub", { quit(): Promise<unknown> }>;
    await Promise.all([pub.quit(), sub.quit()]);
    await (ours as PresentlyPresence).shutdown();
    server.kill();
    await once(server, "exit");
    await rm(directory, { recursive: true, force: true });
  });

  test("a history of calls has the same results, of the same types", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 120, size: "max" }), async (calls) => {
        for (const name of ["a", "b", "c", "ch:a", "ch:b"]) {
          await redis.del(name);
          await ours.del(name);
        }
        for (const [index, one] of calls.entries()) {
          const told = `call ${index}: ${JSON.stringify(one)}`;
          expect(await outcomeOf(ours, one), told).toEqual(await outcomeOf(redis, one));
        }
      }),
      { numRuns: 40 },
    );
  });
});
