/** The files to deploy with: is what stands in them what the command has? */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseConfigFile } from "./config-file.ts";
import { configSchema } from "./config-schema.ts";
import { createProgram } from "./main.ts";

const packages = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(`presently/deploy/${path}`, packages), "utf8");

// biome-ignore lint/suspicious/noExplicitAny: what stands in files of others' formats.
type Any = any;

/** What a graceful stop of a node with thousands of clients takes, and some more. */
const STOP_MS = 10_000;

const start = createProgram().commands.find((command) => command.name() === "start")!;
const flags = new Set(start.options.map(({ long }) => long));
const validate = new Ajv({ allErrors: true }).compile(configSchema());

/** The flags among words, and those of them that `presently start` does not have. */
function unknownFlags(words: readonly string[]): string[] {
  const given = words.filter((word) => word.startsWith("--")).map((word) => word.split("=", 1)[0]!);
  expect(given.length).toBeGreaterThan(0);
  return given.filter((flag) => !flags.has(flag));
}

function expectSoundConfig(text: string): Any {
  expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
  expect(parseConfigFile(text, "/etc/presently").problems).toEqual([]);
  return parse(text);
}

/** The API's own word for a path that a probe asks: what it answers is tested where it is served. */
const api = readFileSync(new URL("presently/src/http/api.ts", packages), "utf8");
const isServed = (path: string) => api.includes(`path: "${path}"`);

describe("the image", () => {
  const lines = read("Dockerfile").replace(/\\\n/g, " ").split("\n");
  const of = (instruction: string) =>
    lines
      .map((line) => line.trim())
      .filter((line) => line.startsWith(`${instruction} `))
      .map((line) => line.slice(instruction.length + 1));

  test("is built by the tools of the checkout, of packages that it has", () => {
    const root = JSON.parse(readFileSync(new URL("../package.json", packages), "utf8"));
    const [, pnpm] = /pnpm@(\S+)/.exec(of("RUN").join("\n")) ?? [];
    expect(`pnpm@${pnpm}`).toBe(root.packageManager);
    expect(root.scripts.build).toBeDefined();
    const packed = [
      ...of("RUN")
        .join("\n")
        .matchAll(/\/packs\/presently-([a-z]+)-\*\.tgz/g),
    ].map(([, name]) => name!);
    const dependencies = ["crdt", "replica", "mesh"];
    const loaded = ["nats", "phoenix", "anycable", "faye"];
    expect(packed.sort()).toEqual([...dependencies, ...loaded].sort());
    for (const name of packed) expect(existsSync(new URL(`${name}/package.json`, packages))).toBe(true);
  });

  test("runs the command of the package, as nobody in particular", () => {
    expect(of("FROM").at(-1)).toMatch(/:nonroot$/);
    const [entry] = of("ENTRYPOINT");
    const [, command] = JSON.parse(entry!) as string[];
    const manifest = JSON.parse(readFileSync(new URL("presently/package.json", packages), "utf8"));
    expect(command).toBe(`/app/node_modules/presently/${manifest.bin.presently.replace("./", "")}`);
    const [words] = of("CMD").map((line) => JSON.parse(line) as string[]);
    expect(words![0]).toBe("start");
    expect(unknownFlags(words!)).toEqual([]);
    const [, probed] = /http:\/\/127\.0\.0\.1:4001(\/\w+)/.exec(of("HEALTHCHECK").join()) ?? [];
    expect(isServed(probed!)).toBe(true);
  });

  test("leaves out what was built outside, and no secret gets in", () => {
    expect(read("Dockerfile.dockerignore").split("\n")).toContain("**/node_modules");
    expect(of("ENV")).toEqual(["NODE_ENV=production"]);
  });
});

