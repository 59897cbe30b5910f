/** The checks that refuse a configuration before anything starts, and the defaults. */
import { checkTls, isPeer, SECRET_BYTES_MIN } from "@presently/mesh";
import { ConfigurationError, InvalidArgumentError } from "@presently/replica";
import { ClientAddresses } from "./access/client-address.ts";
import { requireSharedSecret } from "./access/shared-secret.ts";
import { isLoopback } from "./address.ts";
import { logLevels } from "./logger.ts";
import type { HttpConfig, MeshConfig, NodeConfig, NodeOptions } from "./node-options.ts";
import { type OptionSpec, optionAt, optionTable } from "./option-table.ts";

/** How an error calls the option at a path: by its path, or by the flag that set it. */
export type OptionNaming = (path: string) => string;

/**
 * Fills in the defaults and refuses what cannot work.
 *
 * @param options  also from outside (a configuration file): every field is checked, unknown ones are refused
 * @param naming   how errors call an option; by default by its path
 * @throws {InvalidArgumentError} naming the option that is missing, unknown or malformed
 * @throws {ConfigurationError} naming both options that contradict each other
 */
export function resolveConfig(options: NodeOptions, naming: OptionNaming = (path) => path): NodeConfig {
  const given = options as unknown as Record<string, unknown>;
  refuseUnknownFields(given, naming);
  const values = (section: Section) => readSection(given, section, naming);
  const tls = fieldsAt(given, "mesh.tls") === undefined ? undefined : values("mesh.tls");
  const mesh = given.mesh === undefined ? undefined : ({ ...values("mesh"), tls } as unknown as MeshConfig);
  const http = given.http === undefined ? undefined : (values("http") as unknown as HttpConfig);
  const common = values("") as unknown as NodeConfig;
  const config: NodeConfig = {
    ...common,
    incarnation: options.incarnation,
    log: options.log,
    onNotice: options.onNotice,
    transport: options.transport,
    access: options.access,
    secrets: readSecrets(options.secret, naming("secret")),
    mesh,
    http: http && {
      ...http,
      bodyBytesMax: http.bodyBytesMax ?? Math.max(65_536, 2 * common.metaBytesMax),
      demoControl: options.http?.demoControl,
    },
  };
  checkMeanings(config, naming);
  if (http !== undefined) checkDoor(config, http, naming);
  checkContradictions(config, naming);
  return config;
}

/** Where options stand: a dot leads into what is inside. Each section comes after the one that it is in. */
const sections = ["", "mesh", "http", "mesh.tls"] as const;
type Section = (typeof sections)[number];

/** Fields that are no plain values and therefore stand in no table. */
const otherFields: Readonly<Record<Section, readonly string[]>> = {
  "": ["secret", "incarnation", "mesh", "transport", "http", "access", "log", "onNotice"],
  mesh: ["tls"],
  http: ["demoControl"],
  "mesh.tls": [],
};

/** What stands in a section, be it an object or not; undefined where the section, or what it is in, is not there. */
function fieldsAt(given: Record<string, unknown>, section: Section): unknown {
  if (section === "") return given;
  return section
    .split(".")
    .reduce<unknown>((fields, field) => (fields as Record<string, unknown> | undefined)?.[field], given);
}

function refuseUnknownFields(given: Record<string, unknown>, naming: OptionNaming): void {
  for (const section of sections) {
    const fields = fieldsAt(given, section);
    if (fields === undefined && section !== "") continue;
    // An option is named only where it is at fault: what is named is where a configuration file is pointed at.
    if (typeof fields !== "object" || fields === null || Array.isArray(fields))
      throw new InvalidArgumentError(section === "" ? "options" : naming(section), "must be an object");
    for (const field of Object.keys(fields)) {
      const path = section === "" ? field : `${section}.${field}`;
      const known =
        otherFields[section].includes(field) || optionTable.some((option) => option.path === path);
      if (!known) throw new InvalidArgumentError(naming(path), "is not an option of a node");
    }
  }
}

function readSection(
  given: Record<string, unknown>,
  section: Section,
  naming: OptionNaming,
): Record<string, unknown> {
  const fields = fieldsAt(given, section) as Record<string, unknown>;
  const values: Record<string, unknown> = {};
  for (const option of optionTable) {
    const dot = option.path.lastIndexOf(".");
    if (option.path.slice(0, Math.max(dot, 0)) !== section) continue;
    const field = option.path.slice(dot + 1);
    const value = fields[field];
    values[field] = value === undefined ? defaultOf(option, naming) : checkKind(option, value, naming);
  }
  return values;
}

