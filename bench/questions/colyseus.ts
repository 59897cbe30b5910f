/**
 * How long does each method of a Colyseus presence take, beside `RedisPresence` on a real Redis? Both in this process and
 * in one run, one call at a time; Redis and the second process of ours run beside it, on loopback. Needs `redis-server`.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { RedisPresence } from "@colyseus/redis-presence";
import { PresentlyPresence } from "@presently/colyseus";
import { RedisServer } from "../peers/redis-server.ts";
import { progress, progressDone, report } from "../report.ts";
import { interleaved, showNumber, showSpread, spreadOf } from "../rounds.ts";

const ROUNDS = 5;
const CALLS = 1_000;
const HOST = "127.0.0.1";

/** The methods that both have; `RedisPresence` declares no base that could be named here. */
type Presence = PresentlyPresence;

/** What is prepared before a round, and what is called in it. */
interface Subject {
  readonly method: string;
  readonly prepare?: (presence: Presence) => Promise<unknown>;
  readonly call: (presence: Presence, index: number) => unknown;
}

const fill = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
let heard: () => void = () => undefined;

const subjects: readonly Subject[] = [
  { method: "get", prepare: (p) => p.set("s", "value"), call: (p) => p.get("s") },
  { method: "exists", prepare: (p) => p.set("s", "value"), call: (p) => p.exists("s") },
  { method: "set", call: (p, index) => p.set(`s${index % 100}`, "value") },
  { method: "setex", call: (p, index) => p.setex(`s${index % 100}`, "value", 60) },
  { method: "expire", prepare: (p) => p.set("s", "value"), call: (p) => p.expire("s", 60) },
  { method: "del", call: (p, index) => p.del(`s${index % 100}`) },
  { method: "sadd", call: (p, index) => p.sadd("set", `${index % 100}`) },
  {
    method: "srem",
    prepare: (p) => p.sadd("gone", fill(1_000)),
    call: (p, index) => p.srem("gone", `${index}`),
  },
  { method: "smembers, of 100", prepare: (p) => p.sadd("set", fill(100)), call: (p) => p.smembers("set") },
  { method: "sismember", prepare: (p) => p.sadd("set", fill(100)), call: (p) => p.sismember("set", "50") },
  { method: "scard", prepare: (p) => p.sadd("set", fill(100)), call: (p) => p.scard("set") },
  {
    method: "sinter, of two of 100",
    prepare: (p) => Promise.all([p.sadd("set", fill(100)), p.sadd("other", fill(100))]),
    call: (p) => p.sinter("set", "other"),
  },
  { method: "hset", call: (p, index) => p.hset("hash", `f${index % 100}`, "1,1") },
  { method: "hget", prepare: (p) => p.hset("hash", "f", "1,1"), call: (p) => p.hget("hash", "f") },
  {
    method: "hgetall, of 100",
    prepare: (p) => Promise.all(fill(100).map((field) => p.hset("hundred", field, "1,1"))),
    call: (p) => p.hgetall("hundred"),
  },
  { method: "hlen", prepare: (p) => p.hset("hash", "f", "1,1"), call: (p) => p.hlen("hash") },
  { method: "hdel", call: (p, index) => p.hdel("hash", `f${index % 100}`) },
  { method: "hincrby", call: (p) => p.hincrby("counts", "n", 1) },
  {
    method: "hincrbyex, the gate",
    call: (p, index) => p.hincrbyex(`ch:${index % 10}`, "lock", index % 2 ? -1 : 1, 60),
  },
  { method: "incr", call: (p, index) => p.incr(`n${index % 10}`) },
  { method: "decr", call: (p, index) => p.decr(`n${index % 10}`) },
  {
    method: "lpush",
    prepare: (p) => Promise.all(fill(10).map((key) => p.del(`l${key}`))),
    call: (p, index) => p.lpush(`l${index % 10}`, "element"),
  },
  {
    method: "rpush",
    prepare: (p) => Promise.all(fill(10).map((key) => p.del(`l${key}`))),
    call: (p, index) => p.rpush(`l${index % 10}`, "element"),
  },
  { method: "llen", prepare: (p) => p.rpush("list", "element"), call: (p) => p.llen("list") },
  { method: "lpop", prepare: refill, call: (p, index) => p.lpop(`l${index % 10}`) },
  { method: "rpop", prepare: refill, call: (p, index) => p.rpop(`l${index % 10}`) },
  { method: "brpop, of what is there", prepare: refill, call: (p, index) => p.brpop(`l${index % 10}`, 1) },
  {
    method: "publish until it is heard",
    prepare: async (p) => {
      p.unsubscribe("topic");
      await p.subscribe("topic", () => heard());
    },
    call: (p) => {
      const told = new Promise<void>((resolve) => {
        heard = resolve;
      });
      void p.publish("topic", ["method", "requestId", [1, 2, 3]]);
      return told;
    },
  },
  {
    method: "subscribe and unsubscribe",
    call: async (p, index) => {
      await p.subscribe(`t${index}`, heard);
      await p.unsubscribe(`t${index}`);
    },
  },
  { method: "channels", call: (p) => p.channels("p:*") },
];

