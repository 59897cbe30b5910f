/** The program of the guide "one node a core": several nodes of one machine behind one HTTP port of `node:cluster`. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { send, topicPath } from "../helpers/http.ts";
import { freePort } from "../helpers/processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const guide = readFileSync(`${root}packages/presently/docs/guides/one-node-a-core.md`, "utf8");
const [, program] = /```js\n([\s\S]*?)```/.exec(guide)!;
const folder = mkdtempSync(join(tmpdir(), "presently-cluster-"));

let child: ChildProcess;
let url = "";
let output = "";
beforeAll(async () => {
  writeFileSync(join(folder, "server.mjs"), program!);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const [http, ...mesh] = [await freePort(), await freePort(), await freePort()];
  url = `http://127.0.0.1:${http}`;
  child = spawn(process.execPath, [join(folder, "server.mjs")], {
    env: { ...process.env, HTTP_PORT: String(http), MESH_PORTS: mesh.join() },
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
});
afterAll(() => {
  child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

/** The processes that were started under a name, oldest first. */
const pidsOf = (name: string) =>
  [...output.matchAll(new RegExp(`^${name} runs as (\\d+)$`, "gm"))].map(([, pid]) => Number(pid));

// biome-ignore lint/suspicious/noExplicitAny: whatever the API answers with.
type Body = any;

async function getJson(path: string, agent: Agent): Promise<Body> {
  const [response] = (await once(get(`${url}${path}`, { agent }), "response")) as [IncomingMessage];
  return await json(response);
}

/** What each node lists in the room, by its name. All requests over one connection go to one node. */
async function lists(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (let asked = 0; asked < 4; asked++) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const { node, ready } = await getJson("/api/cluster", agent);
      const { presences } = await getJson(topicPath("room"), agent);
      if (ready) found[node] = Object.keys(presences);
    } finally {
      agent.destroy();
    }
  }
  return found;
}

test("its processes agree behind one port, one that crashes is started again, and all stop", async () => {
  await eventually(async () => expect(await lists()).toEqual({ "web-1": [], "web-2": [] }));
  await eventually(async () => {
    expect((await send(url, topicPath("room", "alice"), { method: "PUT", body: {} })).status).toBeLessThan(
      300,
    );
    expect(await lists()).toEqual({ "web-1": ["alice"], "web-2": ["alice"] });
  });

  const [crashed] = pidsOf("web-1");
  process.kill(crashed!, "SIGKILL");
  await eventually(() => expect(pidsOf("web-1")).toHaveLength(2));
  expect(pidsOf("web-2")).toHaveLength(1);

  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  for (const pid of [...pidsOf("web-1"), ...pidsOf("web-2")])
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});
