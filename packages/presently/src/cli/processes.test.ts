/** The command as people run it: real processes. They run what `npm run build` made. */
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../../../test/helpers/eventually.ts";
import { keysOn, openEvents, send, topicPath } from "../../../../test/helpers/http.ts";
import {
  freePort,
  type RunningNode,
  runCommand,
  spawnCommand,
  startNode,
} from "../../../../test/helpers/processes.ts";

const TIMEOUT = { timeout: 120_000 };
const running: RunningNode[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((node) => node.kill()));
});

async function start(...words: readonly string[]): Promise<RunningNode> {
  const node = await startNode([...words, "--http", "127.0.0.1:0"], {
    environment: { PRESENTLY_SECRET: "s3cret" },
  });
  running.push(node);
  return node;
}

const put = (node: RunningNode, key: string, body: unknown = {}) =>
  send(node.url, topicPath("room", key), { method: "PUT", body });

const eventuallyAll = (nodes: readonly RunningNode[], keys: readonly string[]) =>
  Promise.all(
    nodes.map((node) =>
      eventually(async () => expect(await keysOn(node.url, "room")).toEqual(keys), {
        what: `${keys} at ${node.name}`,
      }),
    ),
  );

describe("three processes", () => {
  test("agree on who is here while one crashes, comes back, and leaves", TIMEOUT, async () => {
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    const words = (index: 0 | 1 | 2) => [
      ...["--name", `n${index + 1}`, "--mesh", `127.0.0.1:${ports[index]}`],
      ...ports
        .filter((port) => port !== ports[index])
        .flatMap((port) => ["--peer", `ws://127.0.0.1:${port}`]),
    ];
    const [n1, n2, n3] = await Promise.all([start(...words(0)), start(...words(1)), start(...words(2))]);
    for (const node of [n1, n2, n3]) {
      await eventually(async () => expect((await send(node.url, "/readyz")).status).toBe(200));
    }
    await openEvents(n1.url, "room", { key: "alice" });
    const visitor = await openEvents(n2.url, "room", { key: "bob" });
    await put(n3, "carol");
    await eventuallyAll([n1, n2, n3], ["alice", "bob", "carol"]);

    visitor.close();
    await eventuallyAll([n1, n2, n3], ["alice", "carol"]);

    await n1.kill();
    await eventuallyAll([n2, n3], ["carol"]);
    const again = await start(...words(0));
    await put(again, "alice");
    await eventuallyAll([again, n2, n3], ["alice", "carol"]);

    const watcher = await openEvents(n2.url, "room");
    await watcher.at(0);
    expect(await n3.stop()).toBe(0);
    // What was PUT belongs to no node: another one holds it now.
    await eventually(async () => {
      const { presences } = (await send(n2.url, topicPath("room"))).body;
      expect(Object.keys(presences).sort()).toEqual(["alice", "carol"]);
      expect(presences.carol.metas).toMatchObject([{ node: expect.stringMatching(/n1|n2/) }]);
    });
    expect(n3.output).toContain("presently n3 has stopped");
    await eventually(async () => {
      const { body } = await send(n2.url, "/api/cluster");
      expect(body.replicas.map(({ node }: { node: string }) => node)).toEqual(["n2", "n1"]);
      expect(body.replicas[1]).toMatchObject({ status: "up", linked: true, agrees: true });
    });
    watcher.close();
  });

  test("whose secrets differ do not see each other, and both say why", TIMEOUT, async () => {
    const a = await start("--name", "a", "--mesh", "127.0.0.1:0");
    const peer = ["--peer", `ws://127.0.0.1:${a.meshPort}`];
    const b = await startNode(["--name", "b", "--mesh", "127.0.0.1:0", "--http", "127.0.0.1:0", ...peer], {
      environment: { PRESENTLY_SECRET: "wrong" },
    });
    running.push(b);
    await put(a, "alice");
    await eventually(() => expect(a.output).toMatch(/"level":"warn".*secret/i));
    await eventually(() => expect(b.output).toMatch(/"level":"warn".*secret/i));
    expect(await keysOn(b.url, "room")).toEqual([]);
    expect(a.output + b.output).not.toMatch(/s3cret|"wrong"/);
  });
});