function defaultOf(option: OptionSpec, naming: OptionNaming): unknown {
  if (option.defaultText?.startsWith("required")) {
    throw new InvalidArgumentError(naming(option.path), "is missing");
  }
  return option.kind === "texts" ? [] : option.default;
}

function checkKind(option: OptionSpec, value: unknown, naming: OptionNaming): unknown {
  const problem = problemWith(option, value);
  if (problem === undefined) return value;
  const shown = option.file === true ? "" : ` ${printable(value)}`;
  throw new InvalidArgumentError(`${naming(option.path)}${shown}`, problem);
}

function problemWith(option: OptionSpec, value: unknown): string | undefined {
  switch (option.kind) {
    case "switch":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "text":
      return typeof value === "string" && value !== "" ? undefined : "must be a text that is not empty";
    case "texts":
      return Array.isArray(value) && value.every((text) => typeof text === "string")
        ? undefined
        : "must be a list of texts";
    case "integer": {
      const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = option;
      const fits = Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
      const what = unit === undefined ? "a port" : `a whole number of ${unit}`;
      return fits ? undefined : `must be ${what} from ${min} to ${max}`;
    }
  }
}

/** A value for an error message: short whatever it is. */
function printable(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/** The value itself stays out of the message: it is a secret. */
function readSecrets(secret: NodeOptions["secret"], name: string): readonly string[] {
  if (secret === undefined) return [];
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  return secrets.map((one) => requireSharedSecret(name, one));
}

/** What a value must be besides its kind. */
function checkMeanings(config: NodeConfig, naming: OptionNaming): void {
  const refuse = (path: string, value: unknown, problem: string) => {
    throw new InvalidArgumentError(`${naming(path)} ${printable(value)}`, problem);
  };
  for (const path of ["name", "cluster"] as const) {
    if (!/^[A-Za-z0-9._:@-]{1,64}$/.test(config[path])) {
      refuse(path, config[path], "must be 1 to 64 letters, digits, or one of . _ : @ -");
    }
  }
  if (!(logLevels as readonly string[]).includes(config.logLevel)) {
    refuse("logLevel", config.logLevel, `must be one of ${logLevels.join(", ")}`);
  }
  const { incarnation } = config;
  if (incarnation !== undefined && !(Number.isSafeInteger(incarnation) && incarnation >= 0)) {
    refuse("incarnation", incarnation, "must be a whole number from 0");
  }
  for (const peer of config.mesh?.peers ?? []) {
    if (!isPeer(peer)) {
      refuse("mesh.peers", peer, "must be a URL such as ws://10.0.0.2:7001 or dns+ws://nodes.example:7001");
    }
  }
  const advertise = config.mesh?.advertise;
  if (advertise !== undefined && !isUrl(advertise, ["ws:", "wss:"])) {
    refuse("mesh.advertise", advertise, "must be a URL such as ws://10.0.0.1:7001");
  }
  for (const origin of config.http?.allowedOrigins ?? []) {
    const fits = origin === "*" || (isUrl(origin, ["http:", "https:"]) && new URL(origin).origin === origin);
    if (!fits) refuse("http.allowedOrigins", origin, "must be an origin such as https://example.org, or *");
  }
  const demoControl = config.http?.demoControl;
  if (demoControl !== undefined && !isUrl(demoControl, ["http:"])) {
    refuse("http.demoControl", demoControl, "must be an http:// URL");
  }
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol);
}

/** Pairs of which the first must be smaller than the second, at most equal to it, or at most half of it. */
const order: readonly (readonly [string, "smaller than" | "at most" | "at most half of", string])[] = [
  ["heartbeatIntervalMs", "smaller than", "downAfterMs"],
  // One late heartbeat must not make a node look dead.
  ["heartbeatIntervalMs", "at most half of", "downAfterMs"],
  ["downAfterMs", "smaller than", "evictAfterMs"],
  ["flushIntervalMs", "at most", "heartbeatIntervalMs"],
  ["mesh.dialMinMs", "at most", "mesh.dialMaxMs"],
  ["metaBytesMax", "smaller than", "mesh.frameBytesMax"],
  ["frameBytesTarget", "smaller than", "mesh.frameBytesMax"],
  ["mesh.frameBytesMax", "at most", "mesh.maxBufferedBytes"],
  ["metaBytesMax", "at most", "http.bodyBytesMax"],
];