async function refill(presence: Presence): Promise<void> {
  for (let list = 0; list < 10; list++)
    for (let index = 0; index < CALLS / 10; index++) await presence.rpush(`l${list}`, "element");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Run as `colyseus.ts peer <url>`, this file is the second process. */
const [, , role, peer] = process.argv;
if (role === "peer") {
  const presence = new PresentlyPresence({
    name: "second",
    cluster: "bench",
    mesh: { port: 0, peers: [peer!] },
    logLevel: "silent",
  });
  await presence.whenReady();
  process.on("disconnect", () => process.exit());
  process.send!("ready");
} else await main();

async function main(): Promise<void> {
  const redis = await RedisServer.start();
  const meshPort = await freePort();
  const ours = new PresentlyPresence({
    name: "first",
    cluster: "bench",
    mesh: { port: meshPort },
    logLevel: "silent",
  });
  await ours.whenReady();
  const second = fork(fileURLToPath(new URL("./colyseus.ts", import.meta.url)), [
    "peer",
    `ws://${HOST}:${meshPort}`,
  ]);
  await once(second, "message");
  const alone = new PresentlyPresence();
  const theirs = new RedisPresence({ host: HOST, port: redis.port }) as unknown as Presence;

  const rows: string[][] = [];
  for (const { method, prepare, call } of subjects) {
    progress(`${rows.length + 1} of ${subjects.length}: ${method}`);
    const presences = [theirs, ours, alone];
    const measured = await interleaved(presences, ROUNDS, async (presence) => {
      await prepare?.(presence);
      const startedAt = performance.now();
      for (let index = 0; index < CALLS; index++) await call(presence, index);
      return ((performance.now() - startedAt) * 1_000) / CALLS;
    });
    const [redisUs, oursUs, aloneUs] = measured.map(spreadOf) as [Spread, Spread, Spread];
    const ratio = redisUs.median / oursUs.median;
    rows.push([
      method,
      showSpread(redisUs),
      showSpread(oursUs),
      showSpread(aloneUs),
      `${showNumber(ratio)}×`,
    ]);
  }
  progressDone();
  report({
    caption: `Microseconds for each method of a Colyseus presence, ${CALLS} calls one after the other; median, fastest and slowest of ${ROUNDS} rounds.`,
    columns: ["method", "RedisPresence", "ours, 2 processes", "ours, alone", "Redis / ours"],
    rows,
    notes: [
      "Each waits for the answer of one call before the next: what is measured is how long a caller waits, not how much a server bears.",
      "incr, decr, lpush and rpush settle when a second process holds them; Redis here writes nothing to disk.",
      "Half of the keys of counters, gates and lists are owned by the second process: one round trip, with pushes and tickets two.",
      "`channels` asks every process; Redis knows the answer. `publish until it is heard` is heard by the publisher itself.",
    ],
  });
  theirs.shutdown();
  await alone.shutdown();
  await ours.shutdown();
  second.disconnect();
  await redis.stop();
}

type Spread = ReturnType<typeof spreadOf>;
