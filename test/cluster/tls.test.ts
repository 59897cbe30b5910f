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
  const tls = ["--tls-cert", files.certFile, "--tls-key", files.keyFile, "--tls-ca", authority.caFile];
  const place = ["--name", name, "--mesh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-grace-ms", "0"];
  const node = await startNode([...place, ...tls, ...words], { environment: { PRESENTLY_SECRET: "sesame" } });
  running.push(node);
  return node;
}

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