function checkContradictions(config: NodeConfig, naming: OptionNaming): void {
  for (const [smaller, relation, larger] of order) {
    const [left, right] = [valueAt(config, smaller), valueAt(config, larger)];
    if (left === undefined || right === undefined) continue;
    const holds =
      relation === "smaller than" ? left < right : relation === "at most" ? left <= right : 2 * left <= right;
    if (!holds) {
      throw new ConfigurationError(
        `${naming(smaller)} ${left} must be ${relation} ${naming(larger)} ${right}`,
      );
    }
  }
  const { mesh, http, secrets, transport, access } = config;
  if (mesh !== undefined && transport !== undefined)
    throw new ConfigurationError(
      `${naming("mesh")} and ${naming("transport")} both say how nodes are linked: give one of them`,
    );
  if (transport !== undefined && typeof transport !== "function")
    throw new InvalidArgumentError(naming("transport"), "must be a function such as nats({ servers: […] })");
  for (const hook of access === undefined ? [] : (["authenticate", "authorize"] as const))
    if (typeof access?.[hook] !== "function")
      throw new InvalidArgumentError(naming("access"), `must have a function ${hook}: see createAccess`);
  if (config.onNotice !== undefined && typeof config.onNotice !== "function")
    throw new InvalidArgumentError(naming("onNotice"), "must be a function");
  for (const level of config.log === undefined ? [] : (["debug", "info", "warn", "error"] as const))
    if (typeof config.log?.[level] !== "function")
      throw new InvalidArgumentError(naming("log"), `must have a function ${level}`);
  if (mesh?.tls !== undefined) checkTls(mesh.tls, mesh.advertise, (path) => naming(`mesh.${path}`));
  if (mesh && secrets.length === 0 && !isLoopback(mesh.host)) {
    throw new ConfigurationError(
      `${naming("mesh.host")} ${mesh.host} can be reached by other machines, and there is no ${naming("secret")}: ` +
        "give all nodes one, or listen on 127.0.0.1",
    );
  }
  if (
    mesh &&
    !isLoopback(mesh.host) &&
    secrets.some((secret) => Buffer.byteLength(secret) < SECRET_BYTES_MIN)
  )
    throw new ConfigurationError(
      `${naming("mesh.host")} ${mesh.host} can be reached by other machines, and a ${naming("secret")} has fewer than ` +
        `${SECRET_BYTES_MIN} bytes: make one with openssl rand -hex 32, or listen on 127.0.0.1`,
    );
  if (mesh && http && mesh.port !== 0 && mesh.port === http.port && mesh.host === http.host) {
    throw new ConfigurationError(
      `${naming("mesh.port")} and ${naming("http.port")} are both ${mesh.port}: give each a port of its own`,
    );
  }
}

/** Nothing is open beyond loopback unless somebody has said so. */
function checkDoor({ access }: NodeConfig, http: HttpConfig, naming: OptionNaming): void {
  new ClientAddresses(http.trustedProxies);
  const [open, host] = [naming("http.open"), `${naming("http.host")} ${http.host}`];
  if (http.open && access !== undefined)
    throw new ConfigurationError(
      `${naming("access")} says who may do what, and ${open} that all may: leave one out`,
    );
  if (http.open || access !== undefined) return;
  if (!isLoopback(http.host))
    throw new ConfigurationError(
      `${host} can be reached by other machines, and there is no ${naming("access")}: say who may do what, ` +
        `listen on 127.0.0.1, or set ${open}`,
    );
  const [proxy] = http.trustedProxies;
  if (proxy !== undefined)
    throw new ConfigurationError(
      `${naming("http.trustedProxies")} ${proxy} brings clients of other machines, and there is no ${naming("access")}: ` +
        `say who may do what, or set ${open}`,
    );
}

/** The number at a path; undefined where its section is not configured. */
function valueAt(config: NodeConfig, path: string): number | undefined {
  optionAt(path);
  const [section, field] = path.split(".") as [keyof NodeConfig, string | undefined];
  if (field === undefined) return config[section] as number;
  return (config[section] as Record<string, number> | undefined)?.[field];
}