describe("docker compose", () => {
  const compose: Any = parse(read("docker-compose.yaml"), { merge: true });
  const nodes: Any[] = Object.values(compose.services);

  test("starts three nodes, with a configuration that the command takes", () => {
    expect(nodes).toHaveLength(3);
    const config = expectSoundConfig(compose.configs.presently.content);
    const names = new Set<string>();
    for (const node of nodes) {
      expect(node.command[0]).toBe("start");
      expect(unknownFlags(node.command)).toEqual([]);
      names.add(node.command.find((word: string) => word.startsWith("--name=")));
      expect(node.command).toContain(`--config=${node.configs[0].target}`);
      expect(node.networks.default.aliases).toContain(new URL(config.mesh.peers[0]).hostname);
      expect(config.secretFile).toBe(`/run/secrets/${node.secrets[0]}`);
      expect(compose.secrets[node.secrets[0]]).toBeDefined();
    }
    expect(names.size).toBe(3);
    expect(new URL(config.mesh.peers[0]).port).toBe(String(config.mesh.port));
  });

  test("shows their pages on loopback, and nowhere else, for it lets everybody in", () => {
    const { http } = parse(compose.configs.presently.content);
    const ports = nodes.flatMap(({ ports }) => ports as string[]);
    expect(new Set(ports).size).toBe(3);
    for (const port of ports) expect(port).toMatch(new RegExp(`^127\\.0\\.0\\.1:\\d+:${http.port}$`));
    for (const { healthcheck } of nodes) {
      const [, port, path] = /127\.0\.0\.1:(\d+)(\/\w+)/.exec(healthcheck.test.join(" ")) ?? [];
      expect(port).toBe(String(http.port));
      expect(isServed(path!)).toBe(true);
    }
  });

  test("finds the Dockerfile from where it is", () => {
    for (const { build } of nodes) {
      const context = new URL(`${build.context}/`, new URL("presently/deploy/", packages));
      expect(fileURLToPath(new URL(build.dockerfile, context))).toBe(
        fileURLToPath(new URL("presently/deploy/Dockerfile", packages)),
      );
    }
  });
});

