/** The demo's processes: started together, broken one by one, and gone when the demo is. No browser is needed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Demo, PortChooser } from "presently/demo";
import { afterEach, expect, it } from "vitest";
import { eventually } from "../helpers/eventually.ts";
import { heal, reportOf, startTestDemo } from "./demo-cluster.ts";

const COMMAND = fileURLToPath(new URL("../../packages/presently/bin/presently.js", import.meta.url));

let demo: Demo | undefined;

afterEach(async () => {
  await demo?.stop();
  demo = undefined;
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // No such process.
    return false;
  }
}

it("forms one cluster, heals after a cut and a crash, and leaves no process behind", async () => {
  demo = await startTestDemo();
  await heal(demo);
  const before = demo.nodes.map(({ pid }) => pid!);

  demo.link("n3", "n1").cut();
  await eventually(async () => expect((await reportOf(demo!, "n1", "n3"))?.linked).toBe(false));
  await demo.node("n2").kill();
  expect(demo.node("n2").state).toBe("stopped");
  expect(isAlive(before[1]!)).toBe(false);
  await heal(demo);

  const pids = [...before, ...demo.nodes.map(({ pid }) => pid!)];
  await demo.stop();
  expect(pids.filter(isAlive)).toEqual([]);
});

it("stops a paused node too", async () => {
  demo = await startTestDemo();
  const pid = demo.node("n1").pid!;
  demo.node("n1").pause();
  await demo.stop();
  expect(isAlive(pid)).toBe(false);
  await expect(demo.node("n1").start()).rejects.toMatchObject({ code: "NODE_START_FAILED" });
});

it.each(["SIGINT", "SIGKILL"] as const)("leaves nothing behind when its command gets %s", async (signal) => {
  const chooser = new PortChooser();
  const [http, mesh, control] = [await chooser.choose(), await chooser.choose(), await chooser.choose()];
  const ports = ["--http-port", `${http}`, "--mesh-port", `${mesh}`, "--control-port", `${control}`];
  const command = spawn(process.execPath, [COMMAND, "demo", ...ports], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  command.stdout.setEncoding("utf8").on("data", (text) => {
    printed += text;
  });
  await eventually(() => expect(printed).toContain("Ctrl-C"));
  const urls = printed.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? [];
  expect(urls).toHaveLength(3);
  command.kill(signal);
  await once(command, "exit");
  await eventually(async () => {
    const answers = await Promise.allSettled(urls.map((url) => fetch(`${url}/healthz`)));
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  });
});