describe("the command", () => {
  test("lists, counts and shows the cluster for people and for scripts", TIMEOUT, async () => {
    const node = await start("--name", "n1", "--cluster", "shop");
    await put(node, "alice", { meta: { device: "phone" } });
    await put(node, "\u001b[31mmallory");
    const ask = async (...words: readonly string[]) => {
      const { code, stdout, stderr } = await runCommand([...words, "--url", node.url]);
      expect([code, stderr]).toEqual([0, ""]);
      return stdout;
    };
    expect(await ask("list", "room")).toBe(
      'KEY                NODE  META\nalice              n1    {"device":"phone"}\n\\u{1b}[31mmallory  n1    {}\n2 present on room, 2 entries\n',
    );
    expect(JSON.parse(await ask("list", "room", "--json"))).toMatchObject({ topic: "room", keys: 2 });
    expect(await ask("topics", "ro")).toBe("TOPIC  KEYS  ENTRIES\nroom   2     2\n1 topic\n");
    expect(JSON.parse(await ask("topics", "--json"))).toEqual({
      topics: [{ topic: "room", keys: 2, entries: 2 }],
    });
    expect(await ask("cluster")).toMatch(
      /^n1 +n1@\d+ +self +2 .*\ncluster shop, as n1 sees it; n1 is ready\n$/m,
    );
    expect(JSON.parse(await ask("cluster", "--json"))).toMatchObject({ node: "n1", ready: true });
  });

  test("watches who comes and goes, also across a restart of the node", TIMEOUT, async () => {
    const port = await freePort();
    const begin = async () => {
      const node = await startNode(["--name", "n1", "--http", `127.0.0.1:${port}`]);
      running.push(node);
      return node;
    };
    const first = await begin();
    await put(first, "alice");
    const watch = spawnCommand(["watch", "room", "--url", first.url]);
    const json = spawnCommand(["watch", "room", "--json", "--url", first.url]);
    try {
      let [output, lines] = ["", ""];
      watch.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
      json.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
        lines += chunk;
      });
      const shows = (pattern: RegExp) => eventually(() => expect(output).toMatch(pattern));
      await shows(/^1 present on room\n {2}alice on n1 \{\}$/m);
      await eventually(() => expect(lines).toContain('{"type":"state"'));
      await put(first, "bob", { meta: { away: false } });
      await shows(/^\d\d:\d\d:\d\d \+ bob on n1 \{"away":false\}$/m);
      await put(first, "bob", { meta: { away: true } });
      await shows(/~ bob on n1 \{"away":true\}$/m);
      await send(first.url, topicPath("room", "bob"), { method: "DELETE" });
      await shows(/- bob on n1 \{"away":true\} \(removed\)$/m);
      await first.kill();
      const second = await begin();
      await put(second, "carol");
      await shows(/- alice on n1 \{\} \(left\)$/m);
      await shows(/\+ carol on n1 \{\}$/m);
      const types = lines
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).type);
      expect(types.slice(0, 4)).toEqual(["state", "diff", "diff", "diff"]);
    } finally {
      for (const child of [watch, json]) child.kill();
    }
  });

  test("says in one line that no node answers", TIMEOUT, async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    for (const words of [["list", "room"], ["watch", "room"], ["topics"], ["cluster"]]) {
      const { code, stdout, stderr } = await runCommand([...words, "--url", url]);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^presently: no node answers at .* \(ECONNREFUSED\): start one with .*\n$/);
    }
  });

  test("says in one line that a port is taken, or that it was misused", TIMEOUT, async () => {
    const node = await start("--name", "n1");
    const taken = await runCommand(["start", "--name", "n2", "--http", node.url.replace("http://", "")]);
    expect(taken).toMatchObject({ code: 1, stdout: "" });
    expect(taken.stderr).toMatch(/^presently: http address .* is in use: .*\n$/);
    const misused = await runCommand([
      "start",
      "--name",
      "n2",
      "--heartbeat-ms",
      "6000",
      "--down-after-ms",
      "5000",
    ]);
    expect(misused).toEqual({
      code: 2,
      stdout: "",
      stderr: "presently: --heartbeat-ms 6000 must be smaller than --down-after-ms 5000\n",
    });
  });

  test("shows its commands when it is given none", TIMEOUT, async () => {
    const { code, stdout } = await runCommand([]);
    expect(code).toBe(0);
    for (const name of ["start", "demo", "list", "watch", "topics", "cluster"])
      expect(stdout).toContain(`  ${name} `);
  });

  test("ends at once on a second signal", TIMEOUT, async () => {
    const node = await start("--name", "n1", "--mesh", "127.0.0.1:0");
    // A peer that stands still holds up a graceful end: its side of the link does not close.
    const peer = await start(
      "--name",
      "n2",
      "--mesh",
      "127.0.0.1:0",
      "--peer",
      `ws://127.0.0.1:${node.meshPort}`,
    );
    await eventually(async () => expect((await send(node.url, "/api/cluster")).body.links).toHaveLength(1));
    peer.pause();
    const ended = node.stop();
    process.kill(node.pid, "SIGINT");
    expect([130, 143]).toContain(await ended);
    expect(node.output).toMatch(/SIG(INT|TERM) again: ending at once/);
    peer.resume();
  });

  test("ends, and says why, when a newer process takes over its name", TIMEOUT, async () => {
    const quick = ["--mesh", "127.0.0.1:0", "--heartbeat-ms", "50", "--down-after-ms", "200"];
    const other = await start("--name", "n2", ...quick);
    const peer = ["--peer", `ws://127.0.0.1:${other.meshPort}`, "--no-peer-gossip"];
    const older = await start("--name", "n1", ...quick, ...peer);
    // A process that has only just started takes a newer incarnation instead.
    const startedAt = performance.now();
    await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(1_000));
    const newer = await start("--name", "n1", ...quick, ...peer);
    await eventually(() =>
      expect(older.output).toContain("presently: another process runs under the name n1"),
    );
    await put(newer, "alice");
    await eventuallyAll([newer, other], ["alice"]);
  });
});

test("a reader of the output that goes away ends a client quietly", TIMEOUT, async () => {
  const node = await start("--name", "n1");
  for (let n = 0; n < 500; n++) await put(node, `user-${n}`, { meta: { pad: "x".repeat(1_000) } });
  const list = spawnCommand(["list", "room", "--url", node.url]);
  let complaints = "";
  list.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
    complaints += chunk;
  });
  list.stdout!.destroy();
  expect(await once(list, "close")).toEqual([0, null]);
  expect(complaints).toBe("");
});