describe("the Kubernetes manifests", () => {
  const documents = parseAllDocuments(read("kubernetes/resources.yaml"));
  const resources: Any[] = documents.map((document) => document.toJS());
  const one = (kind: string, name = "presently") =>
    resources.find((resource) => resource.kind === kind && resource.metadata.name === name);
  const pod: Any = one("StatefulSet").spec.template;
  const [container] = pod.spec.containers;
  const config = expectSoundConfig(read("kubernetes/presently.yaml"));
  const portOf = (name: string) => container.ports.find((port: Any) => port.name === name).containerPort;

  test("are well-formed, and of what a cluster needs", () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(resources.map(({ kind }) => kind).sort()).toEqual(
      ["NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "StatefulSet"].sort(),
    );
    const kustomization: Any = parse(read("kubernetes/kustomization.yaml"));
    for (const file of [...kustomization.resources, ...kustomization.configMapGenerator[0].files])
      expect(existsSync(new URL(`presently/deploy/kubernetes/${file}`, packages)), file).toBe(true);
    const volumes = Object.fromEntries(pod.spec.volumes.map((volume: Any) => [volume.name, volume]));
    expect(volumes.config.configMap.name).toBe(kustomization.configMapGenerator[0].name);
    expect(volumes.secret.secret.secretName).toBe(kustomization.secretGenerator[0].name);
    expect(kustomization.images[0].name).toBe(container.image);
  });

  test("give the command flags and files that it has", () => {
    expect(container.args[0]).toBe("start");
    expect(unknownFlags(container.args)).toEqual([]);
    const mountOf = (name: string) =>
      container.volumeMounts.find((mount: Any) => mount.name === name).mountPath;
    expect(container.args).toContain(`--config=${mountOf("config")}/presently.yaml`);
    const secrets: string[] = parse(read("kubernetes/kustomization.yaml")).secretGenerator[0].files;
    expect([config.secretFile, config.access.tokensFile]).toEqual(
      secrets.map((file) => `${mountOf("secret")}/${file}`),
    );
    const variables = container.args.join(" ").match(/(?<=\$\()\w+/g);
    expect(variables).toEqual(container.env.map(({ name }: Any) => name));
  });

  test("find each other by a name that stands for every pod, ready or not, at the mesh's port", () => {
    const mesh = one("Service", "presently-mesh").spec;
    expect([mesh.clusterIP, mesh.publishNotReadyAddresses]).toEqual(["None", true]);
    const [peer] = config.mesh.peers.map((url: string) => new URL(url));
    expect(peer.hostname).toBe(one("StatefulSet").spec.serviceName);
    for (const port of [mesh.ports[0].port, Number(peer.port), portOf("mesh")])
      expect(port).toBe(config.mesh.port);
    expect(container.args).toContain(`--advertise=ws://$(POD_IP):${config.mesh.port}`);
    expect(one("Service").spec.ports[0].port).toBe(portOf("http"));
    expect(portOf("http")).toBe(config.http.port);
    const allowed = one("NetworkPolicy").spec.ingress.map(({ ports }: Any) => ports[0].port);
    expect(allowed).toEqual([config.mesh.port, config.http.port]);
    for (const resource of resources.slice(0, 2)) expect(resource.spec.selector).toEqual(pod.metadata.labels);
    for (const kind of ["StatefulSet", "PodDisruptionBudget"])
      expect(one(kind).spec.selector.matchLabels).toEqual(pod.metadata.labels);
  });

  test("ask the probes that the API has", () => {
    const { readinessProbe, livenessProbe, startupProbe } = container;
    expect(readinessProbe.httpGet.path).toBe("/readyz");
    for (const probe of [livenessProbe, startupProbe]) expect(probe.httpGet.path).toBe("/healthz");
    for (const { httpGet } of [readinessProbe, livenessProbe, startupProbe]) {
      expect(isServed(httpGet.path)).toBe(true);
      expect(httpGet.port).toBe("http");
    }
    expect(isServed(pod.metadata.annotations["prometheus.io/path"])).toBe(true);
  });

  test("leave time for the drain and for the stop, and hand over for longer than a pod takes", () => {
    const drainMs = Number(
      /setTimeout\(\(\) => \{\}, (\d+)\)/.exec(container.lifecycle.preStop.exec.command[2])?.[1],
    );
    const graceMs = 1_000 * pod.spec.terminationGracePeriodSeconds;
    const unreadyMs = 1_000 * container.readinessProbe.periodSeconds;
    expect(drainMs).toBeGreaterThanOrEqual(2 * unreadyMs);
    expect(graceMs).toBeGreaterThan(drainMs + STOP_MS);
    // Its clients come back within that, or are seen to leave.
    expect(config.handoffMs).toBeGreaterThanOrEqual(drainMs);
    expect(one("PodDisruptionBudget").spec.maxUnavailable).toBe(1);
  });

  test("let a pod do nothing that it need not", () => {
    expect(pod.spec.securityContext.runAsNonRoot).toBe(true);
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });
});

test("the apps of pm2 start nodes with flags that the command has, each with a name and ports of its own", () => {
  const load = createRequire(import.meta.url);
  const { apps } = load("../../deploy/pm2/ecosystem.config.cjs") as Any;
  expect(apps).toHaveLength(availableParallelism());
  for (const { args, kill_timeout, stop_exit_codes } of apps) {
    expect(args[0]).toBe("start");
    expect(unknownFlags(args)).toEqual([]);
    expect(kill_timeout).toBeGreaterThan(STOP_MS);
    expect(stop_exit_codes).toEqual([2]);
  }
  for (const flag of ["--name", "--mesh", "--http"])
    expect(new Set(apps.map(({ args }: Any) => args[args.indexOf(flag) + 1])).size).toBe(apps.length);
});

describe("the systemd unit", () => {
  const lines = read("systemd/presently.service").split("\n");
  const of = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));

  test("starts the command with flags that it has, and credentials that it loads", () => {
    const [command, ...words] = of("ExecStart")[0]!.split(" ");
    expect(command).toBe("/usr/bin/presently");
    expect(words[0]).toBe("start");
    expect(unknownFlags(words)).toEqual([]);
    const loaded = of("LoadCredential").map((credential) => `%d/${credential.split(":")[0]}`);
    expect(words.filter((word) => word.startsWith("%d/"))).toEqual(loaded);
  });

  test("is started once for each core with a name and ports of its own", () => {
    const dropIn = read("systemd/presently@.service.d/instance.conf").split("\n");
    const [cleared, started] = dropIn.filter((line) => line.startsWith("ExecStart="));
    expect(cleared).toBe("ExecStart=");
    const words = started!.slice("ExecStart=".length).split(" ");
    const before = of("ExecStart")[0]!.split(" ");
    expect(unknownFlags(words)).toEqual([]);
    const own = ["%H-%i", "--mesh", "127.0.0.1:700%i", "--http", "127.0.0.1:400%i"];
    expect(words).toEqual(before.flatMap((word) => (word === "%H" ? own : [word])));
  });

  test("leaves the command time to stop, and does not start again what was told wrongly", () => {
    expect(1_000 * Number(of("TimeoutStopSec")[0])).toBeGreaterThan(STOP_MS);
    expect(of("RestartPreventExitStatus")).toEqual(["2"]);
    expect(of("MemoryDenyWriteExecute")).toEqual([]);
  });
});
