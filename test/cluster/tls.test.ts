import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { type Certificate, CertificateAuthority } from "../fixtures/tls.ts";
import { eventually } from "../helpers/eventually.ts";
import { keysOn, send, topicPath } from "../helpers/http.ts";
import { type RunningNode, startNode } from "../helpers/processes.ts";

const T = "room:lobby";
const authority = new CertificateAuthority();
const stranger = new CertificateAuthority("another authority");
const running: RunningNode[] = [];

afterEach(async () => {
  for (const node of running.splice(0)) await node.kill();
});

afterAll(() => {
  authority.close();
  stranger.close();
});

/** A process with these files, given as a user gives them. */
async function start(name: string, files: Certificate, ...words: readonly string[]): Promise<RunningNode> {
  const tls = ["--tls-cert", files.certFile, "--tls-key", files.keyFile];
  if (!words.includes("--tls-ca")) tls.push("--tls-ca", authority.caFile);
  const place = ["--name", name, "--mesh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-grace-ms", "0"];
  const node = await startNode([...place, ...tls, ...words], { environment: { PRESENTLY_SECRET: "sesame" } });
  running.push(node);
  return node;
}

test("certificates that are renewed in place serve new links, and no link is lost by it", async () => {
  const [first, second] = [authority.issue("IP:127.0.0.1"), stranger.issue("IP:127.0.0.1")];
  const both = join(dirname(first.certFile), "both.pem");
  writeFileSync(both, `${authority.ca}\n${stranger.ca}`);
  const a = await start("a", first, "--tls-client-certificates", "--tls-ca", both);
  const peer = ["--peer", `wss://127.0.0.1:${a.meshPort}`, "--tls-ca", both];
  const b = await start("b", first, "--tls-client-certificates", ...peer);
  await send(a.url, topicPath(T, "alice"), { method: "PUT", body: { meta: {} } });
  await eventually(async () => expect(await keysOn(b.url, T)).toEqual(["alice"]));
  // As many tools do: the key first, so that for a moment the two do not belong together.
  writeFileSync(first.keyFile, second.key);
  writeFileSync(first.certFile, second.cert);
  await eventually(() => {
    for (const { output } of [a, b]) expect(output).toContain("new certificates are in use");
  });
  const c = await start(
    "c",
    stranger.issue("IP:127.0.0.1"),
    ...peer.slice(0, 2),
    "--tls-ca",
    stranger.caFile,
  );
  await eventually(async () => expect(await keysOn(c.url, T)).toEqual(["alice"]));
  for (const { output } of [a, b]) expect(output).not.toMatch(/lost the link with [ab]@/);
});

test("processes with certificates share presences over wss://, and turn away who has none of theirs", async () => {
  const ours = authority.issue("IP:127.0.0.1");
  const a = await start("a", ours, "--tls-client-certificates");
  const peer = ["--peer", `wss://127.0.0.1:${a.meshPort}`];
  const b = await start("b", ours, "--tls-client-certificates", ...peer);
  const c = await start("c", stranger.issue("IP:127.0.0.1"), ...peer);
  const d = await start("d", ours, "--peer", `ws://127.0.0.1:${b.meshPort}`);
  await send(a.url, topicPath(T, "alice"), { method: "PUT", body: { meta: {} } });
  await eventually(async () => expect(await keysOn(b.url, T)).toEqual(["alice"]));
  await eventually(() => {
    expect(a.output).toMatch(/refused 127\.0\.0\.1:\d+: TLS: the certificate of the client is not accepted/);
    expect(b.output).toMatch(/refused 127\.0\.0\.1:\d+: TLS: the client does not speak TLS/);
    expect(c.output).toMatch(/cannot reach wss:.* does not accept our certificate/);
  });
  expect(await keysOn(c.url, T)).toEqual([]);
  expect(await keysOn(d.url, T)).toEqual([]);
  expect(a.output).toContain("up: mesh wss://127.0.0.1:");
  for (const { output } of [a, b, c, d]) expect(output).not.toMatch(/PRIVATE KEY|sesame/);
});
